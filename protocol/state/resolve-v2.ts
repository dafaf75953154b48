/** State resolution of room versions 2 to 11 (v2, MSC1442) and 12 (v2.1, MSC4297). */
import { iterativeAuthChecks } from "./auth-checks.ts";
import {
  ascending,
  authDifference,
  conflictedSubgraph,
  type Separated,
  type State,
  separate,
} from "./conflicts.ts";
import { type EventGraph, NONE } from "./event-graph.ts";
import { mainlineOrder } from "./mainline-order.ts";
import { isPowerEvent, powerOrder } from "./power-order.ts";
import { pathsThrough } from "./subgraph-paths.ts";
import type { Trace } from "./trace.ts";

/** The two changes that make v2.1 of v2 (MSC4297). Apart from each other they are of use only to tell which one a room needs. */
export interface Repairs {
  /** The replay begins with no state, not with the unconflicted one. */
  readonly beginsEmpty: boolean;
  /** The conflicted subgraph is replayed as well. */
  readonly hasSubgraph: boolean;
}

function repairsOf({ version }: EventGraph): Repairs {
  const isLater = version.stateResolution === "v2.1";
  return { beginsEmpty: isLater, hasSubgraph: isLater };
}

/**
 * @param sets indexes of the events of each state
 * @param repairs those of the room's version unless given
 */
export function resolveV2(
  graph: EventGraph,
  sets: readonly (readonly number[])[],
  trace: Trace | undefined,
  repairs: Repairs = repairsOf(graph),
): State {
  const separated = separate(graph, sets, "everywhere");
  const { unconflicted, conflicted } = separated;
  if (conflicted.length === 0) return unconflicted;
  const full = fullConflictedSet(graph, sets, separated, trace, repairs);
  const fullSet = new Set(full);
  const powerEvents = full.filter((index) => isPowerEvent(graph.node(index)));
  if (trace !== undefined) trace({ kind: "power-events", ids: idsOf(graph, powerEvents) });
  const first = powerOrder(graph, powerEvents, fullSet, trace);
  const isFirst = new Set(first);
  // v2.1 begins with nothing, so that no state of today stands in for what held when the events were sent.
  const state = new Int32Array(unconflicted.length).fill(NONE);
  if (!repairs.beginsEmpty) state.set(unconflicted);
  const resolved = roomForKeys(graph, state, full);
  iterativeAuthChecks(graph, first, resolved, "power", trace);
  const rest = mainlineOrder(
    graph,
    full.filter((index) => !isFirst.has(index)),
    resolved[graph.powerKey] ?? NONE,
    trace,
  );
  iterativeAuthChecks(graph, rest, resolved, "ordinary", trace);
  restore(graph, unconflicted, resolved, trace);
  return resolved;
}

/** Conflicted events, auth difference and, in v2.1, conflicted subgraph; ascending. */
export function fullConflictedSet(
  graph: EventGraph,
  sets: readonly (readonly number[])[],
  { conflicted, conflictedKeys }: Separated,
  trace: Trace | undefined,
  { hasSubgraph }: Repairs = repairsOf(graph),
): readonly number[] {
  const difference = authDifference(graph, sets);
  const full = new Set([...conflicted, ...difference]);
  if (trace !== undefined) {
    for (const key of conflictedKeys) {
      const [type, stateKey] = graph.keyName(key);
      const candidates = conflicted.filter((index) => graph.node(index).key === key);
      const isAbsentSomewhere = sets.some(
        (set) => !set.some((index) => graph.node(index).key === key),
      );
      trace({
        kind: "conflict",
        key: { type, stateKey },
        candidates: idsOf(graph, candidates),
        isAbsentSomewhere,
      });
    }
    trace({ kind: "auth-difference", ids: idsOf(graph, difference) });
  }
  if (hasSubgraph) {
    const additions = conflictedSubgraph(graph, conflicted).filter((index) => !full.has(index));
    for (const index of additions) full.add(index);
    if (trace !== undefined) {
      trace({ kind: "subgraph", additions: pathsThrough(graph, conflicted, additions) });
    }
  }
  return [...full].sort(ascending);
}

/** Events of auth chains may have keys that no set has, and checks may ask for keys that no event has. */
function roomForKeys(graph: EventGraph, state: State, events: readonly number[]): State {
  for (const index of events) graph.node(index).needs(graph);
  if (graph.keyCount <= state.length) return state;
  const larger = new Int32Array(graph.keyCount).fill(NONE);
  larger.set(state);
  return larger;
}

/** Lays the unconflicted state over the resolved one. */
function restore(
  graph: EventGraph,
  unconflicted: State,
  resolved: State,
  trace: Trace | undefined,
): void {
  for (let key = 0; key < unconflicted.length; key++) {
    const index = unconflicted[key] ?? NONE;
    if (index === NONE) continue;
    const over = resolved[key] ?? NONE;
    resolved[key] = index;
    if (trace === undefined || over === NONE || over === index) continue;
    const [type, stateKey] = graph.keyName(key);
    trace({
      kind: "restored",
      key: { type, stateKey },
      id: graph.node(index).event.id,
      over: graph.node(over).event.id,
    });
  }
}

function idsOf(graph: EventGraph, indexes: readonly number[]): readonly string[] {
  return indexes.map((index) => graph.node(index).event.id);
}
