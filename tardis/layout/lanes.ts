/**
 * A column for every event, as git's graphs have them: one row an event, and a line down from an event's newest child that no
 * other event lies on. Computed once for the whole graph; moving through time hides rows, and never moves them.
 */
import type { Edges } from "#tardis/model/graph";
import { NumberHeap } from "#tardis/model/number-heap";

export interface Lanes {
  /** By row, from 0. */
  readonly lane: Uint32Array;
  readonly count: number;
  /**
   * By row, its newest child, or -1: the line of a row runs in its own lane from there. All edges to it join that line, each right
   * below its child.
   */
  readonly top: Int32Array;
}

export interface LaneOptions {
  /** By row, the band that it has to lie in, from 0: one a server. Bands lie side by side. */
  readonly bands?: ArrayLike<number>;
}

/** @param edges of the kind that is drawn as lines; parents stand above */
export function layOutLanes({ offsets, targets }: Edges, { bands = [] }: LaneOptions = {}): Lanes {
  const size = offsets.length - 1;
  const lane = new Uint32Array(size);
  const top = new Int32Array(size).fill(-1);
  const isReserved = new Uint8Array(size);
  const columns: Columns[] = [];
  const bandOf = (row: number) => bands[row] ?? 0;
  const columnsOf = (row: number) => (columns[bandOf(row)] ??= new Columns());
  // From the newest back, so that a line is reserved before anything is put beside it.
  for (let row = size - 1; row >= 0; row--) {
    if (isReserved[row] === 0) lane[row] = columnsOf(row).take();
    const own = lane[row] ?? 0;
    let isOwnFree = true;
    const end = offsets[row + 1] ?? 0;
    for (let at = offsets[row] ?? 0; at < end; at++) {
      const parent = targets[at] ?? -1;
      if (parent < 0 || isReserved[parent] === 1) continue;
      isReserved[parent] = 1;
      top[parent] = row;
      const goesOn = isOwnFree && bandOf(parent) === bandOf(row);
      if (goesOn) isOwnFree = false;
      lane[parent] = goesOn ? own : columnsOf(parent).take();
    }
    if (isOwnFree) columnsOf(row).release(own);
  }
  let count = 0;
  const starts = Array.from(columns, (band) => {
    const start = count;
    count += band?.count ?? 0;
    return start;
  });
  if (starts.length > 1) {
    for (let row = 0; row < size; row++) lane[row] = (lane[row] ?? 0) + (starts[bandOf(row)] ?? 0);
  }
  return { lane, count, top };
}

/** Hands out the leftmost column that is free. */
class Columns {
  count = 0;
  readonly #free = new NumberHeap();

  take(): number {
    return this.#free.pop() ?? this.count++;
  }

  release(column: number): void {
    this.#free.push(column);
  }
}
