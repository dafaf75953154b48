/**
 * What every peer answers without being told: the requests that servers make on their own, as soon as they hear of a new
 * one. Everything else is unexpected until a check serves it.
 */
import { answer, refusal } from "./answer.ts";
import type { PeerKeys } from "./keys.ts";
import type { Handler, Routes } from "./routes.ts";

export function addDefaults(routes: Routes, keys: PeerKeys): void {
  const defaults: Readonly<Record<string, Handler>> = {
    "GET /_matrix/key/v2/server": () => answer(keys.document()),
    "GET /_matrix/key/v2/server/": () => answer(keys.document()),
    "GET /_matrix/key/v2/server/{keyId}": () => answer(keys.document()),
    "GET /_matrix/federation/v1/version": () =>
      answer({ server: { name: "crucible-peer", version: "1" } }),
    "GET /_matrix/federation/v1/query/profile": () => answer({}),
    "GET /_matrix/federation/v1/user/devices/{userId}": (_, { parameter }) =>
      answer({ user_id: parameter("userId"), stream_id: 1, devices: [] }),
    "POST /_matrix/federation/v1/user/keys/query": () => answer({ device_keys: {} }),
    "POST /_matrix/federation/v1/user/keys/claim": () => answer({ one_time_keys: {} }),
    // Asked when a name has no port.
    "GET /.well-known/matrix/server": () => refusal(404, "M_NOT_FOUND"),
  };
  for (const [route, handler] of Object.entries(defaults)) routes.add(route, handler);
}
