/**
 * A device whose Olm messages are made and opened by libolm: it shares no code with the library that is judged, embeds what
 * a check says, and shows what others have embedded. Its keys are in memory and go nowhere.
 */
import Olm from "@matrix-org/olm";
import { makeIdentity, uploadSigningKeys } from "#harness/clients/identities";
import { at, isObject, type MatrixEvent, objectAt, textAt } from "#harness/match/json";
import { expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { canonicalJson } from "#protocol/events/canonical-json";
import type { JsonObject } from "#protocol/events/event";
import { KEYS_UPLOAD, query, SIGNATURES_UPLOAD } from "./cross-signing.ts";
import { ALGORITHM, KEYS_CLAIM } from "./keys.ts";
import { sendTo } from "./mail.ts";

const OLM = "m.olm.v1.curve25519-aes-sha2";
const ONE_TIME_KEYS = 10;

/** Device keys as others see them. */
interface Known {
  readonly userId: string;
  readonly deviceId: string;
  readonly ed25519: string;
  readonly curve25519: string;
}

export class OlmPeer {
  readonly session: Session;
  /** As servers show them, with the signatures of the device and of its user. */
  readonly deviceKeys: JsonObject;
  readonly ed25519: string;
  readonly curve25519: string;
  readonly #account: Olm.Account;
  /** By identity key of the other, the newest last. */
  readonly #sessions = new Map<string, Olm.Session[]>();

  private constructor(session: Session, account: Olm.Account) {
    const keys = JSON.parse(account.identity_keys()) as { ed25519: string; curve25519: string };
    this.session = session;
    this.ed25519 = keys.ed25519;
    this.curve25519 = keys.curve25519;
    this.#account = account;
    const { userId, deviceId } = session;
    const bare = this.sign({
      user_id: userId,
      device_id: deviceId,
      algorithms: [OLM, "m.megolm.v1.aes-sha2"],
      keys: { [`ed25519:${deviceId}`]: keys.ed25519, [`curve25519:${deviceId}`]: keys.curve25519 },
    });
    this.#identity = makeIdentity(session);
    this.deviceKeys = this.#identity.sign(bare, "self_signing");
  }

  readonly #identity: ReturnType<typeof makeIdentity>;

  /** Publishes the device, one-time keys of it, and an identity of its user that has signed it. */
  static async start(session: Session): Promise<OlmPeer> {
    await Olm.init();
    const account = new Olm.Account();
    account.create();
    const peer = new OlmPeer(session, account);
    const { userId, deviceId } = session;
    ok(
      await session.post(KEYS_UPLOAD, {
        device_keys: peer.deviceKeys,
        one_time_keys: peer.#oneTimeKeys(),
      }),
    );
    await uploadSigningKeys(session, peer.#identity.body);
    const signed = { [userId]: { [deviceId]: peer.deviceKeys } };
    ok(await session.post(SIGNATURES_UPLOAD, signed));
    return peer;
  }

  /** A copy that the device has signed, beside signatures that are there. @param as whose signature it says to be */
  sign(object: JsonObject, as: Pick<Session, "userId" | "deviceId"> = this.session): JsonObject {
    const { signatures, unsigned: _unsigned, ...bare } = object;
    const { userId, deviceId } = as;
    const own = this.#account.sign(canonicalJson(bare, { strict: true }));
    const others = isObject(signatures) ? signatures : {};
    const of = at(signatures, userId);
    const mine = { ...(isObject(of) ? of : {}), [`ed25519:${deviceId}`]: own };
    return { ...bare, signatures: { ...others, [userId]: mine } as JsonObject };
  }

  /** What is encrypted for a device, by the book (client-server API, "m.olm.v1.curve25519-aes-sha2"). */
  async payload(to: Session, type: string, content: JsonObject): Promise<JsonObject> {
    const { userId, deviceId } = this.session;
    const { ed25519 } = await this.#know(to);
    return {
      type,
      content,
      sender: userId,
      sender_device: deviceId,
      keys: { ed25519: this.ed25519 },
      recipient: to.userId,
      recipient_keys: { ed25519 },
      sender_device_keys: this.deviceKeys,
    };
  }

  /** Encrypts for a device whatever is given, and sends it. */
  async send(to: Session, payload: JsonObject): Promise<void> {
    const { curve25519 } = await this.#know(to);
    const session = this.#sessions.get(curve25519)?.at(-1) ?? (await this.#establish(to));
    const content = {
      algorithm: OLM,
      sender_key: this.curve25519,
      ciphertext: { [curve25519]: session.encrypt(JSON.stringify(payload)) },
    };
    const messages = { [to.userId]: { [to.deviceId]: content } };
    ok(await sendTo(this.session, messages, { type: "m.room.encrypted" }));
  }

  /** What is in an Olm message for this device. */
  open({ content }: MatrixEvent): JsonObject {
    const from = textAt(content, "sender_key");
    const message = objectAt(content, "ciphertext", this.curve25519);
    const [type, body] = [Number(message.type), textAt(message, "body")];
    const known = this.#sessions.get(from) ?? [];
    const session =
      type === 0
        ? (known.find((one) => one.matches_inbound_from(from, body)) ?? this.#accept(from, body))
        : known.at(-1);
    expectThat(session !== undefined, "an Olm message of a session that is known", content);
    return JSON.parse(session?.decrypt(type, body) ?? "{}") as JsonObject;
  }

  /** What is in all Olm messages among these, which have come for this device. */
  opened(mail: readonly MatrixEvent[]): readonly JsonObject[] {
    return mail.filter(({ type }) => type === "m.room.encrypted").map((event) => this.open(event));
  }

  #oneTimeKeys(): JsonObject {
    this.#account.generate_one_time_keys(ONE_TIME_KEYS);
    const { curve25519 } = JSON.parse(this.#account.one_time_keys()) as {
      curve25519: Record<string, string>;
    };
    this.#account.mark_keys_as_published();
    const signed = Object.entries(curve25519).map(([id, key]) => [
      `${ALGORITHM}:${id}`,
      this.sign({ key }),
    ]);
    return Object.fromEntries(signed) as JsonObject;
  }

  async #know({ userId, deviceId }: Session): Promise<Known> {
    const answer = await query(this.session, { userId });
    const keys = objectAt(ok(answer), "device_keys", userId, deviceId, "keys");
    return {
      userId,
      deviceId,
      ed25519: textAt(keys, `ed25519:${deviceId}`),
      curve25519: textAt(keys, `curve25519:${deviceId}`),
    };
  }

  async #establish(to: Session): Promise<Olm.Session> {
    const { curve25519 } = await this.#know(to);
    const wanted = { [to.userId]: { [to.deviceId]: ALGORITHM } };
    const answer = ok(await this.session.post(KEYS_CLAIM, { one_time_keys: wanted }));
    const [key] = Object.values(objectAt(answer, "one_time_keys", to.userId, to.deviceId));
    const session = new Olm.Session();
    session.create_outbound(this.#account, curve25519, textAt(key, "key"));
    this.#keep(curve25519, session);
    return session;
  }

  #accept(from: string, body: string): Olm.Session {
    const session = new Olm.Session();
    session.create_inbound_from(this.#account, from, body);
    this.#account.remove_one_time_keys(session);
    this.#keep(from, session);
    return session;
  }

  #keep(curve25519: string, session: Olm.Session): void {
    this.#sessions.set(curve25519, [...(this.#sessions.get(curve25519) ?? []), session]);
  }
}

