/**
 * matrix-js-sdk, as Element Web has it: the same crypto engine as the wasm client, driven by other hands. Its own loop syncs;
 * it is stepped at its requests.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessedToDeviceEvent } from "@matrix-org/matrix-sdk-crypto-wasm";
import { createClient, type MatrixClient, MatrixEvent } from "matrix-js-sdk";
import {
  AllDevicesIsolationMode,
  type CryptoApi,
  DecryptionFailureCode,
  EventShieldColour,
  EventShieldReason,
  OnlySignedDevicesIsolationMode,
} from "matrix-js-sdk/lib/crypto-api/index.js";
import { fetch } from "undici";
import { awakeMs } from "#harness/awake";
import { confirm } from "#harness/clients/confirmation";
import { HarnessError } from "#harness/errors";
import { at, eventsAt, type JsonObject } from "#harness/match/json";
import { type Capability, LACKING, refusing, unsupported } from "../capabilities.ts";
import type {
  BackupSteps,
  CryptoClient,
  CryptoPolicy,
  DehydrationSteps,
  HistorySteps,
  IdentityView,
  ReadResult,
  RecoverySteps,
  Sent,
  SyncReport,
  VerificationSteps,
} from "../crypto-client.ts";
import { digest } from "../parcel.ts";
import { sessionPlace } from "../session-place.ts";
import type { ClientSetup } from "../setup.ts";
import type { StoreSnapshot } from "../store/client-store.ts";
import { toDeviceReport } from "../wasm/sync.ts";
import { SyncGate } from "./sync-gate.ts";

const QUIET = 2;
const LONG_POLL_MS = 500;
const TICK_MS = 10;
/** Ticks without a request under way, after which none follows. */
const QUIET_TICKS = 5;

