/** The crypto engine of Element's clients (matrix-sdk-crypto as WebAssembly) over a session. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  DecryptionErrorCode,
  DeviceId,
  EncryptionSettings,
  initAsync,
  LocalTrust,
  MegolmDecryptionError,
  OlmMachine,
  OtherUserIdentity,
  RoomId,
  ShieldColor,
  ShieldStateCode,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { awakeMs } from "#harness/awake";
import { uploadSigningKeys } from "#harness/clients/identities";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import type { JsonObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { type Capability, LACKING, refusing, unsupported } from "./capabilities.ts";
import type {
  BackupSteps,
  ClientOptions,
  CryptoClient,
  CryptoPolicy,
  DehydrationSteps,
  HistorySteps,
  IdentityView,
  ReadResult,
  RecoverySteps,
  Sent,
  StoreSnapshot,
  SyncReport,
  VerificationSteps,
  VerifyVia,
} from "./crypto-client.ts";
import { sessionPlace } from "./session-place.ts";
import { Engine, type Outgoing, usersOf } from "./wasm/engine.ts";
import { syncV3 } from "./wasm/sync.ts";

const STRICT: CryptoPolicy = { share: "identity", read: "cross-signed" };
/** Syncs in a row that bring nothing, after which nothing more is on its way. */
const QUIET = 2;
const LONG_POLL_MS = 500;

export class WasmClient implements CryptoClient {
  readonly kind = "wasm";
  readonly sync = "v3";
  readonly link = undefined;
  readonly session: Session;
  readonly policy: CryptoPolicy;
  readonly verification: VerificationSteps = refusing("wasm", "sas-to-device");
  readonly backup: BackupSteps = refusing("wasm", "backup");
  readonly recovery: RecoverySteps = refusing("wasm", "recovery");
  readonly history: HistorySteps = refusing("wasm", "history-bundles");
  readonly dehydration: DehydrationSteps = refusing("wasm", "dehydrated-devices");
  readonly #engine: Engine;
  #since: string | undefined;

  private constructor(engine: Engine) {
    this.session = engine.session;
    this.policy = engine.policy;
    this.#engine = engine;
  }

  /** With an empty store in memory, its keys uploaded: others who ask from now on find the device. */
  static async start(session: Session, options: ClientOptions = {}): Promise<WasmClient> {
    const { policy = STRICT, sync, store, process } = options;
    if (sync === "sliding") throw unsupported("wasm", "sliding-sync");
    if (store === "durable") throw unsupported("wasm", "durable-store");
    if (process === "own") throw unsupported("wasm", "process");
    await initAsync();
    const { userId, deviceId } = session;
    const machine = await OlmMachine.initialize(new UserId(userId), new DeviceId(deviceId));
    const engine = new Engine(session, policy, machine);
    await engine.pump();
    return new WasmClient(engine);
  }

  get userId(): string {
    return this.session.userId;
  }

  get deviceId(): string {
    return this.session.deviceId;
  }

  lacks(capability: Capability): string | undefined {
    return LACKING.wasm[capability];
  }

