/** Long runs of events that follow one another, folded: what is left is a graph of its own, to be laid out again. */
import type { Edges } from "#tardis/model/graph";

export interface Collapsed {
  /** Rows that are left, ascending. */
  readonly rows: Uint32Array;
  /** Among them, by their places in `rows`; gaps as before. */
  readonly edges: Edges;
  /** By edge, how many rows are folded on its way. */
  readonly hidden: Uint32Array;
  /** By edge, the newest row that is folded on its way, or -1: from there each has one parent. */
  readonly through: Int32Array;
}

/** A run that would hide less is left alone. */
const LEAST_HIDDEN = 2;

/**
 * Forks, merges, beginnings and ends stay, and so do their neighbours.
 *
 * @param keep by row, not 0 for what has to stay: conflicts, rejected events, hits, what was unfolded
 */
export function collapse({ offsets, targets }: Edges, keep: Uint8Array): Collapsed {
  const size = offsets.length - 1;
  const children = new Uint32Array(size);
  for (const parent of targets) if (parent >= 0) children[parent] = (children[parent] ?? 0) + 1;
  const parentsOf = (row: number) => (offsets[row + 1] ?? 0) - (offsets[row] ?? 0);
  const onlyParent = (row: number) =>
    parentsOf(row) === 1 ? (targets[offsets[row] ?? 0] ?? -1) : -1;
  const isPlain = (row: number) => onlyParent(row) >= 0 && children[row] === 1;
  const isFolded = new Uint8Array(size);
  for (let row = 0; row < size; row++) {
    const parent = onlyParent(row);
    if (!isPlain(row) || keep[row] || !isPlain(parent)) continue;
    isFolded[row] = 1;
  }
  // The child of each has to be plain as well; rows below are not decided yet, so that this is a pass of its own.
  for (let row = 0; row < size; row++) {
    if (isPlain(row)) continue;
    for (let at = offsets[row] ?? 0; at < (offsets[row + 1] ?? 0); at++) {
      const parent = targets[at] ?? -1;
      if (parent >= 0) isFolded[parent] = 0;
    }
  }
  unfoldShort(isFolded, onlyParent);
  return withoutFolded({ offsets, targets }, isFolded, onlyParent);
}

function unfoldShort(isFolded: Uint8Array, onlyParent: (row: number) => number): void {
  /** Folded rows from a row on upwards. */
  const length = new Uint32Array(isFolded.length);
  const isInner = new Uint8Array(isFolded.length);
  for (let row = 0; row < isFolded.length; row++) {
    if (isFolded[row] === 0) continue;
    const parent = onlyParent(row);
    length[row] = 1 + (isFolded[parent] === 1 ? (length[parent] ?? 0) : 0);
    if (isFolded[parent] === 1) isInner[parent] = 1;
  }
  for (let row = 0; row < isFolded.length; row++) {
    const isEnd = isFolded[row] === 1 && isInner[row] === 0;
    if (!isEnd || (length[row] ?? 0) >= LEAST_HIDDEN) continue;
    for (let at = row; at >= 0 && isFolded[at] === 1; at = onlyParent(at)) isFolded[at] = 0;
  }
}

function withoutFolded(
  { offsets, targets }: Edges,
  isFolded: Uint8Array,
  onlyParent: (row: number) => number,
): Collapsed {
  const size = isFolded.length;
  const place = new Int32Array(size);
  const rows: number[] = [];
  let edgeCount = 0;
  /** Of folded rows: the row above that is left, and how many are folded up to it. */
  const above = new Int32Array(size);
  const count = new Uint32Array(size);
  for (let row = 0; row < size; row++) {
    if (isFolded[row] === 1) {
      const parent = onlyParent(row);
      const goesOn = isFolded[parent] === 1;
      above[row] = goesOn ? (above[parent] ?? 0) : parent;
      count[row] = 1 + (goesOn ? (count[parent] ?? 0) : 0);
      continue;
    }
    place[row] = rows.length;
    rows.push(row);
    edgeCount += (offsets[row + 1] ?? 0) - (offsets[row] ?? 0);
  }
  const edges = { offsets: new Uint32Array(rows.length + 1), targets: new Int32Array(edgeCount) };
  const hidden = new Uint32Array(edgeCount);
  const through = new Int32Array(edgeCount).fill(-1);
  let edge = 0;
  for (const [at, row] of rows.entries()) {
    for (let old = offsets[row] ?? 0; old < (offsets[row + 1] ?? 0); old++, edge++) {
      const parent = targets[old] ?? -1;
      const isHidden = parent >= 0 && isFolded[parent] === 1;
      const shown = isHidden ? (above[parent] ?? 0) : parent;
      edges.targets[edge] = shown < 0 ? shown : (place[shown] ?? 0);
      if (!isHidden) continue;
      hidden[edge] = count[parent] ?? 0;
      through[edge] = parent;
    }
    edges.offsets[at + 1] = edge;
  }
  return { rows: Uint32Array.from(rows), edges, hidden, through };
}
