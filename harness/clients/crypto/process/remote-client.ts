/** A client in a process of its own, of any kind: it can be killed, and it comes back with the store that it has left. */
import path from "node:path";
import { approveReset } from "#harness/clients/confirmation";
import { HarnessError } from "#harness/errors";
import type { JsonObject } from "#harness/match/json";
import type { Session } from "#harness/world/session";
import { type Capability, type ClientKind, LACKING, unsupported } from "../capabilities.ts";
import { ClientLog } from "../client-log.ts";
import type {
  BackupSteps,
  ClientFault,
  ClientOptions,
  CryptoClient,
  CryptoPolicy,
  DehydrationSteps,
  HistorySteps,
  IdentityView,
  ReadResult,
  RecoverySteps,
  Sent,
  SyncKind,
  SyncReport,
  VerificationSteps,
  VerifyVia,
} from "../crypto-client.ts";
import { STRICT, type StorePlace } from "../setup.ts";
import { ClientStore, type StoreSnapshot } from "../store/client-store.ts";
import { verifyEachOther } from "../verify.ts";
import { handed, type Launch } from "./launch.ts";
import { LineProcess } from "./line-process.ts";

/** How the process of a kind is started. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

const STOP_GRACE_MS = 5_000;

export class RemoteClient implements CryptoClient {
  readonly kind: ClientKind;
  readonly sync: SyncKind;
  readonly policy: CryptoPolicy;
  readonly verification: VerificationSteps;
  readonly backup: BackupSteps;
  readonly recovery: RecoverySteps;
  readonly history: HistorySteps;
  readonly dehydration: DehydrationSteps;
  readonly #session: Session;
  readonly #command: Command;
  readonly #store: ClientStore | undefined;
  readonly #ownsStore: boolean;
  readonly #log: string | undefined;
  #held: Disposable | undefined;
  #process: LineProcess | undefined;

  private constructor(
    kind: ClientKind,
    session: Session,
    options: ClientOptions,
    command: Command,
  ) {
    const { policy = STRICT, sync = "v3", store, log } = options;
    this.kind = kind;
    this.sync = sync;
    this.policy = policy;
    this.#session = session;
    this.#command = command;
    this.#ownsStore = store === "durable";
    this.#store =
      store === "durable" ? ClientStore.create() : store === "memory" ? undefined : store;
    this.#log = log === undefined ? undefined : path.resolve(log);
    this.verification = this.#steps("verification");
    this.backup = this.#steps("backup");
    this.recovery = this.#steps("recovery");
    this.history = this.#steps("history");
    this.dehydration = this.#steps("dehydration");
  }

  static async start(
    kind: ClientKind,
    session: Session,
    options: ClientOptions,
    command: Command,
  ): Promise<RemoteClient> {
    const client = new RemoteClient(kind, session, options, command);
    try {
      await client.#launch(options.store === "durable" ? "new" : "kept");
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
    return client;
  }

  get userId(): string {
    return this.#session.userId;
  }

  get deviceId(): string {
    return this.#session.deviceId;
  }

  lacks(capability: Capability): string | undefined {
    if (capability === "durable-store" && this.#store === undefined)
      return "its store is in memory";
    return LACKING[this.kind][capability];
  }

  syncOnce(timeoutMs = 0, fault: ClientFault = {}): Promise<SyncReport> {
    const isFaulty = fault.acknowledgesEarly === true || fault.diesAt !== undefined;
    return this.#ask("syncOnce", timeoutMs, ...(isFaulty ? [fault] : []));
  }

  settle(options: { readonly deadline: number }): Promise<void> {
    return this.#ask("settle", options);
  }

  async running(): Promise<AsyncDisposable> {
    const run = await this.#ask<number>("run");
    const process = this.#process;
    return {
      [Symbol.asyncDispose]: async () => {
        // It ended with its process.
        if (this.#process === process) await this.#ask("endRun", run);
      },
    };
  }

  async bootstrapIdentity(options: { readonly reset?: boolean } = {}): Promise<void> {
    // Its process reaches nobody who could say yes there.
    if (options.reset === true) await approveReset(this.#session);
    await this.#ask("bootstrapIdentity", options);
  }

  send(roomId: string, content: JsonObject, type = "m.room.message"): Promise<Sent> {
    return this.#ask("send", roomId, content, type);
  }

  share(roomId: string): Promise<void> {
    return this.#ask("share", roomId);
  }

  rotate(roomId: string): Promise<void> {
    return this.#ask("rotate", roomId);
  }

  read(roomId: string, eventId: string): Promise<ReadResult> {
    return this.#ask("read", roomId, eventId);
  }

  readEvent(roomId: string, event: JsonObject): Promise<ReadResult> {
    return this.#ask("readEvent", roomId, event);
  }

  sendToDevice(
    userId: string,
    deviceId: string,
    type: string,
    content: JsonObject,
  ): Promise<boolean> {
    return this.#ask("sendToDevice", userId, deviceId, type, content);
  }

  identityOf(userId: string): Promise<IdentityView> {
    return this.#ask("identityOf", userId);
  }

  accept(userId: string, how: "pin" | "withdraw"): Promise<void> {
    return this.#ask("accept", userId, how);
  }

  trust(userId: string, deviceId: string, as: "verified" | "blacklisted" | "unset"): Promise<void> {
    return this.#ask("trust", userId, deviceId, as);
  }

  async verify(other: CryptoClient, via: VerifyVia, roomId?: string): Promise<void> {
    if (via !== "local-sign") return verifyEachOther(this, other, via, roomId);
    const { userId, deviceId } = other;
    await this.#ask("verify", { userId, deviceId }, via);
  }

  requestSecrets(): Promise<boolean> {
    return this.#ask("requestSecrets");
  }

  async stop(mode: "graceful" | "sigkill"): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    if (mode === "sigkill") await process.kill();
    else {
      await process.ask("stop", "graceful").catch(() => undefined);
      await process.end(STOP_GRACE_MS);
    }
    this.#process = undefined;
    this.#held?.[Symbol.dispose]();
    if (mode === "sigkill") this.#tell()?.tell("stop", { how: "kill" });
  }

  async start(): Promise<void> {
    await this.stop("graceful");
    await this.#launch("kept");
  }

  async snapshot(): Promise<StoreSnapshot> {
    const snapshot = this.#durable.snapshot();
    this.#tell()?.tell("snapshot", { name: snapshot.name });
    return snapshot;
  }

  async restore(snapshot: StoreSnapshot): Promise<void> {
    const store = this.#durable;
    await this.stop("sigkill");
    store.restore(snapshot);
    await this.#launch("restored", snapshot.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("graceful");
    if (this.#ownsStore) this.#store?.[Symbol.dispose]();
  }

  get #durable(): ClientStore {
    if (this.#store !== undefined) return this.#store;
    throw unsupported(this.kind, "durable-store", "its store is in memory; ask for a durable one");
  }

  async #launch(state: StorePlace["state"], snapshot?: string): Promise<void> {
    const who = `${this.userId} ${this.deviceId} (${this.kind})`;
    this.#held = this.#store?.hold(who);
    const { command, args } = this.#command;
    this.#process = new LineProcess(who, command, args, { yields: true });
    const store = this.#store;
    const launch: Launch = {
      ...handed(this.#session),
      policy: this.policy,
      sync: this.sync,
      ...(store && {
        place: {
          folder: store.folder,
          key: store.key,
          state: state === "kept" && store.isEmpty ? "new" : state,
          ...(snapshot && { snapshot }),
        },
      }),
      ...(this.#log && { log: this.#log }),
    };
    await this.#ask("launch", launch);
  }

  async #ask<Result>(method: string, ...parameters: readonly unknown[]): Promise<Result> {
    if (this.#process === undefined) {
      throw new HarnessError("BAD_USAGE", {
        what: `${this.userId} ${this.deviceId} is stopped and can not ${method}`,
        next: "start it first",
      });
    }
    return (await this.#process.ask(method, ...parameters)) as Result;
  }

  #steps<Steps extends object>(name: string): Steps {
    return new Proxy({} as Steps, {
      get: (_, step) =>
        typeof step === "string" && step !== "then"
          ? (...parameters: readonly unknown[]) => this.#ask(`${name}.${step}`, ...parameters)
          : undefined,
    });
  }

  #tell(): ClientLog | undefined {
    if (this.#log === undefined) return undefined;
    return new ClientLog(this.#log, { user: this.userId, device: this.deviceId });
  }
}
