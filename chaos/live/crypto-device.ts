/** One device of a user of a chaos run, with a client that encrypts. */
import { setTimeout as sleep } from "node:timers/promises";
import { awakeMs } from "#harness/awake";
import type { CryptoClient, ReadResult, Secret } from "#harness/clients/crypto/crypto-client";
import { CheckFailure, describe, HarnessError } from "#harness/errors";
import type { Operation } from "#scenarios/plan";
import type { Actor, CastRoom } from "./cast.ts";

type Message = Extract<Operation, { op: "message" }>;

/** What is to be sent waits as long at most. */
const LONG_POLL_MS = 200;
const PAUSE_AFTER_FAILURE_MS = 200;
const SETTLE_MS = 30_000;
/** It begins a new session with every second thing that it says: each has keys that have to come. */
const MESSAGES_A_SESSION = 2;

/** Does one thing at a time, as the requests of its engine ask for, and syncs in between. */
export class CryptoDevice implements AsyncDisposable {
  readonly actor: Actor;
  /** Among those of its user, from 1 on. */
  readonly number: number;
  readonly #client: CryptoClient;
  readonly #stopped = new AbortController();
  /** Of ours or of its library: nothing that a story does to it. */
  trouble: unknown;
  #said = 0;
  /** Its process is dying, or dead. */
  #death: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #listening: Promise<void> | undefined;

  constructor(actor: Actor, number: number, client: CryptoClient) {
    this.actor = actor;
    this.number = number;
    this.#client = client;
  }

  get id(): string {
    return this.#client.deviceId;
  }

  get label(): string {
    return `device ${this.number} of ${this.actor.name}`;
  }

  listen(): void {
    const { signal } = this.#stopped;
    this.#listening ??= (async () => {
      while (!signal.aborted) {
        const hasHeard = await this.#alone(() => this.#client.syncOnce(LONG_POLL_MS)).then(
          () => true,
          // Its server may be down: it is asked again.
          () => false,
        );
        await sleep(hasHeard ? 0 : PAUSE_AFTER_FAILURE_MS);
      }
    })();
  }

  async say({ id }: CastRoom, { text, id: operation }: Message): Promise<string> {
    return await this.#alone(async () => {
      if (++this.#said % MESSAGES_A_SESSION === 0) await this.#client.rotate(id);
      const content = { msgtype: "m.text", body: text ?? operation };
      return (await this.#client.send(id, content)).eventId;
    });
  }

  /** At once, whatever it does; it comes back with what its store has, as soon as it is to do something. */
  async kill(): Promise<void> {
    this.#death = this.#client.stop("sigkill");
    await this.#death;
  }

  async resetIdentity(): Promise<void> {
    await this.#alone(() => this.#client.bootstrapIdentity({ reset: true }));
  }

  /** All that it has goes into a new version of the backup; returns what opens secret storage, where the backup's key is. */
  async newBackup(): Promise<Secret> {
    const { backup, recovery } = this.#client;
    return await this.#alone(async () => {
      // Whatever its user's other devices have changed: keys of an identity that is no more are of no use to anybody.
      await this.#client.syncOnce();
      await backup.create();
      await backup.upload();
      return await recovery.create();
    });
  }

  /** Returns how many room keys came; undefined: the server has another backup than the one whose key is stored. */
  async restoreBackup(key: Secret): Promise<number | undefined> {
    const { backup, recovery } = this.#client;
    return await this.#alone(async () => {
      await this.#client.syncOnce();
      await recovery.use(key);
      return (await backup.version()) === undefined ? undefined : await backup.restore();
    });
  }

  /** Undefined: it has; else why it has not. */
  async settle(): Promise<string | undefined> {
    return await this.#alone(() => this.#client.settle({ deadline: SETTLE_MS })).then(
      () => undefined,
      describe,
    );
  }

  /** Undefined: the server does not give it the event. @param end until when its key is waited for, by `awakeMs` */
  async read(room: string, event: string, end: number): Promise<ReadResult | undefined> {
    for (;;) {
      const result = await this.#alone(() => this.#client.read(room, event)).catch(() => undefined);
      if (result === undefined || result.isReadable || awakeMs() > end) return result;
      await this.#alone(() => this.#client.syncOnce(LONG_POLL_MS)).catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#listening;
    await this.#client[Symbol.asyncDispose]();
  }

  async #alone<T>(act: () => Promise<T>): Promise<T> {
    const alive = async () => {
      if (this.#death !== undefined) {
        await this.#death;
        // It may not come up while its server is down.
        await this.#client.start();
        this.#death = undefined;
      }
      return await act();
    };
    const turn = this.#turn.then(alive, alive);
    this.#turn = turn.catch((error: unknown) => {
      if (!isOfStory(error)) this.trouble ??= error;
    });
    return await turn;
  }
}

/** A server refused something, gave no answer or not in time, or the device was killed meanwhile. */
function isOfStory(error: unknown): boolean {
  if (error instanceof CheckFailure) return true;
  const codes: readonly string[] = ["HS_NO_ANSWER", "DEADLINE", "INTERRUPTED"];
  return error instanceof HarnessError && codes.includes(error.code);
}
