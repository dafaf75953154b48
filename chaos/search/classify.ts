/**
 * What kind of state reset a merge of two states is: docs/search.md has the definitions in words.
 *
 * A reset: the resolved state is not the true one. The true state is the later one of two states of honest servers, or the
 * only one of them that is a state of an honest server.
 */
import { NONE } from "#protocol/state/event-graph";
import { resolveV2 } from "#protocol/state/resolve-v2";
import type { Graphs, IndexSet } from "./history.ts";

export const RESET_CLASSES = ["A", "B", "C", "D", "other"] as const;
export type ResetClass = (typeof RESET_CLASSES)[number];

/** Two states of a room to merge, and the one that has to come out. */
export interface Merge {
  readonly graphs: Graphs;
  readonly truth: IndexSet;
  readonly second: IndexSet;
  /** The second set is what an honest server had at an earlier moment. */
  readonly isHonest: boolean;
}

/** In which versions the merge loses state. */
export interface Resets {
  readonly in11: boolean;
  readonly in12: boolean;
}

export function resetsOf({ graphs, truth, second }: Merge): Resets {
  const sets = [truth, second];
  return {
    in11: !isTruth(graphs.v11, resolveV2(graphs.v11, sets, undefined), truth),
    in12: !isTruth(graphs.v12, resolveV2(graphs.v12, sets, undefined), truth),
  };
}

/**
 * @param trued the same merge with times in the order of events; undefined when the clocks of this one are true
 * @returns undefined when no version loses state
 */
export function classify(
  merge: Merge,
  resets: Resets,
  trued: (() => Merge) | undefined,
): ResetClass | undefined {
  if (!resets.in11 && !resets.in12) return undefined;
  if (trued === undefined) return classOfTrueClocks(merge, resets);
  const without = trued();
  const classWithout = classOfTrueClocks(without, resetsOf(without));
  if (classWithout !== undefined) return classWithout;
  const isC = merge.isHonest && !resets.in11 && hasNoMainline(merge);
  return isC ? "C" : "other";
}

function classOfTrueClocks(merge: Merge, { in11, in12 }: Resets): ResetClass | undefined {
  if (!in11 && !in12) return undefined;
  if (in11 && in12) return merge.isHonest ? "D" : "other";
  if (in12 || merge.isHonest) return "other";
  return isLostWithoutSubgraph(merge) ? "B" : "A";
}

/** Whether v2.1 without its second repair would lose state. */
function isLostWithoutSubgraph({ graphs: { v12 }, truth, second }: Merge): boolean {
  const repairs = { beginsEmpty: true, hasSubgraph: false };
  return !isTruth(v12, resolveV2(v12, [truth, second], undefined, repairs), truth);
}

/** Whether v2.1 has resolved no power levels when it comes to order ordinary events. */
function hasNoMainline({ graphs: { v12 }, truth, second }: Merge): boolean {
  let isEmpty = false;
  resolveV2(v12, [truth, second], (step) => {
    if (step.kind === "mainline") isEmpty = step.ids.length === 0;
  });
  return isEmpty;
}

function isTruth(graph: Graphs["v11"], resolved: Int32Array, truth: IndexSet): boolean {
  let count = 0;
  for (const index of resolved) if (index !== NONE) count++;
  return (
    count === truth.length && truth.every((index) => resolved[graph.node(index).key] === index)
  );
}
