/**
 * The crypto engine of Element's clients (matrix-sdk-crypto as WebAssembly) over a session: stepped, so that nothing is sent
 * and nothing is received unless it is told to.
 */
import {
  CollectStrategy,
  DecryptionErrorCode,
  DecryptionSettings,
  DeviceId,
  DeviceLists,
  EncryptionSettings,
  initAsync,
  type KeysBackupRequest,
  type KeysClaimRequest,
  type KeysQueryRequest,
  type KeysUploadRequest,
  MegolmDecryptionError,
  OlmMachine,
  ProcessedToDeviceEventType,
  RequestType,
  RoomId,
  type RoomMessageRequest,
  type SignatureUploadRequest,
  type ToDeviceRequest,
  TrustRequirement,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { uploadSigningKeys } from "#harness/clients/identities";
import { HarnessError } from "#harness/errors";
import { type HttpResponse, path } from "#harness/http/client";
import { at, eventsAt, isObject, type JsonObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import { type Session, stateBefore, timeline } from "#harness/world/session";
import type { CryptoClient, CryptoPolicy, ReadResult, Sent, SyncReport } from "./crypto-client.ts";
import { sessionPlace } from "./session-place.ts";

type Outgoing =
  | KeysUploadRequest
  | KeysQueryRequest
  | KeysClaimRequest
  | ToDeviceRequest
  | SignatureUploadRequest
  | RoomMessageRequest
  | KeysBackupRequest;

const CLIENT = "/_matrix/client/v3";
/** A machine whose requests succeed needs two or three rounds. */
const MOST_ROUNDS = 10;
const DEFAULT_POLICY: CryptoPolicy = { share: "identity", read: "cross-signed" };

export class WasmClient implements CryptoClient {
  readonly kind = "wasm";
  readonly session: Session;
  readonly policy: CryptoPolicy;
  readonly #machine: OlmMachine;
  #since: string | undefined;

  private constructor(session: Session, policy: CryptoPolicy, machine: OlmMachine) {
    this.session = session;
    this.policy = policy;
    this.#machine = machine;
  }

  /** With an empty store in memory, its keys uploaded: others who ask from now on find the device. */
  static async start(session: Session, policy: CryptoPolicy = DEFAULT_POLICY): Promise<WasmClient> {
    await initAsync();
    const { userId, deviceId } = session;
    const machine = await OlmMachine.initialize(new UserId(userId), new DeviceId(deviceId));
    const client = new WasmClient(session, policy, machine);
    await client.#pump();
    return client;
  }

  get userId(): string {
    return this.session.userId;
  }

  get deviceId(): string {
    return this.session.deviceId;
  }

  async syncOnce(timeoutMs = 0): Promise<SyncReport> {
    const filter = { room: { timeline: { limit: 1 } }, presence: { limit: 0 } };
    const body = await this.session.sync({ since: this.#since, timeoutMs, filter });
    const toDevice = eventsAt(body, "to_device", "events");
    const [changed, left] = [usersAt(body, "changed"), usersAt(body, "left")];
    const counts = at(body, "device_one_time_keys_count");
    const unused = at(body, "device_unused_fallback_key_types");
    const processed = await this.#machine.receiveSyncChanges(
      JSON.stringify(toDevice),
      new DeviceLists(usersOf(changed), usersOf(left)),
      new Map(isObject(counts) ? Object.entries(counts as Record<string, number>) : []),
      Array.isArray(unused) ? new Set(unused as string[]) : undefined,
      this.#decryption(),
    );
    // Only what was taken in may be acknowledged: the next sync has the server forget it.
    this.#since = body.next_batch;
    for (const roomId of roomsWithNewMembers(body)) await this.#track(await this.#members(roomId));
    await this.#pump();
    const undecryptable = processed.filter(
      ({ type }) => type === ProcessedToDeviceEventType.UnableToDecrypt,
    ).length;
    return { toDevice: toDevice.length, undecryptable, changed };
  }

  async bootstrapIdentity({ reset = false }: { readonly reset?: boolean } = {}): Promise<void> {
    const requests = await this.#machine.bootstrapCrossSigning(reset);
    const { uploadKeysRequest, uploadSigningKeysRequest, uploadSignaturesRequest } = requests;
    if (uploadKeysRequest !== undefined) await this.#perform(uploadKeysRequest as Outgoing);
    await uploadSigningKeys(this.session, JSON.parse(uploadSigningKeysRequest.body) as JsonObject);
    await this.#perform(uploadSignaturesRequest);
    // Until its own list is asked for again, the device does not know itself for signed, and says so to others.
    await this.#machine.markAllTrackedUsersAsDirty();
    await this.#pump();
  }

  async send(roomId: string, content: JsonObject, type = "m.room.message"): Promise<Sent> {
    const members = await this.#members(roomId);
    await this.#track(members);
    await this.#pump();
    const claim = await this.#machine.getMissingSessions(usersOf(members));
    if (claim) await this.#perform(claim);
    using settings = new EncryptionSettings();
    settings.sharingStrategy = {
      all: () => CollectStrategy.allDevices(),
      identity: () => CollectStrategy.identityBasedStrategy(),
      trusted: () => CollectStrategy.onlyTrustedDevices(),
    }[this.policy.share]();
    const shares = await this.#machine.shareRoomKey(new RoomId(roomId), usersOf(members), settings);
    for (const share of shares) await this.#perform(share);
    const text = await this.#machine.encryptRoomEvent(
      new RoomId(roomId),
      type,
      JSON.stringify(content),
    );
    const encrypted = JSON.parse(text) as JsonObject;
    const eventId = await this.session.send(roomId, encrypted, "m.room.encrypted");
    return { eventId, ...sessionPlace(encrypted) };
  }

  async read(roomId: string, eventId: string): Promise<ReadResult> {
    const event = await this.session.event(roomId, eventId);
    using settings = this.#decryption();
    try {
      using decrypted = await this.#machine.decryptRoomEvent(
        JSON.stringify(event),
        new RoomId(roomId),
        settings,
      );
      const { type, content } = JSON.parse(decrypted.event) as JsonObject;
      return { isReadable: true, type: String(type), content: content as JsonObject };
    } catch (error) {
      if (!(error instanceof MegolmDecryptionError)) throw error;
      const { code, description, withheldCode } = error;
      return {
        isReadable: false,
        code: DecryptionErrorCode[code] ?? String(code),
        text: description,
        ...(withheldCode === undefined ? {} : { withheld: withheldCode }),
        ...sessionPlace(event.content),
      };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#machine.close();
  }

  #decryption(): DecryptionSettings {
    const { read } = this.policy;
    return new DecryptionSettings(
      {
        untrusted: TrustRequirement.Untrusted,
        legacy: TrustRequirement.CrossSignedOrLegacy,
        "cross-signed": TrustRequirement.CrossSigned,
      }[read],
    );
  }

  /** Sends what the machine wants sent, until it wants nothing more. */
  async #pump(): Promise<void> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const requests = await this.#machine.outgoingRequests();
      if (requests.length === 0) return;
      for (const request of requests) await this.#perform(request);
    }
    throw new HarnessError("INTERNAL", {
      what: `the crypto engine of ${this.userId} still wants requests sent after ${MOST_ROUNDS} rounds`,
      facts: (await this.#machine.outgoingRequests()).map(({ type }) => RequestType[type] ?? ""),
      next: "see the wire log: the server may take requests and forget them",
    });
  }

  async #perform(request: Outgoing): Promise<void> {
    const response = await this.#exchange(request);
    ok(response);
    await this.#machine.markRequestAsSent(request.id ?? "", request.type, response.text);
  }

  #exchange(request: Outgoing): Promise<HttpResponse> {
    const body = JSON.parse(request.body) as JsonObject;
    const { session } = this;
    switch (request.type) {
      case RequestType.KeysUpload:
        return session.post(`${CLIENT}/keys/upload`, body);
      case RequestType.KeysQuery:
        return session.post(`${CLIENT}/keys/query`, body);
      case RequestType.KeysClaim:
        return session.post(`${CLIENT}/keys/claim`, body);
      case RequestType.SignatureUpload:
        return session.post(`${CLIENT}/keys/signatures/upload`, body);
      case RequestType.ToDevice: {
        const { event_type, txn_id } = request as ToDeviceRequest;
        return session.put(path`/_matrix/client/v3/sendToDevice/${event_type}/${txn_id}`, body);
      }
      case RequestType.RoomMessage: {
        const { room_id, event_type, txn_id } = request as RoomMessageRequest;
        const target = path`/_matrix/client/v3/rooms/${room_id}/send/${event_type}/${txn_id}`;
        return session.put(target, body);
      }
      case RequestType.KeysBackup: {
        const { version } = request as KeysBackupRequest;
        return session.put(`${CLIENT}/room_keys/keys`, body, { version });
      }
    }
  }

  /** Their devices are asked for, now and whenever they change: without that no sender's device is known to be signed. */
  async #track(users: readonly string[]): Promise<void> {
    await this.#machine.updateTrackedUsers(usersOf(users));
  }

  /** Who is in the room or invited: those who may read what is said now. */
  async #members(roomId: string): Promise<readonly string[]> {
    const response = await this.session.get(path`/_matrix/client/v3/rooms/${roomId}/members`);
    return eventsAt(ok(response), "chunk")
      .filter(({ content }) => content.membership === "join" || content.membership === "invite")
      .flatMap(({ state_key }) => (typeof state_key === "string" ? [state_key] : []));
  }
}

/** Joined rooms of a sync in which a membership has changed; all of them the first time. */
function roomsWithNewMembers(body: JsonObject): readonly string[] {
  const joined = at(body, "rooms", "join");
  return Object.keys(isObject(joined) ? joined : {}).filter((roomId) =>
    [...timeline(body, roomId), ...stateBefore(body, roomId)].some(
      ({ type }) => type === "m.room.member",
    ),
  );
}

function usersAt(body: JsonObject, field: "changed" | "left"): readonly string[] {
  const users = at(body, "device_lists", field);
  return Array.isArray(users) ? users.filter((user) => typeof user === "string") : [];
}

/** New ones for each call: the engine takes them over, as it does settings. */
function usersOf(ids: readonly string[]): UserId[] {
  return ids.map((id) => new UserId(id));
}
