/**
 * A linear history of one small room, event after event, in room version 11 (state resolution v2) and 12 (v2.1) at once:
 * every event is allowed in both, so that their resolutions can be compared. Events have the same index in both graphs.
 */
import { selectAuthState } from "#protocol/auth/selection";
import { compileEvent, type DagEvent, type NamedState } from "#protocol/dag/dag-file";
import type { RoomEvent } from "#protocol/events/event";
import { ROOM_VERSIONS, type RoomVersion } from "#protocol/rooms/room-version";
import { Deciding } from "#protocol/state/auth-checks";
import { EventGraph } from "#protocol/state/event-graph";

/** What a user does: an event before it has an id, a time and citations. */
export interface Deed extends Pick<DagEvent, "sender" | "type" | "stateKey" | "content"> {
  readonly stateKey: string;
  /** It is stamped by a clock that is ahead. */
  readonly isAhead?: boolean;
}

/** The same room in both versions. */
export interface Graphs {
  readonly v11: EventGraph;
  readonly v12: EventGraph;
}

/** Indexes of events, one a key. */
export type IndexSet = readonly number[];

export const V11 = version("11");
export const V12 = version("12");

/** Milliseconds between events, and what a wrong clock is ahead: more than a whole history takes. */
const STEP_MS = 10;
const AHEAD_MS = 100_000;

const NOTHING = new Int32Array(0);

export class History {
  readonly graphs: Graphs = { v11: new EventGraph(V11), v12: new EventGraph(V12) };
  readonly events: DagEvent[] = [];
  /** The deeds after the creation. */
  readonly deeds: Deed[] = [];
  /** The state after as many deeds: first that after the creation. */
  readonly moments: IndexSet[] = [];
  /** How many events the creation has. */
  readonly createdBy: number;
  readonly creation: readonly Deed[];
  readonly #deciding = { v11: new Deciding(this.graphs.v11), v12: new Deciding(this.graphs.v12) };
  /** Index of the event by `type|state_key`, now and before each event. */
  readonly #states: ReadonlyMap<string, number>[] = [new Map()];

  /** @throws RangeError when the creation itself is not allowed */
  constructor(creation: readonly Deed[]) {
    this.creation = creation;
    this.createdBy = creation.length;
    for (const deed of creation) {
      if (!this.#append(deed)) throw new RangeError(`the creation may not have ${deed.type}`);
    }
    this.moments.push([...this.state.values()]);
  }

  /** The room with these deeds, undefined when one of them is not allowed. */
  static of(creation: readonly Deed[], deeds: readonly Deed[]): History | undefined {
    const history = new History(creation);
    return deeds.every((deed) => history.send(deed)) ? history : undefined;
  }

  /** Index of the event by `type|state_key`. */
  get state(): ReadonlyMap<string, number> {
    return this.#states.at(-1) ?? new Map();
  }

  /** The state after the last deed. */
  get end(): IndexSet {
    return this.moments.at(-1) ?? [];
  }

  /** The event that has this part of the state now. */
  eventAt(key: string): DagEvent | undefined {
    const index = this.state.get(key);
    return index === undefined ? undefined : this.events[index];
  }

  /** Appends the deed when both versions allow it. */
  send(deed: Deed): boolean {
    if (!this.#append(deed)) return false;
    this.deeds.push(deed);
    this.moments.push([...this.state.values()]);
    return true;
  }

  /** Takes the last deed back. */
  undo(): void {
    this.deeds.pop();
    this.moments.pop();
    this.#states.pop();
    this.events.pop();
    this.graphs.v11.removeLast();
    this.graphs.v12.removeLast();
  }

  /** The same events in other graphs, stamped by clocks that are ahead or not, by the number of the deed. */
  retimed(isAhead: (deed: number) => boolean): Graphs {
    const { v11, v12 } = this.graphs;
    const copy = (graph: EventGraph) => {
      const other = new EventGraph(graph.version);
      for (const { event, index } of graph.nodes) {
        other.add({ ...event, originServerTs: timeOf(index, isAhead(index - this.createdBy)) });
      }
      return other;
    };
    return { v11: copy(v11), v12: copy(v12) };
  }

  /** The set by `type|state_key`, as files have it, sorted. */
  named(set: IndexSet): NamedState {
    const entries = set.flatMap((index) => {
      const event = this.events[index];
      return event === undefined ? [] : [[keyOf(event), event.id] as const];
    });
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #append({ isAhead = false, ...deed }: Deed): boolean {
    const index = this.events.length;
    const { state } = this;
    const last = this.events.at(-1);
    const bare: DagEvent = {
      ...deed,
      id: `e${index}`,
      auth: [],
      prev: last === undefined ? [] : [last.id],
      ts: timeOf(index, isAhead),
      isRejected: false,
    };
    const [create = bare] = this.events;
    // The create event is known by being the same object.
    const event = create === bare ? bare : { ...bare, auth: this.#citedBy(bare, create) };
    const in11 = compileEvent(event, create, V11);
    const in12 = compileEvent(event, create, V12);
    if (!this.#isAllowed("v12", in12) || !this.#isAllowed("v11", in11)) return false;
    this.graphs.v11.add(in11);
    this.graphs.v12.add(in12);
    this.events.push(event);
    this.#states.push(new Map(state).set(keyOf(event), index));
    return true;
  }

  #citedBy(bare: DagEvent, create: DagEvent): readonly string[] {
    const cited = new Set<string>();
    for (const { slot, type, stateKey } of selectAuthState(compileEvent(bare, create, V12), V12)) {
      const found = slot === "create" ? undefined : this.state.get(`${type}|${stateKey}`);
      if (found !== undefined) cited.add(`e${found}`);
    }
    return [...cited];
  }

  #isAllowed(name: keyof Graphs, event: RoomEvent): boolean {
    const draft = this.graphs[name].draft(event);
    const deciding = this.#deciding[name];
    deciding.fill(draft, NOTHING, true);
    return deciding.check(draft) === undefined;
  }
}

function timeOf(index: number, isAhead: boolean): number {
  return STEP_MS * (index + 1) + (isAhead ? AHEAD_MS : 0);
}

export function keyOf({ type, stateKey }: Pick<DagEvent, "type" | "stateKey">): string {
  return `${type}|${stateKey}`;
}

function version(id: string): RoomVersion {
  const found = ROOM_VERSIONS.get(id);
  if (found === undefined) throw new RangeError(`there is no room version ${id}`);
  return found;
}
