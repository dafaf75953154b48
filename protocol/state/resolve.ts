/** State resolution by the room's version. */
import type { State } from "./conflicts.ts";
import { type EventGraph, NONE } from "./event-graph.ts";
import { resolveV1 } from "./resolve-v1.ts";
import { resolveV2 } from "./resolve-v2.ts";
import type { Trace } from "./trace.ts";

/**
 * Resolves states to one, by indexes. The order of the sets has no influence.
 *
 * @param sets indexes of the events of each state, at most one a key
 * @returns indexes of events by key of the graph, NONE where the state has none
 */
export function resolveIndexes(
  graph: EventGraph,
  sets: readonly (readonly number[])[],
  trace?: Trace,
): State {
  return graph.version.stateResolution === "v1"
    ? resolveV1(graph, sets, trace)
    : resolveV2(graph, sets, trace);
}

/**
 * Resolves states to one, by event ids.
 *
 * @param sets event ids of each state
 * @returns event ids of the resolved state, in the order of the graph's keys
 * @throws RangeError for an id that the graph does not have
 */
export function resolveState(
  graph: EventGraph,
  sets: readonly Iterable<string>[],
  trace?: Trace,
): readonly string[] {
  const indexes = sets.map((set) =>
    Array.from(set, (id) => {
      const index = graph.indexOf(id);
      if (index === undefined) throw new RangeError(`a state set names ${id}, which is not known`);
      return index;
    }),
  );
  return [...resolveIndexes(graph, indexes, trace)]
    .filter((index) => index !== NONE)
    .map((index) => graph.node(index).event.id);
}