/** A megolm session of a peer, with its key at each index. */
export class PeerMegolm {
  readonly #session = new Olm.OutboundGroupSession();
  readonly #roomId: string;

  constructor(roomId: string) {
    this.#roomId = roomId;
    this.#session.create();
  }

  get sessionId(): string {
    return this.#session.session_id();
  }

  /** Content of `m.room_key`, from the next message on. */
  key(more: JsonObject = {}): JsonObject {
    return { ...this.#named(), session_key: this.#session.session_key(), ...more };
  }

  /** As it is in bundles and forwarded keys, from the next message on. @param owner whose session it is said to be */
  exported(owner: OlmPeer): JsonObject {
    const inbound = new Olm.InboundGroupSession();
    inbound.create(this.#session.session_key());
    const key = inbound.export_session(this.#session.message_index());
    inbound.free();
    return { ...this.#named(), session_key: key, sender_key: owner.curve25519 };
  }

  /** Sends the session's next event; returns its id. */
  say(by: OlmPeer, content: JsonObject): Promise<string> {
    const text = JSON.stringify({ type: "m.room.message", content, room_id: this.#roomId });
    const ciphertext = this.#session.encrypt(text);
    const { algorithm, session_id } = this.#named();
    return by.session.send(this.#roomId, { algorithm, session_id, ciphertext }, "m.room.encrypted");
  }

  #named() {
    return {
      algorithm: "m.megolm.v1.aes-sha2",
      room_id: this.#roomId,
      session_id: this.sessionId,
    };
  }
}
