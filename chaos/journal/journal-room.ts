/** The events of one room that anybody showed, replayed by our own rules: the oracle of the checkers. */
import type { StateIds } from "#harness/replay/record";
import { domainOf } from "#protocol/auth/auth-event";
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import { readEvent } from "#protocol/events/read-event";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import { Deciding } from "#protocol/state/auth-checks";
import type { State } from "#protocol/state/conflicts";
import { NONE } from "#protocol/state/event-graph";
import { type Replayed, RoomHistory } from "#protocol/state/room-history";

interface GraphOfTime {
  /** Event ids, each after those that it follows. */
  readonly order: readonly string[];
  readonly places: ReadonlyMap<string, number>;
  /** By place, the places of all events before: one bit each. */
  readonly pasts: readonly Uint32Array[];
  /** By place, whether all is known that the event stands on. */
  readonly areWhole: readonly boolean[];
}

export class JournalRoom {
  readonly id: string;
  /** In the plan; its id where it has none. */
  readonly name: string;
  readonly version: RoomVersion | undefined;
  /** Events that could not be read, one line each. */
  readonly problems: string[] = [];
  readonly #pdus: ReadonlyMap<string, JsonObject>;
  #history: RoomHistory | undefined;
  #time: GraphOfTime | undefined;
  readonly #domains = new WeakMap<State, ReadonlySet<string>>();

  /** @param version id of its version; undefined: what its create event says */
  constructor(
    id: string,
    name: string,
    version: string | undefined,
    pdus: ReadonlyMap<string, JsonObject>,
  ) {
    this.id = id;
    this.name = name;
    this.#pdus = pdus;
    this.version = roomVersion(version ?? versionIn(pdus.values()));
  }

