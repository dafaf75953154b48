/** Names for what travels encrypted: stable from client to client, and told by ciphertext alone. */
import { createHash } from "node:crypto";
import { isObject } from "#harness/match/json";

/** One Olm message to one device. */
export interface Parcel {
  /** SHA-256 of its ciphertext, in hex: every server on the way passes that on as it is. */
  readonly id: string;
  /** Curve25519 key of the device that it is for. */
  readonly curve25519: string;
  /** Whether it is of type 0, which opens a session with a one-time or fallback key (specification §m.olm.v1). */
  readonly isPreKey: boolean;
}

/** Parcels in the content of an `m.room.encrypted` to-device event; none in anything else. */
export function parcelsIn(content: unknown): readonly Parcel[] {
  if (!isObject(content) || !isObject(content.ciphertext)) return [];
  return Object.entries(content.ciphertext).flatMap(([curve25519, message]) =>
    isObject(message) && typeof message.body === "string"
      ? [{ id: digest(message.body), curve25519, isPreKey: message.type === 0 }]
      : [],
  );
}

/** SHA-256 in hex: for parcels, tokens and positions that a log tells apart without telling them. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
