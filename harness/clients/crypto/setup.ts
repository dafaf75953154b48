/** What a client of any kind is made of, once its options are resolved. */
import type { Session } from "#harness/world/session";
import { type ClientKind, LACKING } from "./capabilities.ts";
import type { CryptoPolicy, SyncKind } from "./crypto-client.ts";
import type { Keeping } from "./store/keeping.ts";
import type { Telling } from "./telling.ts";

export const STRICT: CryptoPolicy = { share: "identity", read: "cross-signed" };

/** OnlySignedDevicesIsolationMode of matrix-js-sdk, which reads what came before signing was known. */
export const SIGNED: CryptoPolicy = { share: "identity", read: "legacy" };

/** The only one of clients that know nothing of cross-signing. */
export const LEGACY: CryptoPolicy = { share: "all", read: "untrusted" };

/** Why a kind can not have this policy; undefined: it can. */
export function refusesPolicy(kind: ClientKind, policy: CryptoPolicy): string | undefined {
  const has = (...known: readonly CryptoPolicy[]) =>
    known.some(({ share, read }) => policy.share === share && policy.read === read);
  if (kind === "nio" && !has(LEGACY)) return LACKING.nio.policy;
  if (kind === "js-sdk" && !has(SIGNED, LEGACY)) {
    return "matrix-js-sdk has two policies only: signed devices and legacy senders, or all and any";
  }
  return undefined;
}

/** Where a client's store is, for a process that has it. */
export interface StorePlace {
  readonly folder: string;
  readonly key: string;
  readonly state: "new" | "kept" | "restored";
  readonly snapshot?: string;
}

export interface ClientSetup {
  readonly session: Session;
  readonly policy: CryptoPolicy;
  readonly sync: SyncKind;
  readonly keeping: Keeping;
  readonly telling: Telling;
  /** Undefined: in memory. */
  readonly place: StorePlace | undefined;
}
