/** Why the conflicted subgraph holds an event: a way through it from one conflicted event to another. For the trace. */
import { type EventGraph, NONE } from "./event-graph.ts";

export function pathsThrough(
  graph: EventGraph,
  conflicted: readonly number[],
  additions: readonly number[],
): readonly { readonly id: string; readonly path: readonly string[] }[] {
  const ends = new Set(conflicted);
  const [bottom = 0] = conflicted;
  const citing = new Map<number, number>();
  // From the top, so that each event is told the closest event above it that a conflicted one reaches.
  const top = conflicted.at(-1) ?? NONE;
  for (let index = top; index >= bottom; index--) {
    if (!ends.has(index) && !citing.has(index)) continue;
    for (const cited of graph.node(index).auth) if (!citing.has(cited)) citing.set(cited, index);
  }
  return additions.map((index) => {
    const up: number[] = [];
    for (let at = citing.get(index); at !== undefined; at = citing.get(at)) {
      up.unshift(at);
      if (ends.has(at)) break;
    }
    return {
      id: graph.node(index).event.id,
      path: [...up, index, ...wayDown(graph, index, ends)].map((at) => graph.node(at).event.id),
    };
  });
}

/** The shortest way along citations to a conflicted event. */
function wayDown(graph: EventGraph, from: number, ends: ReadonlySet<number>): readonly number[] {
  const cameFrom = new Map<number, number>([[from, NONE]]);
  const queue = [from];
  for (const at of queue) {
    for (const cited of graph.node(at).auth) {
      if (cameFrom.has(cited)) continue;
      cameFrom.set(cited, at);
      if (!ends.has(cited)) {
        queue.push(cited);
        continue;
      }
      const way: number[] = [];
      for (let step = cited; step !== from; step = cameFrom.get(step) ?? from) way.unshift(step);
      return way;
    }
  }
  return [];
}
