/** What each kind of client can not do, and why: the reason of a skip. */
import { Unsupported } from "#harness/errors";

export type ClientKind = "wasm" | "js-sdk" | "nio";

export const CAPABILITIES = [
  "sliding-sync",
  "cross-signing",
  /** Reads by a policy, shares by a policy. */
  "policy",
  "shield",
  "to-device",
  "local-trust",
  "sas-to-device",
  "sas-room",
  "qr",
  "local-sign",
  "key-requests",
  "secret-gossip",
  "backup",
  "recovery",
  "history-bundles",
  "dehydrated-devices",
  "fallback-keys",
  /** Takes notice of `m.room_key.withheld`, and tells its code. */
  "withheld",
  /** A process of its own, which can be killed. */
  "process",
  /** A store that outlives its process. */
  "durable-store",
  /** Can be killed at a place within a sync. */
  "dies-in-sync",
  /** Can be made to keep its position before it takes in what came, and to die between the two. */
  "acknowledges-early",
] as const;
export type Capability = (typeof CAPABILITIES)[number];

const UNKNOWN_TO_NIO = "matrix-nio 0.26 knows no cross-signing";
const NOT_YET = "Crucible does not drive it yet";

export const LACKING: Readonly<Record<ClientKind, Partial<Record<Capability, string>>>> = {
  wasm: {},
  "js-sdk": {
    "sliding-sync": NOT_YET,
    "to-device": NOT_YET,
    "local-trust": NOT_YET,
    "sas-to-device": NOT_YET,
    "sas-room": NOT_YET,
    qr: NOT_YET,
    "local-sign": "matrix-js-sdk offers it by a verification only",
    "key-requests": NOT_YET,
    "secret-gossip": NOT_YET,
    backup: NOT_YET,
    recovery: NOT_YET,
    "history-bundles": NOT_YET,
    "dehydrated-devices": NOT_YET,
    "acknowledges-early": "it keeps its position in memory, where it dies with what came before it",
  },
  nio: {
    "sliding-sync": "matrix-nio 0.26 speaks /sync only",
    "cross-signing": UNKNOWN_TO_NIO,
    policy: "matrix-nio 0.26 knows no cross-signing: it shares with all devices and reads from all",
    shield: UNKNOWN_TO_NIO,
    "to-device": "matrix-nio 0.26 encrypts room keys for devices, and nothing else",
    "sas-to-device": "it verifies devices, not users; Crucible does not drive it yet",
    "sas-room": UNKNOWN_TO_NIO,
    qr: UNKNOWN_TO_NIO,
    "local-sign": UNKNOWN_TO_NIO,
    "key-requests": NOT_YET,
    "secret-gossip": UNKNOWN_TO_NIO,
    backup: "matrix-nio 0.26 has no server-side backup",
    recovery: UNKNOWN_TO_NIO,
    "history-bundles": "matrix-nio 0.26 knows nothing of MSC4268",
    "dehydrated-devices": "matrix-nio 0.26 knows nothing of MSC3814",
    "fallback-keys": "matrix-nio 0.26 makes no fallback keys",
    withheld: "matrix-nio 0.26 takes no notice of m.room_key.withheld",
  },
};

export function unsupported(
  kind: ClientKind,
  capability: Capability,
  reason?: string,
): Unsupported {
  return new Unsupported(
    `crypto client ${kind}: ${capability}`,
    reason ?? LACKING[kind][capability] ?? "not in this way",
  );
}

/** Steps of which this kind can do none: each throws Unsupported. */
export function refusing<Steps extends object>(kind: ClientKind, capability: Capability): Steps {
  return new Proxy({} as Steps, {
    get: (_, name) =>
      name === "then" ? undefined : () => Promise.reject(unsupported(kind, capability)),
  });
}
