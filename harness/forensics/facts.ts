/** What one exchange tells of keys, lists, rooms and parcels: the vocabulary of forensics. */

/** An exchange, as far as a fact needs it. */
export interface Moment {
  /** Order of arrival over all sources. */
  readonly n: number;
  /** Id of the exchange in its trace. */
  readonly id: string;
  /** Epoch milliseconds of the request's arrival, and of the end of its answer. */
  readonly at: number;
  readonly end: number;
  readonly from: string;
  readonly to: string;
  /** Digest of the access token. */
  readonly client: string | undefined;
  readonly status: number | undefined;
  readonly rules: readonly string[];
  /**
   * Whether the server has answered this request, whatever became of the answer; undefined: not known, as when the client
   * gave up.
   */
  readonly isServed: boolean | undefined;
  /** The sender has its whole answer. */
  readonly isAnswered: boolean;
  readonly error: string | undefined;
}

/** A message to one device. */
export interface Addressed {
  readonly user: string;
  /** `*`: all of them. */
  readonly device: string;
  readonly type: string;
  /** Digests of its Olm ciphertexts. */
  readonly parcels: readonly string[];
  readonly withheld?: Withheld;
}

export interface Withheld {
  readonly room: string | undefined;
  readonly session: string | undefined;
  readonly code: string;
}

/** What came of a parcel, as one place saw it. */
export interface SeenParcel {
  readonly id: string;
  readonly sender: string;
  readonly isPreKey: boolean;
  /** Public half of the key that it was made for, when it opens a session. */
  readonly oneTimeKey: string | undefined;
  /** Curve25519 key of the device that it is for. */
  readonly curve25519: string;
}

/** A pair is told where rules made a difference: what the ends saw, and what the server did. */
export interface ToDevicePut extends Moment {
  readonly kind: "to-device";
  readonly type: string;
  readonly txn: string;
  readonly sent: readonly Addressed[];
  /** Undefined: it has nothing. */
  readonly got: readonly Addressed[] | undefined;
  readonly parcels: readonly SeenParcel[];
}

export interface SyncAnswer extends Moment {
  readonly kind: "sync";
  /** Of the to-device stream, where it is not the same as that of the rest. */
  readonly since: string | undefined;
  readonly next: string | undefined;
  /** What the client got; empty when the answer did not come whole. */
  readonly parcels: readonly SeenParcel[];
  readonly withheld: readonly (Withheld & { readonly sender: string })[];
  readonly changed: readonly string[];
  /** What the server had in it. */
  readonly said: { readonly parcels: readonly string[]; readonly changed: readonly string[] };
  /** The trace has not the whole text: nothing can be said of what is not in it. */
  readonly isCut: boolean;
}

export interface UploadedKey {
  /** Public half, unpadded base64. */
  readonly key: string;
  readonly id: string;
}

export interface KeyUpload extends Moment {
  readonly kind: "upload";
  /** Undefined: keys alone, without the device's own. */
  readonly device: KnownDevice | undefined;
  readonly oneTimeKeys: readonly UploadedKey[];
  readonly fallbackKeys: readonly UploadedKey[];
}

export interface KnownDevice {
  readonly user: string;
  readonly device: string;
  readonly curve25519: string | undefined;
  /** `user|key id` of each signature. */
  readonly signatures: readonly string[];
}

export interface DeviceLists {
  readonly devices: readonly KnownDevice[];
  /** Key ids of self-signing keys, by user. */
  readonly selfSigning: ReadonlyMap<string, string>;
  readonly failures: readonly string[];
}

export interface KeyQuery extends Moment {
  readonly kind: "query";
  readonly asked: readonly string[];
  /** Undefined: no answer came. */
  readonly answer: DeviceLists | undefined;
  readonly said: DeviceLists | undefined;
}

export interface ClaimedKey extends UploadedKey {
  readonly user: string;
  readonly device: string;
}

export interface KeyClaim extends Moment {
  readonly kind: "claim";
  readonly asked: readonly { readonly user: string; readonly device: string }[];
  readonly answer: readonly ClaimedKey[] | undefined;
  readonly said: readonly ClaimedKey[] | undefined;
  readonly failures: readonly string[];
}

export interface SignatureUpload extends Moment {
  readonly kind: "signatures";
  /** Devices and the signatures that they get; `got`: as the server has it, undefined when it has nothing. */
  readonly sent: readonly KnownDevice[];
  readonly got: readonly KnownDevice[] | undefined;
}

export interface Transaction extends Moment {
  readonly kind: "transaction";
  readonly origin: string | undefined;
  readonly txn: string;
  readonly toDevice: readonly {
    readonly messageId: string;
    readonly sender: string;
    readonly addressed: readonly Addressed[];
  }[];
  readonly updates: readonly {
    readonly user: string;
    readonly device: string;
    readonly streamId: number | undefined;
    readonly previous: readonly number[];
    readonly isDeleted: boolean;
    readonly signatures: readonly string[];
  }[];
  readonly isCut: boolean;
}

export interface Membership extends Moment {
  readonly kind: "membership";
  readonly room: string;
  readonly user: string | undefined;
  readonly membership: string;
  /** Server that knows of it by this exchange, as the trace calls it. */
  readonly server: string;
  /** When it came into force at the latest; clocks of servers are taken at their word. */
  readonly since: number;
}

export interface MemberList extends Moment {
  readonly kind: "members";
  readonly room: string;
  /** Joined and invited. */
  readonly users: readonly string[];
}

export interface EventSeen extends Moment {
  readonly kind: "event";
  readonly how: "sent" | "shown";
  readonly event: string;
  readonly room: string;
  /** Undefined: whoever sent it with this token. */
  readonly sender: string | undefined;
  readonly session: string;
  readonly index: number | undefined;
  /** Digest of its ciphertext as the client has it, and as the server has. */
  readonly ciphertext: string;
  readonly said: string;
  readonly ts: number | undefined;
}

export interface BackupExchange extends Moment {
  readonly kind: "backup";
  readonly how: "stored" | "fetched";
  readonly sessions: readonly { readonly room: string; readonly session: string }[];
}

/** Tells whose token it is, in records that are not scrubbed of it. */
export interface Login extends Moment {
  readonly kind: "login";
  readonly user: string;
  readonly device: string;
  readonly token: string | undefined;
}

export type Fact =
  | ToDevicePut
  | SyncAnswer
  | KeyUpload
  | KeyQuery
  | KeyClaim
  | SignatureUpload
  | Transaction
  | Membership
  | MemberList
  | EventSeen
  | BackupExchange
  | Login;
