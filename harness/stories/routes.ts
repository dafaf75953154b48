/** Names of the requests that faults of stories are about. */
import type { RuleMatch } from "#harness/gateway/rule";

type Route = Pick<RuleMatch, "method" | "path">;

export const ROUTES = {
  sync: { method: "GET", path: "/_matrix/client/*/sync" },
  "sliding-sync": {
    method: "POST",
    path: "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync",
  },
  "to-device": { method: "PUT", path: "/_matrix/client/*/sendToDevice/*/*" },
  "keys.upload": { method: "POST", path: "/_matrix/client/*/keys/upload" },
  "keys.query": { method: "POST", path: "/_matrix/client/*/keys/query" },
  "keys.claim": { method: "POST", path: "/_matrix/client/*/keys/claim" },
  "keys.changes": { method: "GET", path: "/_matrix/client/*/keys/changes" },
  "keys.signatures": { method: "POST", path: "/_matrix/client/*/keys/signatures/upload" },
  "keys.cross-signing": { method: "POST", path: "/_matrix/client/*/keys/device_signing/upload" },
  invite: { method: "POST", path: "/_matrix/client/*/rooms/*/invite" },
  join: { method: "POST", path: "/_matrix/client/*/join/*" },
  members: { method: "GET", path: "/_matrix/client/*/rooms/*/members" },
  event: { method: "GET", path: "/_matrix/client/*/rooms/*/event/*" },
  "room-send": { method: "PUT", path: "/_matrix/client/*/rooms/*/send/*/*" },
  "backup.write": { method: "PUT", path: "/_matrix/client/*/room_keys/keys" },
  "backup.version": { method: "GET", path: "/_matrix/client/*/room_keys/version" },
  "media.download": { method: "GET", path: "/_matrix/client/*/media/download/**" },
  "dehydrated.events": {
    method: "POST",
    path: "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/*/events",
  },
  "fed.send": { method: "PUT", path: "/_matrix/federation/v1/send/*" },
  "fed.keys.query": { method: "POST", path: "/_matrix/federation/v1/user/keys/query" },
  "fed.keys.claim": { method: "POST", path: "/_matrix/federation/v1/user/keys/claim" },
  "fed.devices": { method: "GET", path: "/_matrix/federation/v1/user/devices/*" },
} as const satisfies Record<string, Route>;