  async syncOnce(timeoutMs = 0): Promise<SyncReport> {
    const { report, next } = await syncV3(this.#engine, this.#since, timeoutMs);
    this.#since = next;
    await this.#engine.pump();
    return report;
  }

  async settle({ deadline }: { readonly deadline: number }): Promise<void> {
    const end = awakeMs() + deadline;
    for (let quiet = 0; quiet < QUIET; ) {
      const remaining = Math.floor(end - awakeMs());
      if (remaining <= 0) {
        throw new HarnessError("DEADLINE", {
          what: `${this.userId} ${this.deviceId} is not quiet after ${deadline} ms`,
          next: "see the wire log for what its last syncs brought",
        });
      }
      const { toDevice, changed } = await this.syncOnce(Math.min(LONG_POLL_MS, remaining));
      quiet = toDevice === 0 && changed.length === 0 ? quiet + 1 : 0;
    }
  }

  async running(): Promise<AsyncDisposable> {
    const ended = new AbortController();
    const loop = (async () => {
      while (!ended.signal.aborted) {
        await this.syncOnce(LONG_POLL_MS);
        // Others of this process have their turn even when the server answers at once.
        await sleep(0);
      }
    })();
    loop.catch(() => undefined);
    return {
      [Symbol.asyncDispose]: async () => {
        ended.abort();
        await loop;
      },
    };
  }

  async bootstrapIdentity({ reset = false }: { readonly reset?: boolean } = {}): Promise<void> {
    const { machine } = this.#engine;
    const requests = await machine.bootstrapCrossSigning(reset);
    const { uploadKeysRequest, uploadSigningKeysRequest, uploadSignaturesRequest } = requests;
    if (uploadKeysRequest !== undefined) await this.#engine.perform(uploadKeysRequest as Outgoing);
    await uploadSigningKeys(this.session, JSON.parse(uploadSigningKeysRequest.body) as JsonObject);
    await this.#engine.perform(uploadSignaturesRequest);
    // Until its own list is asked for again, the device does not know itself for signed, and says so to others.
    await machine.markAllTrackedUsersAsDirty();
    await this.#engine.pump();
  }

  async share(roomId: string): Promise<void> {
    const { machine } = this.#engine;
    const members = await this.#engine.members(roomId);
    await this.#engine.track(members);
    await this.#engine.pump();
    const claim = await machine.getMissingSessions(usersOf(members));
    if (claim) await this.#engine.perform(claim);
    using settings = new EncryptionSettings();
    settings.sharingStrategy = this.#engine.sharing();
    const shares = await machine.shareRoomKey(new RoomId(roomId), usersOf(members), settings);
    for (const share of shares) await this.#engine.perform(share);
  }

  async send(roomId: string, content: JsonObject, type = "m.room.message"): Promise<Sent> {
    await this.share(roomId);
    const { machine } = this.#engine;
    const text = await machine.encryptRoomEvent(new RoomId(roomId), type, JSON.stringify(content));
    const encrypted = JSON.parse(text) as JsonObject;
    const eventId = await this.session.send(roomId, encrypted, "m.room.encrypted");
    return { eventId, ...sessionPlace(encrypted) };
  }

  async rotate(roomId: string): Promise<void> {
    await this.#engine.machine.invalidateGroupSession(new RoomId(roomId));
  }

  async read(roomId: string, eventId: string): Promise<ReadResult> {
    return this.readEvent(roomId, await this.session.event(roomId, eventId));
  }

  async readEvent(roomId: string, event: JsonObject): Promise<ReadResult> {
    using settings = this.#engine.decryption();
    try {
      using decrypted = await this.#engine.machine.decryptRoomEvent(
        JSON.stringify(event),
        new RoomId(roomId),
        settings,
      );
      const { type, content } = JSON.parse(decrypted.event) as JsonObject;
      // The lax one, which Element's clients show.
      const { color, code } = decrypted.shieldState(false);
      const forwarder = decrypted.forwarder?.toString();
      return {
        isReadable: true,
        type: String(type),
        content: content as JsonObject,
        shield: {
          color: ({ Red: "red", Grey: "grey", None: "none" } as const)[
            ShieldColor[color] as keyof typeof ShieldColor
          ],
          ...(code === undefined ? {} : { code: ShieldStateCode[code] ?? String(code) }),
        },
        ...(forwarder === undefined ? {} : { forwarder }),
      };
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

  async sendToDevice(
    userId: string,
    deviceId: string,
    type: string,
    content: JsonObject,
  ): Promise<boolean> {
    const engine = this.#engine;
    await engine.track([userId]);
    await engine.pump();
    const claim = await engine.machine.getMissingSessions(usersOf([userId]));
    if (claim) await engine.perform(claim);
    const device = await this.#device(userId, deviceId);
    let encrypted: string;
    try {
      encrypted = await device.encryptToDeviceEvent(type, content, engine.sharing());
    } catch (error) {
      if (/withheld|not verified|unverified|sign/i.test(String(error))) return false;
      throw error;
    }
    const transaction = this.session.context.nextName("txn");
    ok(
      await this.session.put(
        path`/_matrix/client/v3/sendToDevice/m.room.encrypted/${transaction}`,
        { messages: { [userId]: { [deviceId]: JSON.parse(encrypted) as JsonObject } } },
      ),
    );
    return true;
  }

  async identityOf(userId: string): Promise<IdentityView> {
    const { machine } = this.#engine;
    const identity = await machine.getIdentity(new UserId(userId));
    const devices = (await machine.getUserDevices(new UserId(userId))).devices();
    const key = identity === undefined ? undefined : publicKeyIn(identity.masterKey);
    return {
      masterKey: key,
      isVerified: identity?.isVerified() ?? false,
      wasVerified: identity?.wasPreviouslyVerified() ?? false,
      isInViolation: identity?.hasVerificationViolation() ?? false,
      needsApproval: identity instanceof OtherUserIdentity && identity.identityNeedsUserApproval(),
      devices: devices.map((device) => ({
        deviceId: device.deviceId.toString(),
        isSigned: device.isCrossSignedByOwner(),
        isVerified: device.isVerified(),
        isBlacklisted: device.isBlacklisted(),
        isDehydrated: device.isDehydrated,
      })),
    };
  }

  async accept(userId: string, how: "pin" | "withdraw"): Promise<void> {
    const identity = await this.#engine.machine.getIdentity(new UserId(userId));
    if (how === "withdraw") await identity?.withdrawVerification();
    else if (identity instanceof OtherUserIdentity) await identity.pinCurrentMasterKey();
  }

  async trust(
    userId: string,
    deviceId: string,
    as: "verified" | "blacklisted" | "unset",
  ): Promise<void> {
    const device = await this.#device(userId, deviceId);
    const trust = {
      verified: LocalTrust.Verified,
      blacklisted: LocalTrust.BlackListed,
      unset: LocalTrust.Unset,
    };
    await device.setLocalTrust(trust[as]);
  }

  async verify({ userId }: CryptoClient, via: VerifyVia): Promise<void> {
    if (via !== "local-sign") throw unsupported("wasm", via);
    const identity = await this.#engine.machine.getIdentity(new UserId(userId));
    if (identity === undefined) {
      throw new HarnessError("BAD_USAGE", {
        what: `${this.userId} knows no identity of ${userId}`,
        next: "have that user bootstrap one, and let this client sync",
      });
    }
    await this.#engine.perform(await identity.verify());
    await this.#engine.pump();
  }

  async requestSecrets(): Promise<boolean> {
    throw unsupported("wasm", "secret-gossip");
  }

  async stop(mode: "graceful" | "sigkill"): Promise<void> {
    if (mode === "sigkill") throw unsupported("wasm", "process");
    this.#engine.machine.close();
  }

  async start(): Promise<void> {
    throw unsupported("wasm", "durable-store");
  }

  async snapshot(): Promise<StoreSnapshot> {
    throw unsupported("wasm", "durable-store");
  }

  async restore(_snapshot: StoreSnapshot): Promise<void> {
    throw unsupported("wasm", "durable-store");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("graceful");
  }

  async #device(userId: string, deviceId: string) {
    const device = await this.#engine.machine.getDevice(new UserId(userId), new DeviceId(deviceId));
    if (device !== undefined) return device;
    throw new HarnessError("BAD_USAGE", {
      what: `${this.userId} ${this.deviceId} knows no device ${deviceId} of ${userId}`,
      next: "let it sync, or share a room with that user first",
    });
  }
}

/** The key of a cross-signing key object that is text. */
function publicKeyIn(text: string): string | undefined {
  const { keys } = JSON.parse(text) as { keys: Record<string, string> };
  return Object.values(keys)[0];
}
