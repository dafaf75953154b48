/** What a participant with media is told and tells. Plain data: it crosses between processes. Times are epoch milliseconds. */
import type { Secret } from "#harness/clients/crypto/crypto-client";
import type { Spell } from "./hearing.ts";

/** How keys become those of frames (MSC4195 §End-to-end encryption); absent parts are as the text has them. */
export interface KeyParameters {
  readonly derivation?: "hkdf" | "pbkdf2";
  readonly salt?: string;
}

export interface JoinOrder {
  readonly websocketUrl: string;
  readonly token: Secret;
  /** Absent: it neither encrypts nor decrypts. */
  readonly encryption?: KeyParameters;
}

/** States of encryption as the library tells them. */
export const ENCRYPTION_STATES = [
  "new",
  "ok",
  "encryption-failed",
  "decryption-failed",
  "missing-key",
  "key-ratcheted",
  "internal-error",
] as const;
export type EncryptionState = (typeof ENCRYPTION_STATES)[number];

/** Something that happened to a participant. Identities and ids are the SFU's. */
export interface MediaNote {
  readonly at: number;
  readonly what:
    | "connected"
    | "reconnecting"
    | "reconnected"
    /** `reason` is the number of the signalling protocol, such as 2: another one with this identity. */
    | "disconnected"
    | "participant-joined"
    | "participant-left"
    | "track-subscribed"
    | "track-unsubscribed"
    | "published"
    | "unpublished"
    | "key-set"
    | "key-used"
    | "encryption";
  /** Whom it is about; absent: the participant itself. */
  readonly identity?: string;
  readonly track?: string;
  readonly reason?: number;
  readonly state?: EncryptionState;
  readonly keyIndex?: number;
}

export interface HeardTrack {
  readonly identity: string;
  readonly track: string;
  readonly spells: readonly Spell[];
  readonly droppedSpells: number;
}

/** Of a video track: what pictures came, whatever is on them. */
export interface SeenTrack {
  readonly identity: string;
  readonly track: string;
  readonly width: number;
  readonly height: number;
  readonly pictures: number;
  /** Numbers of the test pictures, in the order in which they came; the last ones only when there were many. */
  readonly numbers: readonly number[];
  readonly first?: number;
  readonly last?: number;
}

export interface RemoteParticipant {
  readonly identity: string;
  readonly tracks: readonly {
    readonly track: string;
    readonly kind: "audio" | "video" | "other";
    /** As the sender announced it. */
    readonly encryption: "none" | "gcm" | "custom";
  }[];
}

export interface MediaReport {
  readonly identity: string;
  /** The SFU's name of this connection. */
  readonly sid: string;
  readonly isConnected: boolean;
  /** It joined with encryption, and keys can be set. */
  readonly isEncrypting: boolean;
  readonly participants: readonly RemoteParticipant[];
  readonly notes: readonly MediaNote[];
  readonly heard: readonly HeardTrack[];
  readonly seen: readonly SeenTrack[];
}
