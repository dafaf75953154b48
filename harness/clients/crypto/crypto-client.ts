/**
 * What every encrypting client can do, whichever library is inside. A client is stepped: nothing is sent and nothing is
 * received unless it is told to, except while it is `running`.
 *
 * What a kind can not do it refuses with Unsupported and the reason, so that a check of it is skipped, never passed; see
 * capabilities.ts to ask before.
 */
import type { JsonObject } from "#harness/match/json";
import type { Capability, ClientKind } from "./capabilities.ts";
import type { ClientStore, StoreSnapshot } from "./store/client-store.ts";

/** What a client does with devices that their users have not signed (MSC4153, now in the specification's chapter on encryption). */
export interface CryptoPolicy {
  /** Devices that get room keys: all; those that their users have signed; those that were verified. */
  readonly share: "all" | "identity" | "trusted";
  /** Senders whose events are read: any device; signed ones, and those from before signing was known; signed ones. */
  readonly read: "untrusted" | "legacy" | "cross-signed";
}

export type SyncKind = "v3" | "sliding";

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
  /** A name of matrix-sdk-crypto's DecryptionErrorCode where the kind has one; else the library's own. */
  readonly code: string;
  readonly text: string;
  /** Code of `m.room_key.withheld`, when the sender has told that it keeps the key back. */
  readonly withheld?: string;
}

/** What a client shows beside a message that it can read. */
export interface Shield {
  readonly color: "none" | "grey" | "red";
  /** A name of matrix-sdk-crypto's ShieldStateCode. */
  readonly code?: string;
}

export interface Readable {
  readonly isReadable: true;
  readonly type: string;
  readonly content: JsonObject;
  /** Undefined: this kind shows none. */
  readonly shield: Shield | undefined;
  /** Who has passed the key on, in a bundle of MSC4268. */
  readonly forwarder?: string;
}

export type ReadResult = Readable | Unreadable;

/** What has come of one to-device event. */
export interface ToDeviceReport {
  /** Of the event within, when it was decrypted. */
  readonly type: string;
  readonly sender: string;
  readonly outcome: "decrypted" | "undecryptable" | "plain" | "invalid";
  /** Why it is undecryptable, a name of matrix-sdk-crypto's ToDeviceUnableToDecryptReason. */
  readonly reason?: string;
}

export interface SyncReport {
  /** To-device events that came, those that could not be decrypted among them. */
  readonly toDevice: number;
  readonly undecryptable: number;
  readonly events: readonly ToDeviceReport[];
  /** Users whose devices have changed. */
  readonly changed: readonly string[];
}

export interface DeviceView {
  readonly deviceId: string;
  /** The user's self-signing key has signed it. */
  readonly isSigned: boolean;
  /** Signed, by an identity that was verified; or verified by itself. */
  readonly isVerified: boolean;
  readonly isBlacklisted: boolean;
  readonly isDehydrated: boolean;
}

/** What a client holds of a user. */
export interface IdentityView {
  /** Public master key; undefined: no cross-signing identity is known. */
  readonly masterKey: string | undefined;
  readonly isVerified: boolean;
  readonly wasVerified: boolean;
  /** It was verified and has changed since. */
  readonly isInViolation: boolean;
  /** It has changed since the first one that was seen, which was never verified. */
  readonly needsApproval: boolean;
  readonly devices: readonly DeviceView[];
}

/** How clients verify each other. `local-sign`: one-sided, by signing the other's identity as it is known. */
export type VerifyVia = "sas-to-device" | "sas-room" | "qr" | "local-sign";

/** Where one side of a verification is. */
export interface VerificationView {
  readonly flowId: string;
  readonly phase: "requested" | "ready" | "started" | "compare" | "done" | "cancelled";
  /** Three numbers that both sides have to see alike, from `compare` on. */
  readonly decimals?: readonly number[];
  /** Code of `m.key.verification.cancel`. */
  readonly cancelled?: string;
}

/** The steps of a verification, for one side; `verify` takes them for both. */
export interface VerificationSteps {
  /** Sends `m.key.verification.request` to a device, or into a room; returns the id of the flow. */
  request(
    userId: string,
    where: { readonly deviceId: string } | { readonly roomId: string },
  ): Promise<string>;
  view(userId: string, flowId: string): Promise<VerificationView | undefined>;
  /** The request; once the other has started, its start. */
  accept(userId: string, flowId: string): Promise<void>;
  startSas(userId: string, flowId: string): Promise<void>;
  /** Says that the other's numbers are the same. */
  confirm(userId: string, flowId: string): Promise<void>;
  cancel(userId: string, flowId: string): Promise<void>;
  /** What a QR code shows, for the other's `scan`. */
  showQr(userId: string, flowId: string): Promise<Uint8Array>;
  scan(userId: string, flowId: string, code: Uint8Array): Promise<void>;
  /** Takes in what was said in a room about verifications. */
  takeRoom(roomId: string): Promise<void>;
}

/** A secret that must not be logged: it shows itself as `<secret>` wherever it is printed. */
export interface Secret {
  readonly reveal: () => string;
}

export interface BackupSteps {
  /** A new version with a new key, which this client keeps; returns the version. */
  create(): Promise<string>;
  /** Uploads all that is not in it yet; returns how many keys there are in the backup. */
  upload(): Promise<number>;
  /** Imports all of it; the decryption key has to be there. Returns how many keys came. */
  restore(): Promise<number>;
  /** Version that this client backs up to; undefined: none. */
  version(): Promise<string | undefined>;
}

