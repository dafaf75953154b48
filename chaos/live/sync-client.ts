/** A device that syncs all the time by GET /sync, tells the journal what it is told, and folds it. */

import type { JournalWriter } from "#chaos/journal/write";
import { at, eventsAt, isObject, type MatrixEvent } from "#harness/match/json";
import { ASK_STATE_AFTER, stateAfter } from "#harness/match/state-after";
import type { StateIds } from "#harness/replay/record";
import type { Actor, Cast } from "./cast.ts";
import { Looping, type Polled, type PollOptions } from "./looping.ts";

const SECTIONS = ["join", "invite", "knock", "leave"] as const;
type Section = (typeof SECTIONS)[number];

const NONE: ReadonlyMap<string, number> = new Map();
const FILTER = JSON.stringify({ presence: { types: [] }, room: { timeline: { limit: 50 } } });
/** Past the time for news. */
const ANSWER_MS = 15_000;

interface Folded {
  section: Section;
  readonly state: Map<string, string>;
  /** Every event that was in a timeline, and when first, epoch milliseconds. */
  readonly shown: Map<string, number>;
}

export class SyncClient implements AsyncDisposable {
  readonly actor: Actor;
  readonly #cast: Cast;
  readonly #journal: JournalWriter;
  readonly #onNews: () => void;
  readonly #rooms = new Map<string, Folded>();
  readonly #newest = new Map<string, string>();
  /** What was told of rooms that are not in the cast yet, as of one that an upgrade makes before it is answered. */
  #early: (readonly [section: Section, id: string, room: unknown])[] = [];
  readonly #loop: Looping;
  #since: string | undefined;

  /** @param onNews called when it has been told something of a room */
  constructor(actor: Actor, cast: Cast, journal: JournalWriter, onNews: () => void) {
    this.actor = actor;
    this.#cast = cast;
    this.#journal = journal;
    this.#onNews = onNews;
    this.#loop = new Looping((options) => this.#poll(options));
  }

  /** The newest event of a room that it has been shown. */
  newest(roomId: string): string | undefined {
    return this.#newest.get(roomId);
  }

  /** What it believes to be the state; undefined: it is not joined, as far as it knows. */
  view(roomId: string): StateIds | undefined {
    const folded = this.#rooms.get(roomId);
    return folded?.section === "join" ? Object.fromEntries(folded.state) : undefined;
  }

  /** Events that it has been shown, and when first, epoch milliseconds. */
  shown(roomId: string): ReadonlyMap<string, number> {
    return this.#rooms.get(roomId)?.shown ?? NONE;
  }

  async catchUp(timeoutMs: number): Promise<void> {
    await this.#loop.catchUp(timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]();
  }

  async #poll({ waitMs, signal }: PollOptions): Promise<Polled> {
    const { status, json } = await this.actor.session.request("GET", "/_matrix/client/v3/sync", {
      query: {
        since: this.#since,
        timeout: this.#since === undefined ? 0 : waitMs,
        filter: FILTER,
        ...ASK_STATE_AFTER,
      },
      timeoutMs: waitMs + ANSWER_MS,
      signal,
    });
    const next = at(json, "next_batch");
    if (status !== 200 || typeof next !== "string") return "failed";
    this.#since = next;
    if (!this.#take(json)) return "quiet";
    this.#onNews();
    return "news";
  }

  /** True when there was something in the answer. */
  #take(body: unknown): boolean {
    const { userId, role, session } = this.actor;
    const server = this.#cast.serverName(role);
    let hasNews = false;
    const told = SECTIONS.flatMap((section) =>
      Object.entries(roomsIn(body, section)).map(([id, room]) => [section, id, room] as const),
    );
    const rooms = Map.groupBy([...this.#early, ...told], ([, id]) =>
      this.#cast.roomName(id) === undefined ? "early" : "known",
    );
    this.#early = rooms.get("early") ?? [];
    for (const [section, id, room] of rooms.get("known") ?? []) {
      hasNews = true;
      this.#takeRoom(section, id, room, server);
    }
    for (const event of eventsAt(body, "to_device", "events")) {
      const content = at(event.content, "crucible");
      if (typeof content !== "string") continue;
      hasNews = true;
      this.#journal.write({
        t: "to-device",
        server,
        user: userId,
        device: session.deviceId,
        sender: String(event.sender),
        content,
      });
    }
    const changed = textsAt(body, "device_lists", "changed");
    const left = textsAt(body, "device_lists", "left");
    if (changed.length + left.length > 0)
      this.#journal.write({ t: "device-lists", server, user: userId, changed, left });
    return hasNews;
  }

  #takeRoom(section: Section, id: string, room: unknown, server: string): void {
    const after = stateAfter(room);
    const isAfter = after !== undefined;
    const events = after ?? eventsAt(room, "state", "events");
    const timeline = eventsAt(room, "timeline", "events");
    this.#journal.write({
      t: "sync",
      server,
      user: this.actor.userId,
      room: id,
      section,
      timeline: timeline.map((event) => ({
        event_id: event.event_id,
        ...(event.state_key === undefined ? {} : { key: keyOf(event) }),
      })),
      limited: at(room, "timeline", "limited") === true,
      state: Object.fromEntries(events.map((event) => [keyOf(event), event.event_id])),
      is_state_after: isAfter,
    });
    const folded = this.#fold(section, id, isAfter ? events : [...events, ...timeline]);
    const now = Date.now();
    for (const { event_id: event } of timeline)
      if (!folded.shown.has(event)) folded.shown.set(event, now);
    const last = timeline.at(-1);
    if (last !== undefined) this.#newest.set(id, last.event_id);
  }

  #fold(section: Section, id: string, events: readonly MatrixEvent[]): Folded {
    const before = this.#rooms.get(id);
    // Who comes back is told the whole state anew; who was never out, and was only told so by a kick that lost against a
    // concurrent join, is not, and keeps what there was, as clients do.
    const isBack =
      section === "join" &&
      before?.section !== "join" &&
      events.some(({ type }) => type === "m.room.create");
    const folded =
      before === undefined || isBack
        ? {
            section,
            state: new Map<string, string>(),
            shown: before?.shown ?? new Map<string, number>(),
          }
        : before;
    folded.section = section;
    for (const event of events)
      if (event.state_key !== undefined) folded.state.set(keyOf(event), event.event_id);
    this.#rooms.set(id, folded);
    return folded;
  }
}

function roomsIn(body: unknown, section: Section): Readonly<Record<string, unknown>> {
  const rooms = at(body, "rooms", section);
  return isObject(rooms) ? rooms : {};
}

function textsAt(body: unknown, ...path: readonly string[]): readonly string[] {
  const found = at(body, ...path);
  return Array.isArray(found) ? found.filter((item) => typeof item === "string") : [];
}

function keyOf({ type, state_key: key }: MatrixEvent): string {
  return `${type}|${String(key ?? "")}`;
}
