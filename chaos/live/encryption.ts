/** Devices that encrypt: what they say in encrypted rooms, and what each of them can read when everything is quiet. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import type { JournalWriter } from "#chaos/journal/write";
import { awakeMs } from "#harness/awake";
import type { ReadResult, Secret } from "#harness/clients/crypto/crypto-client";
import { startClient } from "#harness/clients/crypto/start-client";
import { describe } from "#harness/errors";
import type { ParcelRecord } from "#harness/forensics/overlay";
import { at } from "#harness/match/json";
import { type DeviceOperation, isOfDevice, type Operation, operationsOf } from "#scenarios/plan";
import type { Actor, Cast } from "./cast.ts";
import { CryptoDevice } from "./crypto-device.ts";
import type { Performed } from "./perform.ts";
import type { SyncClient } from "./sync-client.ts";

/** Why a device can not read an event. */
export interface Verdict {
  /** Of the taxonomy in docs/utd-forensics.md. */
  readonly root: string;
  readonly why: string;
  /** Something between servers was stopped in the minute before it was sent. */
  readonly isInSplit: boolean;
  /** File in the run's folder that tells all of it. */
  readonly page?: string;
  /** The message that had its key, as far as one was made. */
  readonly parcel?: ParcelRecord;
}

export interface EncryptionContext {
  readonly cast: Cast;
  readonly journal: JournalWriter;
  /** Where the devices tell what they do; nowhere unless given. */
  readonly logFolder?: string;
  /** Why it is, in the same order; undefined: nobody found out. */
  readonly explain?: (
    unread: readonly Unread[],
    epoch: number,
  ) => Promise<readonly (Verdict | undefined)[]>;
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
/** Keys may still be on their way when the servers have agreed on the events: those of an epoch are waited for, once. */
const KEYS_MS = 10_000;

export class Encryption implements AsyncDisposable {
  readonly #context: EncryptionContext;
  readonly #devices: readonly CryptoDevice[];
  /** What opens the secret storage of a user, by the plan's name. */
  readonly #recoveryKeys = new Map<string, Secret>();
  /** `device id event id` of what was read once, and stays readable, and of what was waited for in vain. */
  readonly #read = new Set<string>();
  readonly #unread = new Set<string>();

  private constructor(context: EncryptionContext, devices: readonly CryptoDevice[]) {
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
        return new CryptoDevice(actor, at + 1, await startClient("wasm", session, options));
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

  /** What devices that encrypt do: say something in an encrypted room, or something of their own. Undefined: it is none of that. */
  async perform(operation: Operation, isHopeless: boolean): Promise<Performed | undefined> {
    if (operation.op !== "message" && !isOfDevice(operation)) return undefined;
    const { cast } = this.#context;
    const began = Date.now();
    const refusal = (text: string) =>
      ({ outcome: "fail", began, events: [], message: text }) as const;
    const device = this.#devices.find(
      ({ actor, number }) => actor.name === operation.by && number === (operation.device ?? 1),
    );
    if (isOfDevice(operation)) {
      if (device === undefined) return refusal(`${operation.by} has no such device`);
      if (operation.op === "kill-device") {
        await device.kill();
        return { outcome: "ok", began, events: [] };
      }
      if (isHopeless) return refusal("its server gives no answer");
      try {
        const refused = await this.#do(operation, device);
        return refused === undefined ? { outcome: "ok", began, events: [] } : refusal(refused);
      } catch (error) {
        // It may have come as far as the server. Trouble of ours the device keeps for itself, and it comes out later.
        return { outcome: "unknown", began, events: [], message: describe(error) };
      }
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

  /** Undefined: it is done; else why it is not. */
  async #do(
    { op, by }: Exclude<DeviceOperation, { op: "kill-device" }>,
    device: CryptoDevice,
  ): Promise<string | undefined> {
    switch (op) {
      case "reset-identity":
        // What secret storage has is of the identity before.
        this.#recoveryKeys.delete(by);
        await device.resetIdentity();
        return undefined;
      case "new-backup":
        this.#recoveryKeys.delete(by);
        this.#recoveryKeys.set(by, await device.newBackup());
        return undefined;
      case "restore-backup": {
        const key = this.#recoveryKeys.get(by);
        if (key === undefined) return `${by} has no backup, or has a new identity since`;
        const isOther = (await device.restoreBackup(key)) === undefined;
        return isOther ? "the server has another backup" : undefined;
      }
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
  async #look(
    device: CryptoDevice,
    room: string,
    event: string,
    end: number,
  ): Promise<Look | undefined> {
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
      epoch,
    );
    for (const look of looks) {
      const { actor, device, room, event, result } = look;
      const { parcel, ...verdict } = verdicts?.[unread.indexOf(look)] ?? {};
      if (parcel !== undefined) journal.write(parcel);
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
        ...verdict,
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