/** Secret storage (client-server API, "Secret storage"). */
export interface RecoverySteps {
  /** Puts the secrets of cross-signing, and of the backup when there is one, into account data; returns the recovery key. */
  create(): Promise<Secret>;
  /** Takes them out again and signs this device. */
  use(key: Secret): Promise<void>;
}

/** Sharing of history with who is invited (MSC4268). */
export interface HistorySteps {
  /** Uploads a bundle of the room's shareable keys and tells the user's devices; false: there is no key to share. */
  share(roomId: string, userId: string): Promise<boolean>;
  /** Takes in the bundle that this user has sent; returns false when none has come. */
  accept(roomId: string, inviter: string): Promise<boolean>;
}

/** Dehydrated devices (MSC3814). */
export interface DehydrationSteps {
  /** Uploads one; returns its id and the key to wake it with. */
  create(): Promise<{ readonly deviceId: string; readonly key: Secret }>;
  /** Wakes it and takes in the keys that it was sent; returns how many. */
  rehydrate(key: Secret): Promise<number>;
}

/** What a client gets wrong in its next sync, for a scenario about just that. */
export interface ClientFault {
  /** Acknowledges what came before it has taken it in (element-meta#762). */
  readonly acknowledgesEarly?: boolean;
  /**
   * Its process dies by SIGKILL: when the answer has come (`got`), is in the engine and not on disk (`took`), or is on
   * disk and not acknowledged (`persisted`). The sync then ends by HarnessError INTERRUPTED.
   */
  readonly diesAt?: "got" | "took" | "persisted";
}

export interface ClientOptions {
  /** Identity of devices counts, both ways, unless given: what MSC4153 asks for. */
  readonly policy?: CryptoPolicy;
  /** v3 unless given. */
  readonly sync?: SyncKind;
  /** In memory unless given. On disk needs a process of its own. A store that is given is the caller's to remove. */
  readonly store?: "memory" | "durable" | ClientStore;
  /** `own`: a process of its own, which can be killed. In this process unless given, where the kind runs in it. */
  readonly process?: "own" | "shared";
  /** File of its log, see client-log.ts; it is written to its end. */
  readonly log?: string;
}

export interface CryptoClient extends AsyncDisposable {
  readonly kind: ClientKind;
  readonly sync: SyncKind;
  readonly policy: CryptoPolicy;
  readonly userId: string;
  readonly deviceId: string;
  /** Why it can not do this; undefined: it can. */
  lacks(capability: Capability): string | undefined;

  /** One sync, and all requests that it leads to. @param timeoutMs long-poll; 0 unless given */
  syncOnce(timeoutMs?: number, fault?: ClientFault): Promise<SyncReport>;
  /**
   * Syncs until it is quiet: two syncs in a row bring nothing, nothing is to be sent, and no claim of one-time keys waits
   * for its next try.
   *
   * @param deadline milliseconds from now
   * @throws HarnessError DEADLINE with what it was still waiting for
   */
  settle(options: { readonly deadline: number }): Promise<void>;
  /** Syncs by itself until the handle is disposed; an error of a sync comes out there. */
  running(): Promise<AsyncDisposable>;

  /** Makes a cross-signing identity, or a new one, and signs this device. */
  bootstrapIdentity(options?: { readonly reset?: boolean }): Promise<void>;
  /** Shares the room's key with all who are there or invited, encrypts and sends. */
  send(roomId: string, content: JsonObject, type?: string): Promise<Sent>;
  /** Shares the room's key and sends nothing. */
  share(roomId: string): Promise<void>;
  /** The next message begins a new session. */
  rotate(roomId: string): Promise<void>;
  read(roomId: string, eventId: string): Promise<ReadResult>;
  /** As `read`, of an event that the caller has got, or has made. */
  readEvent(roomId: string, event: JsonObject): Promise<ReadResult>;
  /** Encrypts one to-device event for one device by this client's policy; false: the policy keeps it from that device. */
  sendToDevice(
    userId: string,
    deviceId: string,
    type: string,
    content: JsonObject,
  ): Promise<boolean>;

  identityOf(userId: string): Promise<IdentityView>;
  /** `pin`: takes a changed identity for good. `withdraw`: no longer asks for the verification that was lost. */
  accept(userId: string, how: "pin" | "withdraw"): Promise<void>;
  /** Marks a device, on this client only. */
  trust(userId: string, deviceId: string, as: "verified" | "blacklisted" | "unset"): Promise<void>;
  /**
   * This one asks, and both do what verifies them; they sync by themselves.
   *
   * @param roomId for `sas-room`
   * @throws CheckFailure with where both sides were when it does not come to its end
   */
  verify(other: CryptoClient, via: VerifyVia, roomId?: string): Promise<void>;
  readonly verification: VerificationSteps;
  /** Asks own verified devices for secrets that are missing here; true: something is asked for. */
  requestSecrets(): Promise<boolean>;

  readonly backup: BackupSteps;
  readonly recovery: RecoverySteps;
  readonly history: HistorySteps;
  readonly dehydration: DehydrationSteps;

  /** `graceful`: closes the store. `sigkill`: the process dies at once; needs one of its own. */
  stop(mode: "graceful" | "sigkill"): Promise<void>;
  /** Starts a stopped client again, with the store that it has left. */
  start(): Promise<void>;
  /** The store as it is now; needs a durable one. */
  snapshot(): Promise<StoreSnapshot>;
  /** Stops as if killed, puts the store back to what it was, and starts again. */
  restore(snapshot: StoreSnapshot): Promise<void>;
}
