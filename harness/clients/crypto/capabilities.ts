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
  /** A process of its own, which can be killed. */
  "process",
  /** A store that outlives its process. */
  "durable-store",
] as const;
export type Capability = (typeof CAPABILITIES)[number];

const NOT_YET = "Crucible does not drive it yet";

export const LACKING: Readonly<Record<ClientKind, Partial<Record<Capability, string>>>> = {
  wasm: {},
  "js-sdk": Object.fromEntries(CAPABILITIES.map((capability) => [capability, NOT_YET])),
  nio: Object.fromEntries(CAPABILITIES.map((capability) => [capability, NOT_YET])),
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