  /** Undefined when there are no events, or the version is none that we know. */
  get history(): RoomHistory | undefined {
    const { version } = this;
    if (version === undefined || this.#pdus.size === 0) return undefined;
    this.#history ??= new RoomHistory(this.#read(version), version);
    return this.#history;
  }

  get(id: string): Replayed | undefined {
    return this.history?.get(id);
  }

  /** The events themselves and all before them, as far as they are known. */
  ancestors(ids: readonly string[]): ReadonlySet<string> {
    const { places, pasts, order } = this.#graphOfTime();
    const all = new Uint32Array(wordsFor(order.length));
    for (const id of ids) {
      const place = places.get(id);
      if (place === undefined) continue;
      merge(all, pasts[place]);
      mark(all, place);
    }
    return new Set(order.filter((_, place) => has(all, place)));
  }

  /** Whether the first event is before the other one. */
  isBefore(id: string, other: string): boolean {
    const { places, pasts } = this.#graphOfTime();
    const [place, end] = [places.get(id), places.get(other)];
    if (place === undefined || end === undefined) return false;
    return has(pasts[end] ?? NOTHING, place);
  }

  /** Whether these events are known, and all that they stand on. */
  areWhole(ids: readonly string[]): boolean {
    const { places, areWhole } = this.#graphOfTime();
    return ids.every((id) => areWhole[places.get(id) ?? -1] === true);
  }

  /** Events that are cited on the way to these and that nobody showed, and those of these that nobody did. */
  holes(ids: readonly string[]): readonly string[] {
    const missing = ids.filter((id) => this.get(id) === undefined);
    for (const id of this.ancestors(ids)) {
      const one = this.get(id);
      if (one === undefined) continue;
      missing.push(...one.missing);
      missing.push(...one.event.authEvents.filter((cited) => this.get(cited) === undefined));
    }
    return [...new Set(missing)];
  }

  /** Event ids by `type|state_key` after these events, by our own rules. */
  stateAfter(ids: readonly string[]): StateIds {
    const { history } = this;
    return history === undefined ? {} : history.named(history.stateAfter(ids));
  }

  /** Events that no other one of them follows. */
  endsOf(ids: readonly string[]): readonly string[] {
    return [...new Set(ids)].filter((id) => !ids.some((other) => this.isBefore(id, other)));
  }

  /** Why the event is refused by a state, if it is. */
  refusal(id: string, state: State): string | undefined {
    const graph = this.history?.graph;
    const index = graph?.indexOf(id);
    if (graph === undefined || index === undefined) return undefined;
    const deciding = new Deciding(graph);
    const node = graph.node(index);
    deciding.fill(node, state, false);
    return deciding.check(node)?.why;
  }

  /** The event at a key of a state. */
  at(state: State, type: string, stateKey: string): RoomEvent | undefined {
    const graph = this.history?.graph;
    const index = graph === undefined ? NONE : (state[graph.keyOf(type, stateKey)] ?? NONE);
    return index === NONE ? undefined : graph?.node(index).event;
  }

  membership(state: State, user: string): string | undefined {
    return membershipOf(this.at(state, "m.room.member", user));
  }

  /** A state that was shown, of those of its events that are known. */
  stateOf(named: StateIds): State {
    const graph = this.history?.graph;
    const state = new Int32Array(graph?.keyCount ?? 0).fill(NONE);
    for (const id of Object.values(named)) {
      const index = graph?.indexOf(id);
      const key = index === undefined ? undefined : graph?.node(index).key;
      if (index !== undefined && key !== undefined && key !== NONE) state[key] = index;
    }
    return state;
  }

  /** Servers with a joined user. */
  serversIn(state: State): ReadonlySet<string> {
    const known = this.#domains.get(state);
    if (known !== undefined) return known;
    const graph = this.history?.graph;
    const found = new Set<string>();
    for (const index of state) {
      if (index === NONE || graph === undefined) continue;
      const { event } = graph.node(index);
      if (membershipOf(event) === "join") found.add(domainOf(event.stateKey ?? ""));
    }
    this.#domains.set(state, found);
    return found;
  }

  #graphOfTime(): GraphOfTime {
    if (this.#time !== undefined) return this.#time;
    const order = (this.history?.events ?? []).map(({ event }) => event.id);
    const places = new Map(order.map((id, place) => [id, place]));
    const pasts: Uint32Array[] = [];
    const areWhole: boolean[] = [];
    for (const { event, missing } of this.history?.events ?? []) {
      const past = new Uint32Array(wordsFor(order.length));
      const cited = [...event.prevEvents, ...event.authEvents];
      areWhole.push(missing.length === 0 && cited.every((id) => areWhole[places.get(id) ?? -1]));
      for (const id of event.prevEvents) {
        const place = places.get(id);
        if (place === undefined) continue;
        merge(past, pasts[place]);
        mark(past, place);
      }
      pasts.push(past);
    }
    this.#time = { order, places, pasts, areWhole };
    return this.#time;
  }

  #read(version: RoomVersion): readonly RoomEvent[] {
    const events: RoomEvent[] = [];
    for (const [id, pdu] of this.#pdus) {
      try {
        events.push(readEvent({ ...pdu, event_id: id }, version));
      } catch (error) {
        this.problems.push(`${id}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return events;
  }
}

const NOTHING = new Uint32Array(0);

function wordsFor(bits: number): number {
  return (bits + 31) >>> 5;
}

function mark(bits: Uint32Array, place: number): void {
  bits[place >>> 5] = (bits[place >>> 5] ?? 0) | (1 << (place & 31));
}

function has(bits: Uint32Array, place: number): boolean {
  return ((bits[place >>> 5] ?? 0) & (1 << (place & 31))) !== 0;
}

function merge(into: Uint32Array, other: Uint32Array = NOTHING): void {
  for (let word = 0; word < other.length; word++)
    into[word] = (into[word] ?? 0) | (other[word] ?? 0);
}

/** Of a member event. */
export function membershipOf(event: RoomEvent | undefined): string | undefined {
  const membership = event?.type === "m.room.member" ? event.content.membership : undefined;
  return typeof membership === "string" ? membership : undefined;
}

function versionIn(pdus: Iterable<JsonObject>): string {
  for (const { type, content } of pdus) {
    if (type !== "m.room.create") continue;
    const named = (content as JsonObject | undefined)?.room_version ?? "1";
    return typeof named === "string" ? named : "";
  }
  return "";
}
