/** Tells the journal which events came where: from exchanges between servers as they end, and from what users are shown. */

import type { JournalWriter } from "#chaos/journal/write";
import type { Exchange } from "#harness/gateway/exchange";
import type { StateIds, Via } from "#harness/replay/record";
import { deviceUpdatesIn, eventsIn, type Sighting } from "#harness/replay/traffic";
import { domainOf } from "#protocol/auth/auth-event";
import type { JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { roomVersion } from "#protocol/rooms/room-version";
import type { Cast } from "./cast.ts";

/** What came to a server and is not shown after this time was refused by it. */
const REFUSED_AFTER_MS = 1_500;

export class Traffic {
  readonly #cast: Cast;
  readonly #journal: JournalWriter;
  /** Events that an event cites as the previous ones, by its id. */
  readonly #previous = new Map<string, readonly string[]>();
  /** When an event came to a server first, by server name and event id. */
  readonly #arrivals = new Map<string, number>();
  /** The same, of those that were seen to come over a link. */
  readonly #deliveries = new Map<string, number>();
  /** When a server came into a room by another one for the last time, by server name and room id. */
  readonly #entries = new Map<string, number>();
  /** State that it was told then, by server name and event id. */
  readonly #entryState = new Set<string>();
  /** Ids of events that were sent over a link and have not come, by `from>to` in server names. */
  readonly #onTheirWay = new Map<string, Set<string>>();
  /** When the last event came to a server, epoch milliseconds. */
  lastArrival = 0;
  /** Called when an event has come to a server. */
  readonly #listeners = new Set<() => void>();

  constructor(cast: Cast, journal: JournalWriter) {
    this.#cast = cast;
    this.#journal = journal;
  }

  /** When an event came to a server; undefined: nothing says that it has. */
  arrival(server: string, event: string): number | undefined {
    return this.#arrivals.get(`${server} ${event}`);
  }

  /** Of an event that clients of the server are not shown: whether it came so long ago that they never will be. */
  isRefused(server: string, event: string): boolean {
    const arrival = this.arrival(server, event);
    return arrival !== undefined && Date.now() - arrival > REFUSED_AFTER_MS;
  }

  /** When an event came to a server over a link; undefined: it was not seen to. */
  delivery(server: string, event: string): number | undefined {
    return this.#deliveries.get(`${server} ${event}`);
  }

  /** How many events are on their way over each link, by `from>to` in server names; links without any are left out. */
  lags(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#onTheirWay].flatMap(([link, { size }]) => (size > 0 ? [[link, size]] : [])),
    );
  }

  /**
   * Those of these events of a room, which a server has shown to users, that nothing follows which it has shown, or which has
   * come so lately that it may have been taken in: what it refuses or soft-fails follows nothing. What it had when it came into
   * the room by another server lies behind its join, whatever it had seen of the room before it left.
   */
  ends(server: string, roomId: string, events: readonly string[]): readonly string[] {
    const shown = new Set(events);
    const entry = this.#entries.get(`${server} ${roomId}`) ?? 0;
    const isBehind = (event: string) =>
      this.#entryState.has(`${server} ${event}`) || (this.arrival(server, event) ?? entry) < entry;
    const followed = new Set<string>();
    for (const [event, previous] of this.#previous) {
      if (this.arrival(server, event) === undefined) continue;
      if (!shown.has(event) && this.isRefused(server, event)) continue;
      for (const id of previous) followed.add(id);
    }
    return events.filter((event) => !followed.has(event) && !isBehind(event)).sort();
  }

  /** An exchange at the gateway has ended. */
  take(exchange: Exchange): void {
    this.#takeDeviceUpdates(exchange);
    const carried = eventsIn(exchange);
    if (carried === undefined) return;
    const { id, at, durationMs, from, to, method, path, status, rules, error } = exchange;
    const ended = at + durationMs;
    const ids: string[] = [];
    for (const sighting of carried.sightings) {
      const event = this.#take(exchange, sighting, ended, carried.refusals);
      if (event !== undefined) ids.push(event);
    }
    if (ids.length === 0) return;
    this.#journal.write({
      t: "http",
      id,
      from: this.#cast.serverName(from),
      to: this.#cast.serverName(to),
      method,
      path,
      ...(status === undefined ? {} : { status }),
      ms: durationMs,
      ...(rules === undefined && error === undefined ? {} : { blocked: true as const }),
      events: ids,
    });
  }

  #takeDeviceUpdates(exchange: Exchange): void {
    const users = deviceUpdatesIn(exchange);
    if (users.length === 0 || !isTaken(exchange)) return;
    const from = this.#cast.serverName(exchange.from);
    const server = this.#cast.serverName(exchange.to);
    const at = exchange.at + exchange.durationMs;
    this.#journal.write({ t: "device-update", from, server, users }, at);
  }

  #take(
    exchange: Exchange,
    { pdu, from, to, via, txn }: Sighting,
    at: number,
    refusals: ReadonlyMap<string, string>,
  ): string | undefined {
    const event = this.#idOf(pdu);
    if (event === undefined) return undefined;
    this.#tell(event, pdu, at);
    const isAnswer = to === exchange.from;
    const server = this.#cast.serverName(to);
    if (!isAnswer && !this.#arrivals.has(`${server} ${event}`)) {
      const link = `${this.#cast.serverName(from)}>${server}`;
      const sent = this.#onTheirWay.get(link) ?? new Set();
      this.#onTheirWay.set(link, sent.add(event));
    }
    if (!isTaken(exchange) || (isAnswer && exchange.error !== undefined)) return event;
    const isOwnJoin = exchange.path.endsWith(`/${encodeURIComponent(event)}`);
    if (isAnswer && via === "send_join" && !isOwnJoin) {
      this.#entries.set(`${server} ${this.#roomOf(pdu)?.id}`, at);
      this.#entryState.add(`${server} ${event}`);
    }
    const refusal = refusals.get(event);
    this.#arrive(event, server, at, via, {
      from: this.#cast.serverName(from),
      ...(txn === undefined ? {} : { txn }),
      ...(refusal === undefined
        ? { verdict: "unknown" as const }
        : { verdict: "rejected" as const, reason: refusal }),
    });
    return event;
  }

  /** A server shows this event to one of its users; true when that is new. */
  show(pdu: JsonObject, server: string): boolean {
    const event = this.#idOf(pdu);
    if (event === undefined) return false;
    const isNew = !this.#arrivals.has(`${server} ${event}`);
    this.#tell(event, pdu, Date.now());
    this.#arrive(event, server, Date.now(), "unknown", { verdict: "accepted", deduced: true });
    return isNew;
  }

  /** Somebody has been told something: those who wait look again. */
  stir(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Ends when an event has come to some server or client, at the latest after this time. */
  async next(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#listeners.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#listeners.delete(resolve);
  }

  #tell(event: string, pdu: JsonObject, at: number): void {
    if (this.#previous.has(event)) return;
    this.#previous.set(event, previousOf(pdu));
    this.#journal.write({ t: "pdu", event_id: event, pdu: this.#asSent(pdu) }, at);
    const server = domainOf(String(pdu.sender));
    this.#arrive(event, server, at, "created", { verdict: "accepted", deduced: true });
  }

  #arrive(
    event: string,
    server: string,
    at: number,
    via: Via,
    rest: {
      from?: string;
      txn?: string;
      verdict: "unknown" | "accepted" | "rejected";
      reason?: string;
      deduced?: true;
    },
  ): void {
    const key = `${server} ${event}`;
    if (this.#arrivals.has(key)) return;
    this.#arrivals.set(key, at);
    if (rest.deduced !== true) this.#deliveries.set(key, at);
    for (const [link, sent] of this.#onTheirWay)
      if (link.endsWith(`>${server}`)) sent.delete(event);
    this.lastArrival = Math.max(this.lastArrival, at);
    this.#journal.write({ t: "arrive", server, event_id: event, via, ...rest }, at);
    this.stir();
  }

  /** Undefined for events of other rooms. */
  #idOf(pdu: JsonObject): string | undefined {
    const room = this.#roomOf(pdu);
    const version = room === undefined ? undefined : roomVersion(room.version);
    if (version === undefined) return undefined;
    if (version.eventIds === "given") return String(pdu.event_id);
    try {
      return eventId(this.#asSent(pdu), version);
    } catch {
      return undefined;
    }
  }

  #roomOf(pdu: JsonObject): { readonly id: string; readonly version: string } | undefined {
    const rooms = [...this.#cast.rooms.values()];
    const named = rooms.find(({ id }) => id === pdu.room_id);
    if (named !== undefined || pdu.room_id !== undefined) return named;
    // The create event of a room whose id is its hash does not name the room.
    const own = roomVersion("12");
    if (pdu.type !== "m.room.create" || own === undefined) return undefined;
    const { event_id: _, unsigned: __, ...rest } = pdu;
    const hash = eventId(rest, own).slice(1);
    return rooms.find(({ id }) => id.slice(1) === hash);
  }

  /** Client endpoints add keys to what federation has. */
  #asSent(pdu: JsonObject): JsonObject {
    const { event_id: id, room_id: room, unsigned: _, ...rest } = pdu;
    const version = roomVersion(this.#versionOf(room));
    const isGiven = version?.eventIds === "given";
    const isRoot = version?.isRoomIdHash === true && pdu.type === "m.room.create";
    return {
      ...rest,
      ...(isGiven && id !== undefined ? { event_id: id } : {}),
      ...(isRoot || room === undefined ? {} : { room_id: room }),
    };
  }

  /** Only rooms whose id is a hash have events that do not name them. */
  #versionOf(room: unknown): string {
    return [...this.#cast.rooms.values()].find(({ id }) => id === room)?.version ?? "12";
  }
}

/** Whether who was asked has answered that all is well, heard or not. */
function isTaken({ status }: Exchange): boolean {
  return status !== undefined && status < 300;
}

function previousOf({ prev_events: list }: JsonObject): readonly string[] {
  if (!Array.isArray(list)) return [];
  return list.map((entry) => String(Array.isArray(entry) ? entry[0] : entry));
}

/** Event ids by `type|state_key` of an answer of GET /state, sorted. */
export function stateIds(events: readonly JsonObject[]): StateIds {
  return Object.fromEntries(
    events
      .map((event) => [`${event.type}|${event.state_key}`, String(event.event_id)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
