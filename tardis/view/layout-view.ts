/** Where the events of a run stand, and the lines between them. */
import { levelsOf } from "#tardis/layout/edge-index";
import { layOutLanes } from "#tardis/layout/lanes";
import type { Run } from "#tardis/model/run";
import type { LayoutView } from "./messages.ts";

export function layoutView({ graph }: Run): LayoutView {
  const edges = graph.edges.prev;
  const { lane, count, top } = layOutLanes(edges);
  return { edges, lane, lanes: count, top, levels: levelsOf(top) };
}
