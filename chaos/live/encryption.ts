/** Devices that encrypt: what they say in encrypted rooms, and what each of them can read when everything is quiet. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JournalWriter } from "#chaos/journal/write";
import { awakeMs } from "#harness/awake";
import type { CryptoClient, ReadResult } from "#harness/clients/crypto/crypto-client";
import { startClient } from "#harness/clients/crypto/start-client";
import { CheckFailure, describe, HarnessError } from "#harness/errors";
import { at } from "#harness/match/json";
import { type Operation, operationsOf } from "#scenarios/plan";
import type { Actor, Cast, CastRoom } from "./cast.ts";
import type { Performed } from "./perform.ts";
import type { SyncClient } from "./sync-client.ts";

type Message = Extract<Operation, { op: "message" }>;

/** Why a device can not read an event. */
export interface Verdict {
  /** Of the taxonomy in docs/utd-forensics.md. */
  readonly root: string;
  readonly why: string;
  /** Something between servers was stopped in the minute before it was sent. */
  readonly isInSplit: boolean;
  /** File in the run's folder that tells all of it. */
  readonly page?: string;
}

export interface EncryptionContext {
  readonly cast: Cast;
  readonly journal: JournalWriter;
  /** Where the devices tell what they do; nowhere unless given. */
  readonly logFolder?: string;
  /** Why it is, in the same order; undefined: nobody found out. */
  readonly explain?: (unread: readonly Unread[]) => Promise<readonly (Verdict | undefined)[]>;
}

/** An event that a device can not read. */
export interface Unread {
  readonly user: string;
  readonly device: string;
  readonly room: string;
  readonly event: string;
}

/** Signatures have a suite of their own: whoever has a key may read, from whatever device it came. */
const POLICY = { share: "all", read: "untrusted" } as const;
/** What is to be sent waits as long at most. */
const LONG_POLL_MS = 200;
const PAUSE_AFTER_FAILURE_MS = 200;
const SETTLE_MS = 30_000;
/** Keys may still be on their way when the servers have agreed on the events: those of an epoch are waited for, once. */
const KEYS_MS = 10_000;
/** A device begins a new session with every third thing that it says: each has keys that have to come. */
const MESSAGES_A_SESSION = 3;

export class Encryption implements AsyncDisposable {
  readonly #context: EncryptionContext;
  readonly #devices: readonly Device[];
  /** `device id event id` of what was read once, and stays readable, and of what was waited for in vain. */
  readonly #read = new Set<string>();
  readonly #unread = new Set<string>();

  private constructor(context: EncryptionContext, devices: readonly Device[]) {
    this.#context = context;
    this.#devices = devices;
  }

  /** Undefined: no room of the plan is encrypted. Has to be done before rooms are made. */
  static async start(context: EncryptionContext): Promise<Encryption | undefined> {
    const { cast, logFolder } = context;
    const { plan } = cast;
    if (!Object.values(plan.rooms).some(({ encrypted }) => encrypted)) return undefined;
    if (logFolder !== undefined) mkdirSync(logFolder, { recursive: true });
    const isKilled = operationsOf(plan).some(({ op }) => op === "kill-device");
    const lives = isKilled ? ({ process: "own", store: "durable" } as const) : {};
    const starting = [...cast.actors.values()].flatMap((actor) =>
      Array.from({ length: plan.devices ?? 1 }, async (_, at) => {
        const session = await actor.logIn();
        const log = logFolder && path.join(logFolder, `${actor.name}-${session.deviceId}.ndjson`);
        const options = { policy: POLICY, ...lives, ...(log === undefined ? {} : { log }) };
        return new Device(actor, at + 1, await startClient("wasm", session, options));
      }),
    );
    const started = await Promise.allSettled(starting);
    const devices = started.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
    const encryption = new Encryption(context, devices);
    const refused = started.find(({ status }) => status === "rejected");
    if (refused?.status !== "rejected") return encryption;
    await encryption[Symbol.asyncDispose]();
    throw refused.reason;
  }

