/** Waits until all servers agree, and tells how long that took and how much of it was our own looking. */
import { differingKeys } from "#chaos/checkers/quiet-room";
import { OTHER_EXTREMITIES } from "#chaos/journal/record";
import type { JournalWriter } from "#chaos/journal/write";
import type { Unanswered } from "#harness/gateway/forward";
import type { Cast } from "./cast.ts";
import type { Eyes, Sample, Sampled } from "./eyes.ts";
import { sampleAll } from "./sampling.ts";
import { isUnequal, looksOf, quietRooms, type Told, toldSoFar } from "./told.ts";
import type { Traffic } from "./traffic.ts";

/** An event that a server has yet to show. */
export interface Wanted {
  /** By the plan's name. */
  readonly room: string;
  readonly event: string;
  /** Role of the server that made it. */
  readonly from: string;
  /** Roles of the servers that it has to be sent to, as the sender sees it. */
  readonly receivers: readonly string[];
}

export interface Agreement {
  /** Epoch milliseconds; null: never. */
  readonly agreedAt: number | null;
  readonly limitMs: number;
  readonly detectionMs: number | undefined;
  /** What was still missing, one line each. */
  readonly missing: readonly string[];
  /** The last samples, by room name. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
}

export interface ConvergeContext {
  readonly cast: Cast;
  readonly eyes: Eyes;
  readonly traffic: Traffic;
  readonly journal: JournalWriter;
  readonly roles: readonly string[];
  readonly signal: AbortSignal;
  /** Requests of servers that have not been answered yet. */
  readonly unanswered: () => readonly Unanswered[];
  /** One more message of each of these servers in this room. */
  readonly nudge: (room: string, roles: readonly string[]) => Promise<readonly Wanted[]>;
}

const LIMITS_MS = { nudged: 30_000, silent: 90_000 };
/** Looked at again after this time when nothing has come anywhere. */
const PAUSE_MS = 40;
/** Looked at after this time even when nudges are still on their way. */
const PATIENCE_MS = 1_000;
/** The same when all nudges have come, and clients have been shown different things, which may stay so for good. */
const SHORT_PATIENCE_MS = 250;
/**
 * When servers say one thing more, after the first nudge. What is said while a server waits to try again after a failure is
 * not sent before it has more to say, or much later.
 */
const NUDGES_AT_MS = [600, 1_200, 2_400, 5_000, 10_000, 20_000];
/** What was swallowed before the heal is sent again after the sender's time-out (5 s, `client_timeout`). */
const SWALLOWED_MS = 8_000;
/** Nothing changes any more, although servers differ. */
const SETTLED_AFTER_MS = 3_500;

/**
 * Waits for all servers to show the nudges, then for equal states and extremities in two looks. What clients had been told by
 * /sync before a look is a look as well, where servers then answer the same.
 *
 * @param nudges events that every server with a joined user has to show
 * @param since when the wait began, epoch milliseconds
 * @param before the last samples before that
 */
export async function agree(
  context: ConvergeContext,
  nudges: readonly Wanted[],
  mode: keyof typeof LIMITS_MS,
  since: number,
  before: ReadonlyMap<string, readonly Sampled[]>,
): Promise<Agreement> {
  return await new Waiting(context, nudges, mode, since, answered(before)).run();
}

class Waiting {
  readonly #context: ConvergeContext;
  readonly #nudges: Wanted[];
  readonly #limitMs: number;
  readonly #since: number;
  readonly #nudgesAt: number[];
  /** When it was last known that servers did not agree. */
  #lastDifference = 0;
  /** Whether servers answered the same when looked at last. */
  #isEqual = false;
  #samples: Agreement["samples"];
  /** What went wrong with a nudge. */
  #trouble: unknown;

  constructor(
    context: ConvergeContext,
    nudges: readonly Wanted[],
    mode: keyof typeof LIMITS_MS,
    since: number,
    samples: Agreement["samples"],
  ) {
    this.#context = context;
    this.#samples = samples;
    this.#nudges = [...nudges];
    this.#nudgesAt = mode === "nudged" ? [...NUDGES_AT_MS] : [];
    this.#limitMs = LIMITS_MS[mode];
    this.#since = since;
  }

