/** The crypto engine of Element's clients (matrix-sdk-crypto as WebAssembly) over a session. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  DeviceId,
  initAsync,
  LocalTrust,
  OlmMachine,
  OtherUserIdentity,
  RoomId,
  StoreHandle,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { awakeMs } from "#harness/awake";
import { uploadSigningKeys } from "#harness/clients/identities";
import { CheckFailure, describe, HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import type { JsonObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { type Capability, LACKING, unsupported } from "./capabilities.ts";
import type {
  ClientFault,
  CryptoClient,
  CryptoPolicy,
  IdentityView,
  ReadResult,
  Sent,
  SyncKind,
  SyncReport,
  VerifyVia,
} from "./crypto-client.ts";
import { digest } from "./parcel.ts";
import { sessionPlace } from "./session-place.ts";
import type { ClientSetup } from "./setup.ts";
import type { StoreSnapshot } from "./store/client-store.ts";
import { verifyEachOther } from "./verify.ts";
import { Engine, type Outgoing } from "./wasm/engine.ts";
import { WasmDehydration, WasmHistory } from "./wasm/history.ts";
import { decrypted } from "./wasm/reading.ts";
import { WasmBackup, WasmRecovery } from "./wasm/recovery.ts";
import { encrypted, shareRoomKey } from "./wasm/room-keys.ts";
import { syncSliding, syncV3 } from "./wasm/sync.ts";
import { type Letter, letterOf } from "./wasm/taken.ts";
import { WasmVerification } from "./wasm/verification.ts";

const ASK_FOR_PROCESS = "it runs in this process; start it with `process: own` or a durable store";
/** Syncs in a row that bring nothing, after which nothing more is on its way. */
const QUIET = 2;
const LONG_POLL_MS = 500;
const PAUSE_MS = 250;

export class WasmClient implements CryptoClient {
  readonly kind = "wasm";
  readonly sync: SyncKind;
  readonly session: Session;
  readonly policy: CryptoPolicy;
  readonly verification: WasmVerification;
  readonly backup: WasmBackup;
  readonly recovery: WasmRecovery;
  readonly history: WasmHistory;
  readonly dehydration: WasmDehydration;
  readonly #engine: Engine;
  #isStopped = false;

  private constructor(engine: Engine, sync: SyncKind) {
    this.session = engine.session;
    this.policy = engine.policy;
    this.sync = sync;
    this.verification = new WasmVerification(engine);
    this.backup = new WasmBackup(engine);
    this.recovery = new WasmRecovery(engine);
    this.history = new WasmHistory(engine);
    this.dehydration = new WasmDehydration(engine);
    this.#engine = engine;
  }

