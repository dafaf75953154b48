/** Mainline ordering (rooms/v2): by the closest power levels of the mainline, then by time and id. */
import { type EventGraph, NONE } from "./event-graph.ts";
import { isEarlier } from "./power-order.ts";
import type { Trace } from "./trace.ts";

/**
 * @param resolvedPower the resolved power levels, or NONE. Without any the mainline is empty, and time alone decides: in
 *   version 12 that happens when the power levels are not in conflict.
 */
export function mainlineOrder(
  graph: EventGraph,
  events: readonly number[],
  resolvedPower: number,
  trace: Trace | undefined,
): readonly number[] {
  const mainline: number[] = [];
  for (let at = resolvedPower; at !== NONE; at = graph.node(at).powerParent) mainline.push(at);
  // Position 1 is the oldest of the mainline, 0 means that none is reached.
  const positions = new Map(mainline.map((index, at) => [index, mainline.length - at]));
  const keyed = events.map((index) => ({
    node: graph.node(index),
    position: positionOf(graph, index, positions),
  }));
  keyed.sort((a, b) => a.position - b.position || (isEarlier(a.node, b.node) ? -1 : 1));
  if (trace !== undefined) {
    trace({ kind: "mainline", ids: mainline.map((index) => graph.node(index).event.id) });
    trace({
      kind: "mainline-order",
      events: keyed.map(({ node, position }) => {
        const closest = position === 0 ? undefined : mainline[mainline.length - position];
        return {
          id: node.event.id,
          position,
          originServerTs: node.event.originServerTs,
          ...(closest === undefined ? {} : { closest: graph.node(closest).event.id }),
        };
      }),
    });
  }
  return keyed.map(({ node }) => node.index);
}

/** Remembers the position of every power-levels event on the way. */
function positionOf(graph: EventGraph, index: number, positions: Map<number, number>): number {
  const way: number[] = [];
  let at = index;
  let position: number | undefined;
  while (at !== NONE) {
    position = positions.get(at);
    if (position !== undefined) break;
    way.push(at);
    at = graph.node(at).powerParent;
  }
  position ??= 0;
  for (const passed of way) positions.set(passed, position);
  return position;
}