  async run(): Promise<Agreement> {
    const { traffic, signal } = this.#context;
    let unchangedSince = Date.now();
    let before = "";
    let looks: Told = new Map();
    let quiet: ReadonlyMap<string, readonly Sampled[]> = new Map();
    for (let lookedAt = 0; ; ) {
      signal.throwIfAborted();
      if (this.#trouble !== undefined) throw this.#trouble;
      const began = Date.now();
      const stuck = this.#stuck();
      if (stuck.size > 0 && began - this.#since > (this.#nudgesAt[0] ?? Number.POSITIVE_INFINITY)) {
        this.#nudgesAt.shift();
        // A server may take its time to answer, while all are looked at.
        this.#nudgeAgain(stuck).catch((error: unknown) => {
          this.#trouble = error;
        });
      }
      const told = toldSoFar(this.#context, this.#samples);
      // Servers are left in peace as long as what is told without asking shows that they differ.
      if (began - lookedAt < this.#patience(stuck.size > 0, isUnequal(told))) {
        await traffic.next(PAUSE_MS);
        continue;
      }
      lookedAt = began;
      const sampled = await this.#look(quiet);
      const missing = this.#differences(sampled);
      const samples = answered(sampled);
      this.#samples = samples;
      const now = fingerprint(samples);
      this.#isEqual = missing.length === 0;
      if (!this.#isEqual) this.#lastDifference = began;
      quiet = missing.length > 0 ? new Map() : quietRooms(sampled, [told, looks]);
      looks = looksOf(samples);
      if (quiet.size === sampled.size) {
        const ended = Date.now();
        const difference = Math.max(this.#lastDifference, this.#lastNews(samples));
        return this.#done(samples, ended, Math.round(ended - difference), []);
      }
      if (now !== before) unchangedSince = began;
      before = now;
      const isLate = Date.now() - this.#since > this.#limitMs;
      // What a server has got may lie behind a request that a fault has swallowed, until it gives that up.
      const unanswered = this.#context.unanswered();
      const quietSince = Math.max(unchangedSince, traffic.lastArrival);
      const isSettled =
        unanswered.length === 0 &&
        Date.now() - quietSince > SETTLED_AFTER_MS &&
        !this.#isMoreToCome(stuck, samples);
      if (missing.length > 0 && isLate) this.#tell(unanswered);
      if (missing.length > 0 && (isLate || isSettled))
        return this.#done(samples, null, undefined, missing);
      if (missing.length > 0) await traffic.next(PAUSE_MS);
    }
  }

  /** How long after a look the next one is due. */
  #patience(isStuck: boolean, isUnequal: boolean): number {
    if (isStuck) return PATIENCE_MS;
    return isUnequal && !this.#isEqual ? SHORT_PATIENCE_MS : 0;
  }

  /** At all rooms, but those that have been seen to be quiet. */
  async #look(
    quiet: ReadonlyMap<string, readonly Sampled[]>,
  ): Promise<ReadonlyMap<string, readonly Sampled[]>> {
    const rooms = [...this.#context.cast.rooms].filter(([name]) => !quiet.has(name));
    return new Map([...quiet, ...(await sampleAll(this.#context, rooms))]);
  }

  /**
   * When the last of what all have now came to the last server that had it not, by what the gateway saw, and was shown there:
   * before that they had not agreed, for anybody to see.
   */
  #lastNews(samples: Agreement["samples"]): number {
    const { cast, traffic } = this.#context;
    let last = this.#since;
    for (const all of samples.values()) {
      for (const { role, shown } of all) {
        const server = cast.serverName(role);
        for (const [event, shownAt] of shown)
          last = Math.max(last, shownAt, traffic.delivery(server, event) ?? 0);
      }
    }
    return last;
  }

  /** Servers whose nudges have not come everywhere where they should, by room. */
  #stuck(): ReadonlyMap<string, ReadonlySet<string>> {
    const { cast, traffic } = this.#context;
    const stuck = new Map<string, Set<string>>();
    // Of each server and room the last one tells.
    const last = new Map(this.#nudges.map((nudge) => [`${nudge.room} ${nudge.from}`, nudge]));
    for (const { room, from, event, receivers } of last.values()) {
      // It sends to whom it takes for part of the room now, whoever that was when it spoke.
      const sender = this.#samples.get(room)?.find(({ role }) => role === from);
      const own = cast.serverName(from);
      const due =
        sender === undefined
          ? receivers.map((to) => cast.serverName(to))
          : [...sender.participants].filter((to) => to !== own && cast.roleOf(to) !== undefined);
      if (due.every((to) => traffic.arrival(to, event) !== undefined)) continue;
      const roles = stuck.get(room) ?? new Set();
      roles.add(from);
      stuck.set(room, roles);
    }
    return stuck;
  }

  async #nudgeAgain(stuck: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    const more = [...stuck].map(([room, roles]) => this.#context.nudge(room, [...roles]));
    this.#nudges.push(...(await Promise.all(more)).flat());
  }

  #tell(unanswered: readonly Unanswered[]): void {
    for (const { from, to, method, path, since } of unanswered) {
      const seconds = Math.round((Date.now() - since) / 1000);
      const text = `${from} has had no answer of ${to} for ${seconds} s: ${method} ${path}`;
      this.#context.journal.write({ t: "note", text });
    }
  }

  #done(
    samples: Agreement["samples"],
    agreedAt: number | null,
    detectionMs: number | undefined,
    missing: readonly string[],
  ): Agreement {
    return { agreedAt, limitMs: this.#limitMs, detectionMs, missing, samples };
  }

  /** What keeps the servers from being one, a line each. */
  #differences(sampled: ReadonlyMap<string, readonly Sampled[]>): readonly string[] {
    const { cast, traffic } = this.#context;
    const lines: string[] = [];
    for (const [name, all] of sampled) {
      for (const [at, one] of all.entries())
        if (one === "silent") lines.push(`${name}: ${this.#context.roles[at]} gives no answer`);
      const samples = all.filter((one) => typeof one === "object");
      const [first, ...others] = samples;
      if (first === undefined) continue;
      for (const other of others) {
        const keys = differingKeys(first.state, other.state);
        const who = `${name}: ${first.role} and ${other.role}`;
        if (keys.length > 0) lines.push(`${who} differ in ${keys.slice(0, 5).join(", ")}`);
        else if (String(first.extremities) !== String(other.extremities))
          lines.push(`${who} ${OTHER_EXTREMITIES}`);
      }
      for (const { room, event, from } of this.#nudges) {
        // Who is no longer in the room says nothing that others have to show.
        if (room !== name || !samples.some(({ role }) => role === from)) continue;
        for (const sample of samples)
          if (!sample.shown.has(event) && !traffic.isRefused(cast.serverName(sample.role), event))
            lines.push(`${name}: ${sample.role} does not show ${event} of ${from}`);
      }
    }
    return lines;
  }

  /** With every nudge a server was told what it lacks; without one it may hear of it much later. */
  #isMoreToCome(stuck: ReadonlyMap<string, unknown>, samples: Agreement["samples"]): boolean {
    if (this.#nudges.length === 0) return this.#isOnItsWay(samples);
    const isEarly = Date.now() - this.#since < SWALLOWED_MS;
    return stuck.size > 0 || (isEarly && this.#isOnItsWay(samples));
  }

  /** True while a server may still get what another one has. */
  #isOnItsWay(samples: Agreement["samples"]): boolean {
    const { cast, traffic } = this.#context;
    for (const all of samples.values()) {
      for (const from of all) {
        // What it made itself and takes for the newest.
        const own = [...from.extremities, ...this.#nudges.map(({ event }) => event)].filter(
          (event) => from.shown.has(event),
        );
        for (const to of all) {
          const server = cast.serverName(to.role);
          if (!from.participants.has(server)) continue;
          for (const event of own) {
            if (to.shown.has(event)) continue;
            if (!traffic.isRefused(server, event)) return true;
          }
        }
      }
    }
    return false;
  }
}

function answered(sampled: ReadonlyMap<string, readonly Sampled[]>): Agreement["samples"] {
  return new Map(
    [...sampled].map(([name, all]) => [name, all.filter((one) => typeof one === "object")]),
  );
}

function fingerprint(samples: Agreement["samples"]): string {
  return JSON.stringify(
    [...samples].map(([name, all]) => [
      name,
      all.map(({ role, state, extremities }) => [role, state, extremities]),
    ]),
  );
}
