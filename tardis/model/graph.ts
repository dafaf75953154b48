/** Who refers to whom, as typed arrays: rows are places in Run.pdus, parents before children. */

import { NumberHeap } from "./number-heap.ts";

/** Keys of events that refer to others. The last two are of experiments: MSC4242, and what TARDIS reads. */
export const EDGE_KINDS = {
  prev: "prev_events",
  auth: "auth_events",
  prev_state: "prev_state_events",
  prev_auth: "prev_auth_events",
} as const;

export type EdgeKind = keyof typeof EDGE_KINDS;

/** Targets of row r: `targets[offsets[r]]` up to `targets[offsets[r + 1]]`. */
export interface Edges {
  /** One more than there are rows. */
  readonly offsets: Uint32Array;
  /** A row above, or -1 - g for gap g. */
  readonly targets: Int32Array;
}

export interface Graph {
  readonly size: number;
  readonly edges: Readonly<Record<EdgeKind, Edges>>;
}

/** @param rows targets of each row */
export function edgesOf(rows: readonly (readonly number[])[]): Edges {
  const offsets = new Uint32Array(rows.length + 1);
  let count = 0;
  for (const [row, targets] of rows.entries()) {
    count += targets.length;
    offsets[row + 1] = count;
  }
  const all = new Int32Array(count);
  for (const [row, targets] of rows.entries()) all.set(targets, offsets[row]);
  return { offsets, targets: all };
}

/**
 * Places in an order that has each node after those that it refers to, and else goes by rank, the least first. Rings are
 * cut where nothing else is left, at the node of least rank.
 *
 * @param references between nodes; what is below 0 is none
 * @param ranks `ranks[i]` of node i
 */
export function topologicalOrder(references: Edges, ranks: Float64Array): Uint32Array {
  const count = references.offsets.length - 1;
  const byRank = Uint32Array.from({ length: count }, (_, node) => node).sort(
    (a, b) => (ranks[a] ?? 0) - (ranks[b] ?? 0) || a - b,
  );
  const place = new Uint32Array(count);
  for (let at = 0; at < count; at++) place[byRank[at] ?? 0] = at;
  if (isSorted(references, place)) return byRank;
  const children = childrenOf(references);
  const waits = new Uint32Array(count);
  for (const child of children.targets) waits[child] = (waits[child] ?? 0) + 1;
  const heap = new NumberHeap();
  for (let node = 0; node < count; node++) if (waits[node] === 0) heap.push(place[node] ?? 0);
  const order = new Uint32Array(count);
  const isDone = new Uint8Array(count);
  let done = 0;
  let stuckFrom = 0;
  while (done < count) {
    let at = heap.pop();
    if (at === undefined) {
      while (isDone[byRank[stuckFrom] ?? 0] === 1) stuckFrom++;
      at = stuckFrom;
    }
    const node = byRank[at] ?? 0;
    if (isDone[node] === 1) continue;
    isDone[node] = 1;
    order[done++] = node;
    for (let edge = children.offsets[node] ?? 0; edge < (children.offsets[node + 1] ?? 0); edge++) {
      const next = children.targets[edge] ?? 0;
      const left = (waits[next] ?? 0) - 1;
      waits[next] = left;
      if (left === 0) heap.push(place[next] ?? 0);
    }
  }
  return order;
}

function isSorted({ offsets, targets }: Edges, place: Uint32Array): boolean {
  for (let node = 0; node < place.length; node++) {
    for (let edge = offsets[node] ?? 0; edge < (offsets[node + 1] ?? 0); edge++) {
      const target = targets[edge] ?? -1;
      if (target >= 0 && (place[target] ?? 0) >= (place[node] ?? 0)) return false;
    }
  }
  return true;
}

/** The same edges from the other end: who refers to a node, as often as it does; to itself does not count. */
function childrenOf({ offsets, targets }: Edges): Edges {
  const count = offsets.length - 1;
  const isEdge = (node: number, target: number) => target >= 0 && target !== node;
  const starts = new Uint32Array(count + 1);
  for (let node = 0; node < count; node++) {
    for (let edge = offsets[node] ?? 0; edge < (offsets[node + 1] ?? 0); edge++) {
      const target = targets[edge] ?? -1;
      if (isEdge(node, target)) starts[target + 1] = (starts[target + 1] ?? 0) + 1;
    }
  }
  for (let node = 0; node < count; node++) {
    starts[node + 1] = (starts[node + 1] ?? 0) + (starts[node] ?? 0);
  }
  const children = new Int32Array(starts[count] ?? 0);
  const next = starts.slice();
  for (let node = 0; node < count; node++) {
    for (let edge = offsets[node] ?? 0; edge < (offsets[node + 1] ?? 0); edge++) {
      const target = targets[edge] ?? -1;
      if (!isEdge(node, target)) continue;
      const at = next[target] ?? 0;
      children[at] = node;
      next[target] = at + 1;
    }
  }
  return { offsets: starts, targets: children };
}
