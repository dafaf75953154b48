/** What every encrypting client can do, whichever library is inside. */
import type { JsonObject } from "#harness/match/json";

/** What a client does with devices that their users have not signed (MSC4153, now in the specification's chapter on encryption). */
export interface CryptoPolicy {
  /** Devices that get room keys: all; those that their users have signed; those that were verified. */
  readonly share: "all" | "identity" | "trusted";
  /** Senders whose events are read: any device; signed ones, and those from before signing was known; signed ones. */
  readonly read: "untrusted" | "legacy" | "cross-signed";
}

/** A megolm session and the place of a message in it. */
export interface SessionPlace {
  readonly sessionId: string;
  /** From 0 on; undefined: not told by the ciphertext. */
  readonly index: number | undefined;
}

export interface Sent extends SessionPlace {
  readonly eventId: string;
}

/** Why a client can not read an event, in the words of its library. */
export interface Unreadable extends SessionPlace {
  readonly isReadable: false;
  readonly code: string;
  readonly text: string;
  /** Code of `m.room_key.withheld`, when the sender has told that it keeps the key back. */
  readonly withheld?: string;
}

export interface Readable {
  readonly isReadable: true;
  readonly type: string;
  readonly content: JsonObject;
}

export type ReadResult = Readable | Unreadable;

export interface SyncReport {
  /** To-device events that came, those that could not be decrypted among them. */
  readonly toDevice: number;
  readonly undecryptable: number;
  /** Users whose devices have changed. */
  readonly changed: readonly string[];
}

export interface CryptoClient extends AsyncDisposable {
  readonly kind: "wasm";
  readonly userId: string;
  readonly deviceId: string;
  /** One sync, and all requests that it leads to. @param timeoutMs long-poll; 0 unless given */
  syncOnce(timeoutMs?: number): Promise<SyncReport>;
  /** Makes a cross-signing identity, or a new one, and signs this device. */
  bootstrapIdentity(options?: { readonly reset?: boolean }): Promise<void>;
  /** Shares the room's key with all who are there or invited, encrypts and sends. */
  send(roomId: string, content: JsonObject, type?: string): Promise<Sent>;
  read(roomId: string, eventId: string): Promise<ReadResult>;
}
