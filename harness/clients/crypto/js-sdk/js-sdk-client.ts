/**
 * matrix-js-sdk, as Element Web has it: the same crypto engine as the wasm client, driven by other hands. Its own loop syncs;
 * it is stepped at its requests.
 */
import {
  MegolmDecryptionError,
  type ProcessedToDeviceEvent,
  type ToDeviceRequest,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { createClient, type MatrixClient, MatrixEvent } from "matrix-js-sdk";
import {
  AllDevicesIsolationMode,
  type CryptoApi,
  EventShieldReason,
  OnlySignedDevicesIsolationMode,
} from "matrix-js-sdk/lib/crypto-api/index.js";
import { awakeMs } from "#harness/awake";
import { HarnessError } from "#harness/errors";
import { eventsAt, type JsonObject } from "#harness/match/json";
import { type Capability, LACKING, refusing, unsupported } from "../capabilities.ts";
import type { Told } from "../client-log.ts";
import type {
  BackupSteps,
  ClientFault,
  CryptoClient,
  CryptoPolicy,
  DehydrationSteps,
  HistorySteps,
  IdentityView,
  ReadResult,
  RecoverySteps,
  Sent,
  SyncReport,
  Unreadable,
  VerificationSteps,
} from "../crypto-client.ts";
import { digest } from "../parcel.ts";
import { sessionPlace } from "../session-place.ts";
import type { ClientSetup } from "../setup.ts";
import type { StoreSnapshot } from "../store/client-store.ts";
import { unreadable } from "../wasm/reading.ts";
import { told } from "../wasm/room-keys.ts";
import { lookedAt, takenOf, toDeviceReport } from "../wasm/taken.ts";
import { Traffic, textsAt } from "./traffic.ts";
import { uploadingKeysOf } from "./upload-keys.ts";
import { COLOURS, SHIELDS, troubleOf } from "./words.ts";

const QUIET = 2;
const LONG_POLL_MS = 500;

interface Named {
  toString(): string;
}

/** What the library keeps to itself and has to be seen here. */
interface Inside {
  readonly olmMachine: {
    receiveSyncChanges(
      toDevice: string,
      ...parameters: unknown[]
    ): Promise<ProcessedToDeviceEvent[]>;
    decryptRoomEvent(event: string, ...parameters: unknown[]): Promise<unknown>;
    shareRoomKey(room: Named, users: Named[], settings: unknown): Promise<ToDeviceRequest[]>;
    readonly identityKeys: Record<"curve25519" | "ed25519", { toBase64(): string }>;
  };
}

export class JsSdkClient implements CryptoClient {
  readonly kind = "js-sdk";
  readonly sync = "v3";
  readonly policy: CryptoPolicy;
  readonly verification: VerificationSteps = refusing("js-sdk", "sas-to-device");
  readonly backup: BackupSteps = refusing("js-sdk", "backup");
  readonly recovery: RecoverySteps = refusing("js-sdk", "recovery");
  readonly history: HistorySteps = refusing("js-sdk", "history-bundles");
  readonly dehydration: DehydrationSteps = refusing("js-sdk", "dehydrated-devices");
  readonly #setup: ClientSetup;
  readonly #traffic: Traffic;
  readonly #client: MatrixClient;
  /** Why its engine could not decrypt an event, by id. */
  readonly #refusals = new Map<string, Unreadable>();
  #processed: readonly ProcessedToDeviceEvent[] = [];

  private constructor(setup: ClientSetup) {
    this.#setup = setup;
    this.#traffic = new Traffic(setup);
    this.policy = setup.policy;
    const { server, userId, deviceId, accessToken } = setup.session;
    this.#client = createClient({
      baseUrl: server.clientUrl,
      userId,
      deviceId,
      accessToken,
      fetchFn: ((input: string | URL, init?: object) => this.#traffic.fetch(input, init)) as never,
    });
  }

  static async start(setup: ClientSetup): Promise<JsSdkClient> {
    const client = new JsSdkClient(setup);
    await client.#start();
    return client;
  }

  get userId(): string {
    return this.#setup.session.userId;
  }

  get deviceId(): string {
    return this.#setup.session.deviceId;
  }

  lacks(capability: Capability): string | undefined {
    return LACKING["js-sdk"][capability];
  }

  async syncOnce(timeoutMs = 0, fault: ClientFault = {}): Promise<SyncReport> {
    if (fault.acknowledgesEarly) throw unsupported("js-sdk", "acknowledges-early");
    this.#processed = [];
    this.#traffic.diesAt = fault.diesAt;
    await this.#traffic.retried();
    await this.#traffic.gate.step(timeoutMs);
    await this.#quiet();
    const { answer } = this.#traffic;
    const events = this.#processed.map(toDeviceReport);
    return {
      toDevice: eventsAt(answer, "to_device", "events").length,
      undecryptable: events.filter(({ outcome }) => outcome === "undecryptable").length,
      events,
      changed: textsAt(answer, "device_lists", "changed"),
    };
  }

  async settle({ deadline }: { readonly deadline: number }): Promise<void> {
    const end = awakeMs() + deadline;
    for (let quiet = 0; quiet < QUIET; ) {
      if (awakeMs() >= end) {
        throw new HarnessError("DEADLINE", {
          what: `${this.userId} ${this.deviceId} is not quiet after ${deadline} ms`,
          next: "see the wire log for what its last syncs brought",
        });
      }
      const { toDevice, changed } = await this.syncOnce(LONG_POLL_MS);
      quiet = toDevice === 0 && changed.length === 0 ? quiet + 1 : 0;
    }
  }

  async running(): Promise<AsyncDisposable> {
    let hasEnded = false;
    const loop = (async () => {
      while (!hasEnded) await this.syncOnce(LONG_POLL_MS);
    })();
    loop.catch(() => undefined);
    return {
      [Symbol.asyncDispose]: async () => {
        hasEnded = true;
        await loop;
      },
    };
  }

  async bootstrapIdentity({ reset = false }: { readonly reset?: boolean } = {}): Promise<void> {
    this.#setup.telling.tell("bootstrap", { reset });
    const bootstrapped = this.#crypto.bootstrapCrossSigning({
      setupNewCrossSigning: reset,
      authUploadDeviceSigningKeys: uploadingKeysOf(this.#setup.session),
    });
    await bootstrapped.catch((error) => this.#fail(error));
    await this.#quiet();
  }

  async send(roomId: string, content: JsonObject, type = "m.room.message"): Promise<Sent> {
    const said = this.#client.sendEvent(roomId, type as never, content as never);
    const { event_id } = await said.catch((error) => this.#fail(error));
    const event = await this.#setup.session.event(roomId, event_id);
    const sent = { eventId: event_id, ...sessionPlace(event.content) };
    await this.#quiet();
    this.#setup.telling.sent(roomId, sent);
    return sent;
  }

  async share(): Promise<void> {
    throw unsupported("js-sdk", "policy", "matrix-js-sdk shares a key with its first message only");
  }

  async rotate(roomId: string): Promise<void> {
    await this.#crypto.forceDiscardSession(roomId);
  }

  async read(roomId: string, eventId: string): Promise<ReadResult> {
    return this.readEvent(roomId, await this.#setup.session.event(roomId, eventId));
  }

  async readEvent(roomId: string, event: JsonObject): Promise<ReadResult> {
    const result = await this.#readEvent(roomId, event);
    this.#setup.telling.read(roomId, event, result);
    return result;
  }

  async #readEvent(roomId: string, event: JsonObject): Promise<ReadResult> {
    const parsed = new MatrixEvent({ ...event, room_id: roomId } as never);
    await parsed.attemptDecryption(this.#crypto as never);
    if (parsed.isDecryptionFailure()) {
      // The library has fewer words than the engine inside it.
      const refused = this.#refusals.get(String(event.event_id));
      if (refused !== undefined) return refused;
      const text = parsed.decryptionFailureReason ?? "no reason";
      return { isReadable: false, code: "UnableToDecrypt", text, ...sessionPlace(event.content) };
    }
    const info = await this.#crypto.getEncryptionInfoForEvent(parsed);
    const reason = info?.shieldReason ?? undefined;
    return {
      isReadable: true,
      type: parsed.getType(),
      content: parsed.getContent(),
      shield:
        (info && {
          color: COLOURS[info.shieldColour],
          ...(reason === undefined ? {} : { code: SHIELDS[reason] ?? EventShieldReason[reason] }),
        }) ||
        undefined,
    };
  }

  async sendToDevice(): Promise<boolean> {
    throw unsupported("js-sdk", "to-device");
  }

  async identityOf(userId: string): Promise<IdentityView> {
    const crypto = this.#crypto;
    const status = await crypto.getUserVerificationStatus(userId);
    const devices = (await crypto.getUserDeviceInfo([userId])).get(userId) ?? new Map();
    const views = [...devices.keys()].map(async (deviceId: string) => {
      const device = await crypto.getDeviceVerificationStatus(userId, deviceId);
      return {
        deviceId,
        isSigned: device?.signedByOwner ?? false,
        isVerified: device?.isVerified() ?? false,
        isBlacklisted: false,
        isDehydrated: devices.get(deviceId)?.dehydrated ?? false,
      };
    });
    return {
      // The library tells of others' identities no more than these.
      masterKey: undefined,
      isVerified: status.isCrossSigningVerified(),
      wasVerified: status.wasCrossSigningVerified(),
      isInViolation: status.wasCrossSigningVerified() && !status.isCrossSigningVerified(),
      needsApproval: status.needsUserApproval,
      devices: await Promise.all(views),
    };
  }

  async accept(userId: string, how: "pin" | "withdraw"): Promise<void> {
    if (how === "pin") await this.#crypto.pinCurrentUserIdentity(userId);
    else await this.#crypto.withdrawVerificationRequirement(userId);
  }

  async trust(): Promise<void> {
    throw unsupported("js-sdk", "local-trust");
  }

  async verify(): Promise<void> {
    throw unsupported("js-sdk", "local-sign");
  }

  async requestSecrets(): Promise<boolean> {
    throw unsupported("js-sdk", "secret-gossip");
  }

  async stop(): Promise<void> {
    this.#client.stopClient();
    await this.#setup.keeping.persist();
    this.#setup.telling.tell("stop", { how: "graceful" });
  }

  async start(): Promise<void> {
    throw unsupported("js-sdk", "durable-store");
  }

  async snapshot(): Promise<StoreSnapshot> {
    throw unsupported("js-sdk", "durable-store");
  }

  async restore(): Promise<void> {
    throw unsupported("js-sdk", "durable-store");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #crypto(): CryptoApi {
    const crypto = this.#client.getCrypto();
    if (crypto === undefined) throw new HarnessError("INTERNAL", { what: "no crypto in js-sdk" });
    return crypto;
  }

  async #start(): Promise<void> {
    const { place, session, policy, telling } = this.#setup;
    await this.#client.initRustCrypto(
      place === undefined
        ? { useIndexedDB: false }
        : { storageKey: new Uint8Array(Buffer.from(place.key, "base64")) },
    );
    const isStrict = policy.share === "identity";
    this.#crypto.setDeviceIsolationMode(
      isStrict ? new OnlySignedDevicesIsolationMode() : new AllDevicesIsolationMode(false),
    );
    const { olmMachine } = this.#crypto as unknown as Inside;
    const { curve25519, ed25519 } = olmMachine.identityKeys;
    const receive = olmMachine.receiveSyncChanges.bind(olmMachine);
    olmMachine.receiveSyncChanges = async (toDevice, ...parameters) => {
      const processed = await receive(toDevice, ...parameters);
      this.#processed = [...this.#processed, ...processed];
      const events = JSON.parse(toDevice) as readonly JsonObject[];
      await this.#took(takenOf(events, processed.map(lookedAt), curve25519.toBase64()));
      return processed;
    };
    const decrypt = olmMachine.decryptRoomEvent.bind(olmMachine);
    olmMachine.decryptRoomEvent = async (text, ...parameters) => {
      const event = JSON.parse(text) as JsonObject;
      this.#refusals.delete(String(event.event_id));
      try {
        return await decrypt(text, ...parameters);
      } catch (error) {
        if (error instanceof MegolmDecryptionError)
          this.#refusals.set(String(event.event_id), unreadable(error, event));
        throw error;
      }
    };
    const share = olmMachine.shareRoomKey.bind(olmMachine);
    olmMachine.shareRoomKey = async (room, users, settings) => {
      // The engine takes over what it is given.
      const [roomId, userIds] = [room.toString(), users.map((user) => user.toString())];
      const requests = await share(room, users, settings);
      telling.shares(roomId, userIds, requests.map(told));
      return requests;
    };
    telling.tell("start", {
      kind: "js-sdk",
      store: place?.state ?? "new",
      sync: "v3",
      ...policy,
      curve25519: curve25519.toBase64(),
      ed25519: ed25519.toBase64(),
      token: digest(session.accessToken),
    });
    await this.#client.startClient({ initialSyncLimit: 1 });
    await this.syncOnce();
  }

  /** Of the last sync: in the engine, and then on disk. */
  async #took(parcels: Told<"took">["parcels"]): Promise<void> {
    const { next, diesAt } = this.#traffic;
    this.#setup.telling.tell("took", { next, parcels });
    if (diesAt === "took") process.kill(process.pid, "SIGKILL");
    await this.#setup.keeping.persist();
    if (diesAt === "persisted") process.kill(process.pid, "SIGKILL");
  }

  #fail(error: unknown): never {
    this.#traffic.markTold();
    throw troubleOf(error);
  }

  /** Until its requests have been answered, and what came of them is on disk. @throws what went wrong with one of them */
  async #quiet(): Promise<void> {
    await this.#traffic.quiet();
    await this.#setup.keeping.persist();
    this.#traffic.throwTrouble();
  }
}