  /** Begins to listen. */
  listen(): void {
    for (const device of this.#devices) device.listen();
  }

  /** What devices that encrypt do: say something in an encrypted room, and die. Undefined: it is nothing of that. */
  async perform(operation: Operation, isHopeless: boolean): Promise<Performed | undefined> {
    if (operation.op !== "message" && operation.op !== "kill-device") return undefined;
    const { cast } = this.#context;
    const began = Date.now();
    const refusal = (text: string) =>
      ({ outcome: "fail", began, events: [], message: text }) as const;
    const device = this.#devices.find(
      ({ actor, number }) => actor.name === operation.by && number === (operation.device ?? 1),
    );
    if (operation.op === "kill-device") {
      if (device === undefined) return refusal(`${operation.by} has no such device`);
      await device.kill();
      return { outcome: "ok", began, events: [] };
    }
    const room = cast.rooms.get(operation.room);
    if (room === undefined || cast.plan.rooms[operation.room]?.encrypted !== true) return undefined;
    if (device === undefined) return refusal(`${operation.by} has no such device`);
    if (isHopeless) return refusal("its server gives no answer");
    try {
      return { outcome: "ok", began, status: 200, events: [await device.say(room, operation)] };
    } catch (error) {
      // It may have been sent: what is in the room is found there.
      return { outcome: "unknown", began, events: [], message: describe(error) };
    }
  }

  /** Lets all devices come to rest, and has each read all that was said in rooms in which its user is. */
  async observe(epoch: number, syncs: readonly SyncClient[]): Promise<void> {
    const { journal } = this.#context;
    await Promise.all(
      this.#devices.map(async (device) => {
        const trouble = await device.settle();
        if (trouble !== undefined)
          journal.write({ t: "note", text: `${device.label} did not come to rest: ${trouble}` });
      }),
    );
    const said = encryptedIn(journal);
    const looks = await Promise.all(
      this.#devices.map(async (device) => {
        const view = syncs.find(({ actor }) => actor === device.actor);
        const looks: Look[] = [];
        const end = awakeMs() + KEYS_MS;
        for (const [event, room] of said) {
          if (view?.view(room) === undefined || this.#read.has(`${device.id} ${event}`)) continue;
          const look = await this.#look(device, room, event, end);
          if (look !== undefined) looks.push(look);
        }
        return looks;
      }),
    );
    for (const { trouble } of this.#devices) if (trouble !== undefined) throw trouble;
    await this.#tell(epoch, looks.flat());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#devices.map((device) => device[Symbol.asyncDispose]()));
  }

  /** Undefined: nothing new; that an event is not there is the matter of other checkers. */
  async #look(device: Device, room: string, event: string, end: number): Promise<Look | undefined> {
    const place = `${device.id} ${event}`;
    const isOld = this.#unread.has(place);
    const result = await device.read(room, event, isOld ? 0 : end);
    if (result === undefined || (isOld && !result.isReadable)) return undefined;
    (result.isReadable ? this.#read : this.#unread).add(place);
    return { actor: device.actor, device: device.id, room, event, result };
  }

  async #tell(epoch: number, looks: readonly Look[]): Promise<void> {
    const { cast, journal, explain } = this.#context;
    const unread = looks.filter(({ result }) => !result.isReadable);
    const verdicts = await explain?.(
      unread.map(({ actor: { userId: user }, device, room, event }) => ({
        user,
        device,
        room,
        event,
      })),
    );
    for (const look of looks) {
      const { actor, device, room, event, result } = look;
      journal.write({
        t: "decryption",
        epoch,
        server: cast.serverName(actor.role),
        user: actor.userId,
        device,
        room,
        event_id: event,
        isReadable: result.isReadable,
        ...(result.isReadable ? {} : { code: result.withheld ?? result.code }),
        ...verdicts?.[unread.indexOf(look)],
      });
    }
  }
}

/** What came of reading an event on a device. */
interface Look {
  readonly actor: Actor;
  readonly device: string;
  readonly room: string;
  readonly event: string;
  readonly result: ReadResult;
}

/** One device: does one thing at a time, as the requests of its engine ask for, and syncs in between. */
class Device implements AsyncDisposable {
  readonly actor: Actor;
  /** Among those of its user, from 1 on. */
  readonly number: number;
  readonly #client: CryptoClient;
  readonly #stopped = new AbortController();
  /** Of ours or of its library: nothing that a story does to it. */
  trouble: unknown;
  #said = 0;
  #isDead = false;
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
    await this.#client.stop("sigkill");
    this.#isDead = true;
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
      // It may not come up while its server is down.
      if (this.#isDead) await this.#client.start();
      this.#isDead = false;
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

/**
 * Encrypted events that any server has shown or sent, with their rooms, oldest first; without those that somebody has redacted:
 * where that holds there is nothing left to read.
 */
function encryptedIn({ records }: JournalWriter): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const redacted = new Set<string>();
  for (const record of records) {
    if (record.t !== "pdu") continue;
    const { type, room_id: room, redacts, content } = record.pdu;
    if (type === "m.room.encrypted") found.set(record.event_id, String(room));
    if (type === "m.room.redaction") redacted.add(String(redacts ?? at(content, "redacts")));
  }
  for (const event of redacted) found.delete(event);
  return found;
}
