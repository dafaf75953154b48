/** A room replayed from its events: the state before and after each, and which of them the rules allow. */
import type { Rejection } from "#protocol/auth/rejection";
import { checkAuthEvents, checkCreate } from "#protocol/auth/rules";
import type { RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { Deciding } from "./auth-checks.ts";
import type { State } from "./conflicts.ts";
import { EventGraph, NONE } from "./event-graph.ts";
import { resolveIndexes } from "./resolve.ts";
import { sortByReferences } from "./topological.ts";
import type { Trace } from "./trace.ts";

export interface Replayed {
  readonly event: RoomEvent;
  readonly before: State;
  readonly after: State;
  /** Why a server that has all of this would reject it on receipt. */
  readonly rejection: Rejection | undefined;
  /** Previous events that are not known: the state before it is that of the others. */
  readonly missing: readonly string[];
}

export interface HistoryOptions {
  /** The state after an event where it is given and not to be computed: event ids by event id. */
  readonly givenStates?: ReadonlyMap<string, readonly string[]>;
}

const NOTHING: State = new Int32Array(0);

export class RoomHistory {
  readonly graph: EventGraph;
  /** In an order in which each event stands after those that it cites and follows. */
  readonly events: readonly Replayed[];
  readonly #byId = new Map<string, Replayed>();

  /** Replays the events, given in any order. */
  constructor(
    events: Iterable<RoomEvent>,
    version: RoomVersion,
    { givenStates = new Map() }: HistoryOptions = {},
  ) {
    this.graph = new EventGraph(version);
    const replayed: Replayed[] = [];
    const references = ({ authEvents, prevEvents }: RoomEvent) => [...authEvents, ...prevEvents];
    for (const event of sortByReferences(events, references)) {
      const one = this.#replay(event, givenStates.get(event.id));
      replayed.push(one);
      this.#byId.set(event.id, one);
    }
    this.events = replayed;
  }

  get(id: string): Replayed | undefined {
    return this.#byId.get(id);
  }

  /** Ids of the events that no other allowed event follows, in order. */
  get extremities(): readonly string[] {
    const followed = new Set(
      this.events
        .filter(({ rejection }) => rejection === undefined)
        .flatMap(({ event }) => event.prevEvents),
    );
    return this.events
      .filter(({ event, rejection }) => rejection === undefined && !followed.has(event.id))
      .map(({ event }) => event.id);
  }

  /** The state after several events together: what a next event on top of them would see. */
  stateAfter(ids: readonly string[], trace?: Trace): State {
    return this.#merge(
      ids.flatMap((id) => this.#byId.get(id)?.after ?? []),
      trace,
    );
  }

  /** Event ids by `type|state_key`, sorted. */
  named(state: State): Readonly<Record<string, string>> {
    const entries: [string, string][] = [];
    for (const [key, index] of state.entries()) {
      if (index !== NONE) {
        entries.push([this.graph.keyName(key).join("|"), this.graph.node(index).event.id]);
      }
    }
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #replay(event: RoomEvent, given: readonly string[] | undefined): Replayed {
    const { graph } = this;
    const known = event.prevEvents.filter((id) => this.#byId.has(id));
    const missing = event.prevEvents.filter((id) => !this.#byId.has(id));
    const before = this.stateAfter(known);
    const rejection = this.#judge(event, before);
    const index = graph.add(event, rejection !== undefined);
    const { key } = graph.node(index);
    let after = before;
    if (given !== undefined) after = this.#stateOf(given);
    else if (rejection === undefined && key !== NONE) after = withEvent(before, key, index);
    return { event, before, after, rejection, missing };
  }

  /** Checks performed on receipt of a PDU, 4 and 5: by its own auth events, then by the state before it. */
  #judge(event: RoomEvent, before: State): Rejection | undefined {
    const { graph } = this;
    if (event.type === "m.room.create") return checkCreate(event, graph.version);
    const byAuthEvents = checkAuthEvents(
      event,
      (id) => {
        const cited = this.#byId.get(id);
        return cited && { event: cited.event, isRejected: cited.rejection !== undefined };
      },
      graph.version,
    );
    if (byAuthEvents !== undefined) return byAuthEvents;
    // It joins the graph with its verdict, so it is checked before it does.
    const draft = graph.draft(event);
    const deciding = new Deciding(graph);
    deciding.fill(draft, NOTHING, true);
    const byOwn = deciding.check(draft);
    if (byOwn !== undefined) return byOwn;
    deciding.fill(draft, before, false);
    return deciding.check(draft);
  }

  #stateOf(ids: readonly string[]): State {
    const indexes = ids.flatMap((id) => this.graph.indexOf(id) ?? []);
    const state = new Int32Array(this.graph.keyCount).fill(NONE);
    for (const index of indexes) {
      const { key } = this.graph.node(index);
      if (key !== NONE) state[key] = index;
    }
    return state;
  }

  #merge(states: readonly State[], trace?: Trace): State {
    const [first = NOTHING, ...others] = states;
    const different = others.filter((state) => !areEqual(first, state));
    if (different.length === 0) return first;
    const sets = [first, ...different].map((state) => [...state].filter((index) => index !== NONE));
    return resolveIndexes(this.graph, sets, trace);
  }
}

function withEvent(state: State, key: number, index: number): State {
  const longer = new Int32Array(Math.max(state.length, key + 1)).fill(NONE);
  longer.set(state);
  longer[key] = index;
  return longer;
}

function areEqual(a: State, b: State): boolean {
  if (a === b) return true;
  const length = Math.max(a.length, b.length);
  for (let key = 0; key < length; key++) if ((a[key] ?? NONE) !== (b[key] ?? NONE)) return false;
  return true;
}
