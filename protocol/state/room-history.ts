/** A room replayed from its events: the state before and after each, and which of them the rules allow. */
import type { Rejection } from "#protocol/auth/rejection";
import { type Cited, checkAuthEvents, checkCreate } from "#protocol/auth/rules";
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

interface Given {
  readonly before?: readonly string[];
  readonly after?: readonly string[];
}

export interface HistoryOptions {
  /** The state after an event where it is given and not to be computed: event ids by event id. */
  readonly givenStates?: ReadonlyMap<string, readonly string[]>;
}

const NOTHING: State = new Int32Array(0);

export class RoomHistory {
  readonly graph: EventGraph;
  /** In an order in which each event stands after those that it cites and follows. */
  readonly events: Replayed[] = [];
  readonly #byId = new Map<string, Replayed>();
  readonly #outliers = new Map<string, Cited>();

  /** Replays the events, given in any order. */
  constructor(
    events: Iterable<RoomEvent>,
    version: RoomVersion,
    { givenStates = new Map() }: HistoryOptions = {},
  ) {
    this.graph = new EventGraph(version);
    for (const event of inOrder(events)) {
      const after = givenStates.get(event.id);
      this.add(event, after === undefined ? {} : { after });
    }
  }

  /**
   * Adds one event after those that it cites and follows.
   *
   * @param given ids of the state before or after it where that is not to be computed
   */
  add(event: RoomEvent, given: Given = {}): Replayed {
    const one = this.#replay(event, given);
    this.events.push(one);
    this.#byId.set(event.id, one);
    return one;
  }

  /** Adds an event whose place in the room is not known: what it cites decides about it. */
  addOutlier(event: RoomEvent): Rejection | undefined {
    const isCreate = event.type === "m.room.create";
    const rejection = isCreate ? checkCreate(event, this.graph.version) : this.#judgeByOwn(event);
    this.graph.add(event, rejection !== undefined);
    this.#outliers.set(event.id, { event, isRejected: rejection !== undefined });
    return rejection;
  }

  /** Whether a state would let the event be sent. */
  refusal(event: RoomEvent, state: State): Rejection | undefined {
    if (event.type === "m.room.create") return checkCreate(event, this.graph.version);
    const draft = this.graph.draft(event);
    const deciding = new Deciding(this.graph);
    deciding.fill(draft, state, false);
    return deciding.check(draft);
  }

  /** The event at a key of a state. */
  at(state: State, type: string, stateKey: string): RoomEvent | undefined {
    const index = state[this.graph.keyOf(type, stateKey)] ?? NONE;
    return index === NONE ? undefined : this.graph.node(index).event;
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

  #replay(event: RoomEvent, given: Given): Replayed {
    const { graph } = this;
    const known = event.prevEvents.filter((id) => this.#byId.has(id));
    const missing = event.prevEvents.filter((id) => !this.#byId.has(id));
    const before =
      given.before === undefined ? this.stateAfter(known) : this.#stateOf(given.before);
    const rejection = this.#judge(event, before);
    const index = graph.add(event, rejection !== undefined);
    const { key } = graph.node(index);
    let after = before;
    if (given.after !== undefined) after = this.#stateOf(given.after);
    else if (rejection === undefined && key !== NONE) after = withEvent(before, key, index);
    return { event, before, after, rejection, missing };
  }

  /** Checks performed on receipt of a PDU, 4 and 5: by its own auth events, then by the state before it. */
  #judge(event: RoomEvent, before: State): Rejection | undefined {
    if (event.type === "m.room.create") return checkCreate(event, this.graph.version);
    return this.#judgeByOwn(event) ?? this.refusal(event, before);
  }

  #judgeByOwn(event: RoomEvent): Rejection | undefined {
    const { graph } = this;
    const byAuthEvents = checkAuthEvents(event, (id) => this.#cited(id), graph.version);
    if (byAuthEvents !== undefined) return byAuthEvents;
    // It joins the graph with its verdict, so it is checked before it does.
    const draft = graph.draft(event);
    const deciding = new Deciding(graph);
    deciding.fill(draft, NOTHING, true);
    return deciding.check(draft);
  }

  #cited(id: string): Cited | undefined {
    const one = this.#byId.get(id);
    if (one === undefined) return this.#outliers.get(id);
    return { event: one.event, isRejected: one.rejection !== undefined };
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

/** Each after those that it cites and follows, otherwise in the order given. */
export function inOrder(events: Iterable<RoomEvent>): readonly RoomEvent[] {
  return sortByReferences(events, ({ authEvents, prevEvents }) => [...authEvents, ...prevEvents]);
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