  /** Its keys uploaded: others who ask from now on find the device. */
  static async start(setup: ClientSetup): Promise<WasmClient> {
    const { session, policy, sync, keeping, telling, place } = setup;
    await initAsync();
    const { userId, deviceId } = session;
    const [user, device] = [new UserId(userId), new DeviceId(deviceId)];
    const machine =
      place === undefined
        ? await OlmMachine.initialize(user, device)
        : await OlmMachine.initFromStore(
            user,
            device,
            await StoreHandle.openWithKey("crucible", Buffer.from(place.key, "base64")),
          );
    const { curve25519, ed25519 } = machine.identityKeys;
    const { since } = keeping.position;
    telling.tell("start", {
      kind: "wasm",
      store: place?.state ?? "new",
      ...(place?.snapshot === undefined ? {} : { snapshot: place.snapshot }),
      sync,
      ...policy,
      curve25519: curve25519.toBase64(),
      ed25519: ed25519.toBase64(),
      token: digest(session.accessToken),
      ...(since === undefined ? {} : { since: digest(since) }),
    });
    const engine = new Engine({ session, policy, machine, keeping, telling });
    await engine.pump();
    return new WasmClient(engine, sync);
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

  async syncOnce(timeoutMs = 0, fault: ClientFault = {}): Promise<SyncReport> {
    const sync = this.sync === "v3" ? syncV3 : syncSliding;
    return sync(this.#engine, timeoutMs, fault);
  }

  async settle({ deadline }: { readonly deadline: number }): Promise<void> {
    const { claims } = this.#engine;
    const end = awakeMs() + deadline;
    let trouble: string | undefined;
    for (let quiet = 0; quiet < QUIET || claims.users.length > 0; ) {
      const remaining = Math.floor(end - awakeMs());
      if (remaining <= 0) {
        throw new HarnessError("DEADLINE", {
          what: `${this.userId} ${this.deviceId} is not quiet after ${deadline} ms`,
          facts: [
            ...claims.devices.map((device) => `no one-time key came for ${device}`),
            ...(trouble === undefined ? [] : [trouble]),
          ],
          next: "see the wire log for what its last syncs brought",
        });
      }
      try {
        const { toDevice, changed } = await this.syncOnce(Math.min(LONG_POLL_MS, remaining));
        quiet = toDevice === 0 && changed.length === 0 ? quiet + 1 : 0;
        if (claims.users.length > 0) {
          await this.#engine.establish(claims.users);
          claims.asked();
        }
      } catch (error) {
        if (!isPassing(error)) throw error;
        trouble = describe(error);
        await this.#pause();
      }
    }
  }

  async running(): Promise<AsyncDisposable> {
    const ended = new AbortController();
    const loop = (async () => {
      while (!ended.signal.aborted) {
        try {
          await this.syncOnce(LONG_POLL_MS);
          // Others of this process have their turn even when the server answers at once.
          await sleep(0);
        } catch (error) {
          if (!isPassing(error)) throw error;
          await this.#pause();
        }
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
    const { machine, telling, keeping } = this.#engine;
    const requests = await machine.bootstrapCrossSigning(reset);
    telling.tell("bootstrap", { reset });
    await keeping.persist();
    const { uploadKeysRequest, uploadSigningKeysRequest, uploadSignaturesRequest } = requests;
    if (uploadKeysRequest !== undefined) await this.#engine.perform(uploadKeysRequest as Outgoing);
    await uploadSigningKeys(this.session, JSON.parse(uploadSigningKeysRequest.body) as JsonObject);
    await this.#engine.perform(uploadSignaturesRequest);
    // Until its own list is asked for again, the device does not know itself for signed, and says so to others.
    await machine.markAllTrackedUsersAsDirty();
    await this.#engine.pump();
  }

  share(roomId: string): Promise<void> {
    return shareRoomKey(this.#engine, roomId);
  }

  /** Shares the room's key and encrypts: the content of an `m.room.encrypted` that the caller sends. */
  async encrypt(roomId: string, content: JsonObject, type: string): Promise<JsonObject> {
    await this.share(roomId);
    return encrypted(this.#engine, roomId, type, content);
  }

  /** Tells of each to-device event from now on, once a sync has taken it in. */
  hear(hearer: (letter: Letter) => void): void {
    this.#engine.onToDevice = (event) => hearer(letterOf(event));
  }

  async send(roomId: string, content: JsonObject, type = "m.room.message"): Promise<Sent> {
    const message = await this.encrypt(roomId, content, type);
    const eventId = await this.session.send(roomId, message, "m.room.encrypted");
    const sent = { eventId, ...sessionPlace(message) };
    this.#engine.telling.sent(roomId, sent);
    return sent;
  }

  async rotate(roomId: string): Promise<void> {
    await this.#engine.machine.invalidateGroupSession(new RoomId(roomId));
    await this.#engine.keeping.persist();
  }

  async read(roomId: string, eventId: string): Promise<ReadResult> {
    return this.readEvent(roomId, await this.session.event(roomId, eventId));
  }

  async readEvent(roomId: string, event: JsonObject): Promise<ReadResult> {
    const result = await decrypted(this.#engine, roomId, event);
    this.#engine.telling.read(roomId, event, result);
    return result;
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
    await engine.establish([userId]);
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
    await this.#engine.keeping.persist();
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
    await this.#engine.keeping.persist();
  }

  async verify(other: CryptoClient, via: VerifyVia, roomId?: string): Promise<void> {
    if (via !== "local-sign") return verifyEachOther(this, other, via, roomId);
    const { userId } = other;
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
    const isAsking = await this.#engine.machine.requestMissingSecretsIfNeeded();
    await this.#engine.pump();
    return isAsking;
  }

  async stop(mode: "graceful" | "sigkill"): Promise<void> {
    if (mode === "sigkill") throw unsupported("wasm", "process", ASK_FOR_PROCESS);
    if (this.#isStopped) return;
    this.#isStopped = true;
    await this.#engine.keeping.persist();
    this.#engine.machine.close();
    this.#engine.telling.tell("stop", { how: "graceful" });
  }

  async start(): Promise<void> {
    throw unsupported("wasm", "durable-store", ASK_FOR_PROCESS);
  }

  async snapshot(): Promise<StoreSnapshot> {
    throw unsupported("wasm", "durable-store", ASK_FOR_PROCESS);
  }

  async restore(): Promise<void> {
    throw unsupported("wasm", "durable-store", ASK_FOR_PROCESS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("graceful");
  }

  #pause(): Promise<void> {
    return sleep(PAUSE_MS, undefined, { signal: this.session.context.signal });
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

/** A sync that failed so goes again, as clients do: no answer came, or one that says "later". */
function isPassing(error: unknown): boolean {
  if (error instanceof HarnessError) return error.code === "HS_NO_ANSWER";
  return error instanceof CheckFailure && /\b(429|5\d\d)\b/.test(error.actual);
}

/** The key of a cross-signing key object that is text. */
function publicKeyIn(text: string): string | undefined {
  const { keys } = JSON.parse(text) as { keys: Record<string, string> };
  return Object.values(keys)[0];
}