/** What the library keeps to itself and has to be seen here. */
interface Inside {
  readonly olmMachine: {
    receiveSyncChanges(...parameters: unknown[]): Promise<ProcessedToDeviceEvent[]>;
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
  readonly #gate = new SyncGate();
  readonly #client: MatrixClient;
  #underWay = 0;
  #answer: JsonObject = {};
  #processed: readonly ProcessedToDeviceEvent[] = [];

  private constructor(setup: ClientSetup) {
    this.#setup = setup;
    this.policy = setup.policy;
    const { server, userId, deviceId, accessToken } = setup.session;
    this.#client = createClient({
      baseUrl: server.clientUrl,
      userId,
      deviceId,
      accessToken,
      fetchFn: ((input: string | URL, init?: object) => this.#fetch(input, init)) as never,
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

  async syncOnce(timeoutMs = 0): Promise<SyncReport> {
    this.#processed = [];
    await this.#gate.step(timeoutMs);
    await this.#quiet();
    await this.#setup.keeping.persist();
    const events = this.#processed.map(toDeviceReport);
    const changed = at(this.#answer, "device_lists", "changed");
    return {
      toDevice: eventsAt(this.#answer, "to_device", "events").length,
      undecryptable: events.filter(({ outcome }) => outcome === "undecryptable").length,
      events,
      changed: Array.isArray(changed) ? changed : [],
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
    await this.#crypto.bootstrapCrossSigning({
      setupNewCrossSigning: reset,
      authUploadDeviceSigningKeys: async (makeRequest) => {
        try {
          await makeRequest(null);
        } catch (error) {
          const { data } = error as { data?: unknown };
          if (typeof at(data, "session") !== "string") throw error;
          await makeRequest((await confirm(this.#setup.session, { json: data })) as never);
        }
      },
    });
    await this.#quiet();
    await this.#setup.keeping.persist();
  }

  async send(roomId: string, content: JsonObject, type = "m.room.message"): Promise<Sent> {
    const { event_id } = await this.#client.sendEvent(roomId, type as never, content as never);
    const event = await this.#setup.session.event(roomId, event_id);
    const sent = { eventId: event_id, ...sessionPlace(event.content) };
    await this.#quiet();
    await this.#setup.keeping.persist();
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
      const reason = parsed.decryptionFailureReason ?? DecryptionFailureCode.UNKNOWN_ERROR;
      return {
        isReadable: false,
        code: CODES[reason] ?? "UnableToDecrypt",
        text: reason,
        ...(reason === DecryptionFailureCode.MEGOLM_KEY_WITHHELD_FOR_UNVERIFIED_DEVICE
          ? { withheld: "m.unverified" }
          : {}),
        ...sessionPlace(event.content),
      };
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
    const receive = olmMachine.receiveSyncChanges.bind(olmMachine);
    olmMachine.receiveSyncChanges = async (...parameters) => {
      const processed = await receive(...parameters);
      this.#processed = [...this.#processed, ...processed];
      return processed;
    };
    const { curve25519, ed25519 } = olmMachine.identityKeys;
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

  async #fetch(input: string | URL, init: object = {}): Promise<Response> {
    const url = new URL(input);
    const isSync = url.pathname.endsWith("/sync");
    if (isSync) url.searchParams.set("timeout", String(await this.#gate.enter()));
    this.#underWay++;
    try {
      // What others are about to see is on disk before.
      await this.#setup.keeping.persist();
      const headers = {
        ...(init as { headers?: object }).headers,
        "x-crucible-check": this.#setup.session.context.check,
      };
      const response = await fetch(url, { ...init, headers });
      const text = await response.text();
      if (isSync && response.ok) this.#answer = JSON.parse(text) as JsonObject;
      const { status } = response;
      return new Response(text, { status, headers: [...response.headers] });
    } finally {
      this.#underWay--;
    }
  }

  /** Its requests follow syncs by themselves: until none has been under way for a while. */
  async #quiet(): Promise<void> {
    for (let ticks = 0; ticks < QUIET_TICKS; ) {
      await sleep(TICK_MS);
      ticks = this.#underWay === 0 ? ticks + 1 : 0;
    }
  }
}

/** The library's words in those of the engine inside it. */
const CODES: Readonly<Record<string, string>> = {
  MEGOLM_UNKNOWN_INBOUND_SESSION_ID: "MissingRoomKey",
  MEGOLM_KEY_WITHHELD: "MissingRoomKey",
  MEGOLM_KEY_WITHHELD_FOR_UNVERIFIED_DEVICE: "MissingRoomKey",
  OLM_UNKNOWN_MESSAGE_INDEX: "UnknownMessageIndex",
  HISTORICAL_MESSAGE_NO_KEY_BACKUP: "MissingRoomKey",
  HISTORICAL_MESSAGE_BACKUP_UNCONFIGURED: "MissingRoomKey",
  HISTORICAL_MESSAGE_WORKING_BACKUP: "MissingRoomKey",
  HISTORICAL_MESSAGE_USER_NOT_JOINED: "MissingRoomKey",
  SENDER_IDENTITY_PREVIOUSLY_VERIFIED: "SenderIdentityVerificationViolation",
  UNSIGNED_SENDER_DEVICE: "UnsignedSenderDevice",
  UNKNOWN_SENDER_DEVICE: "UnknownSenderDevice",
};
const COLOURS = {
  [EventShieldColour.NONE]: "none",
  [EventShieldColour.GREY]: "grey",
  [EventShieldColour.RED]: "red",
} as const;
const SHIELDS: Partial<Record<EventShieldReason, string>> = {
  [EventShieldReason.UNVERIFIED_IDENTITY]: "UnverifiedIdentity",
  [EventShieldReason.UNSIGNED_DEVICE]: "UnsignedDevice",
  [EventShieldReason.UNKNOWN_DEVICE]: "UnknownDevice",
  [EventShieldReason.AUTHENTICITY_NOT_GUARANTEED]: "AuthenticityNotGuaranteed",
  [EventShieldReason.VERIFICATION_VIOLATION]: "VerificationViolation",
  [EventShieldReason.MISMATCHED_SENDER]: "MismatchedSender",
};
