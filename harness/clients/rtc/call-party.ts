/**
 * A member of a call by our own hands: the crypto engine of Element's clients sends and reads media keys as it is told to, so
 * that it shows what a client library sends to whom, and what it takes from whom. It joins in the form that matrix-js-sdk reads.
 */
import { createHash } from "node:crypto";
import type { CryptoPolicy, Secret } from "#harness/clients/crypto/crypto-client";
import { secret } from "#harness/clients/crypto/secret";
import { LEGACY } from "#harness/clients/crypto/setup";
import { startClient } from "#harness/clients/crypto/start-client";
import type { Letter } from "#harness/clients/crypto/wasm/taken";
import { WasmClient } from "#harness/clients/crypto/wasm-client";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import { at, type JsonObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { LEGACY_MEMBER, MEMBER, STICKY_DURATION } from "./names.ts";

const STICKS_MS = 3_600_000;

/** How a media key is written: as MSC4143 has it, under its unstable name too, or as deployed clients do. */
export const KEY_FORMS = {
  text: ["m.rtc.encryption_key", "org.matrix.msc4143.rtc.encryption_key"],
  deployed: ["io.element.call.encryption_keys"],
} as const;
export type KeyForm = keyof typeof KEY_FORMS;

export interface MediaKey {
  /** Of the member whose media it is for, as the sender claims. */
  readonly memberId: string;
  readonly index: number;
  /** Base64. */
  readonly key: Secret;
}

/** A media key that has come. */
export interface KeyLetter extends MediaKey {
  readonly form: KeyForm;
  readonly outcome: Letter["outcome"];
  readonly roomId: string;
  readonly sender: string;
  /** As the sender's encryption proves. */
  readonly senderDevice: string | undefined;
  /** All that it says, but for the key. */
  readonly content: JsonObject;
  readonly atMs: number;
}

/** Who gets a letter. */
export interface Device {
  readonly userId: string;
  readonly deviceId: string;
}

export interface SendOptions {
  readonly form?: KeyForm;
  /** Device that the deployed form says it is from; its own unless given. */
  readonly claims?: string;
  readonly isEncrypted?: boolean;
}

export interface PartyOptions {
  /** Its user has a cross-signing identity, and has signed the device. So unless given. */
  readonly isSigned?: boolean;
  /** All unless given: what a library does with whom is for the library to say. */
  readonly policy?: CryptoPolicy;
}

export class CallParty implements AsyncDisposable {
  readonly session: Session;
  readonly #client: WasmClient;
  readonly #letters: KeyLetter[] = [];
  #leaves = 0;

  private constructor(session: Session, client: WasmClient) {
    this.session = session;
    this.#client = client;
    client.hear((letter) => {
      const key = keyIn(letter);
      if (key !== undefined) this.#letters.push(key);
    });
  }

  static async start(
    session: Session,
    { isSigned = true, policy = LEGACY }: PartyOptions = {},
  ): Promise<CallParty> {
    const client = await startClient("wasm", session, { policy });
    if (!(client instanceof WasmClient)) {
      throw new HarnessError("INTERNAL", { what: "the wasm client runs in another process" });
    }
    if (isSigned) await client.bootstrapIdentity();
    await client.syncOnce();
    return new CallParty(session, client);
  }

  get userId(): string {
    return this.session.userId;
  }

  get deviceId(): string {
    return this.session.deviceId;
  }

  /** One sync; then all media keys that have come so far, oldest first. */
  async keys(): Promise<readonly KeyLetter[]> {
    await this.#client.syncOnce();
    return [...this.#letters];
  }

  /** Joins, or tells again that it has, in an event that is encrypted as the room's are. Returns its id. */
  join(roomId: string, slotId: string, memberId: string, content: JsonObject = {}) {
    const [application = ""] = slotId.split("#");
    return this.#stick(roomId, this.session.context.nextName("join"), {
      slot_id: slotId,
      application: { type: application },
      member: { id: memberId, user_id: this.userId, device_id: this.deviceId },
      transports: { published: [], can_subscribe: ["livekit"] },
      versions: [],
      msc4354_sticky_key: memberId,
      ...content,
    });
  }

  /** As matrix-js-sdk leaves: with nothing in the event but what it is of. Its n-th leave is the transaction `leave-n`. */
  leave(roomId: string, slotId: string, memberId: string): Promise<string> {
    const content = { slot_id: slotId, msc4354_sticky_key: memberId };
    return this.#stick(roomId, `leave-${++this.#leaves}`, content);
  }

  /** Sends a media key to a device, in the deployed form and encrypted unless told otherwise. */
  async sendKey(
    to: Device,
    roomId: string,
    key: MediaKey,
    { form = "deployed", claims = this.deviceId, isEncrypted = true }: SendOptions = {},
  ): Promise<void> {
    const { type, content } = written(form, roomId, claims, key);
    if (!isEncrypted) {
      const transaction = this.session.context.nextName("key");
      const target = path`/_matrix/client/v3/sendToDevice/${type}/${transaction}`;
      ok(await this.session.put(target, { messages: { [to.userId]: { [to.deviceId]: content } } }));
      return;
    }
    if (await this.#client.sendToDevice(to.userId, to.deviceId, type, content)) return;
    throw new HarnessError("BAD_USAGE", {
      what: `the policy of ${this.userId} keeps a key from ${to.userId} ${to.deviceId}`,
      next: "start the party with a policy that shares with all devices",
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }

  /** Joins as deployed clients do, by state (MSC3401), which nobody encrypts. */
  joinByState(roomId: string): Promise<string> {
    const content = {
      application: "m.call",
      call_id: "",
      scope: "m.room",
      device_id: this.deviceId,
      expires: STICKS_MS,
      focus_active: { type: "livekit", focus_selection: "oldest_membership" },
      foci_preferred: [],
    };
    const key = `_${this.userId}_${this.deviceId}_m.call`;
    return this.session.setState(roomId, LEGACY_MEMBER, content, key);
  }

  async #stick(roomId: string, transaction: string, content: JsonObject): Promise<string> {
    const message = await this.#client.encrypt(roomId, content, MEMBER);
    const target = path`/_matrix/client/v3/rooms/${roomId}/send/m.room.encrypted/${transaction}`;
    const body = ok(await this.session.put(target, message, { [STICKY_DURATION]: STICKS_MS }));
    return String(body.event_id);
  }
}

/** @param deviceId that the older form claims for the sender */
function written(
  form: KeyForm,
  roomId: string,
  deviceId: string,
  { memberId, index, key }: MediaKey,
): { readonly type: string; readonly content: JsonObject } {
  if (form === "text") {
    const media_key = { index, key: key.reveal().replace(/=+$/, "") };
    return {
      type: KEY_FORMS.text[0],
      content: { room_id: roomId, member_id: memberId, media_key },
    };
  }
  return {
    type: KEY_FORMS.deployed[0],
    content: {
      room_id: roomId,
      member: { id: memberId, claimed_device_id: deviceId },
      keys: { index, key: key.reveal() },
      session: { call_id: "", application: "m.call", scope: "m.room" },
      sent_ts: Date.now(),
    },
  };
}

/** A new random key. */
export function newKey(memberId: string, index = 0, bytes = 32): MediaKey {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return { memberId, index, key: secret(Buffer.from(random).toString("base64")) };
}

/** What a key is called: the first eight hex digits of its SHA-256. */
export function digestOf(key: Secret): string {
  return createHash("sha256").update(Buffer.from(key.reveal(), "base64")).digest("hex").slice(0, 8);
}

function keyIn(letter: Letter): KeyLetter | undefined {
  const { type, sender, senderDevice, outcome, content } = letter;
  const form = (["text", "deployed"] as const).find((each) =>
    (KEY_FORMS[each] as readonly string[]).includes(type),
  );
  if (form === undefined) return undefined;
  const place = form === "text" ? "media_key" : "keys";
  const { [place]: given, ...rest } = content;
  const memberId = form === "text" ? content.member_id : at(content, "member", "id");
  return {
    form,
    outcome,
    sender,
    senderDevice,
    roomId: String(content.room_id),
    memberId: String(memberId),
    index: Number(at(given, "index")),
    key: secret(String(at(given, "key"))),
    content: rest,
    atMs: Date.now(),
  };
}
