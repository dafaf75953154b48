/**
 * Which lines cross a window of rows. Long lines are listed in coarser blocks, so that no graph, however it is made, takes more
 * than a few entries a line.
 */
const SHIFTS = [8, 12, 16, 20] as const;
/** A line lies in at most this many blocks of its level, and one more. */
const MOST_BLOCKS = 16;

export interface Level {
  readonly shift: number;
  /** Of each block, where its entries begin; one more than there are blocks. */
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
}

export class EdgeIndex {
  readonly #top: Int32Array;
  readonly #levels: readonly Level[];

  /**
   * @param top of each row (see Lanes): its line runs between the two
   * @param levels of it, which may have been made elsewhere
   */
  constructor(top: Int32Array, levels: readonly Level[] = levelsOf(top)) {
    this.#top = top;
    this.#levels = levels;
  }

  /** Rows whose line has a part within the window, each once. */
  crossing(first: number, last: number): number[] {
    const found: number[] = [];
    for (const { shift, starts, rows } of this.#levels) {
      const from = first >> shift;
      const to = Math.min(last >> shift, starts.length - 2);
      for (let block = from; block <= to; block++) {
        for (let at = starts[block] ?? 0; at < (starts[block + 1] ?? 0); at++) {
          const row = rows[at] ?? 0;
          // In the first of its blocks that are looked at.
          if (block !== from && row >> shift !== block) continue;
          if (row <= last && (this.#top[row] ?? -1) >= first) found.push(row);
        }
      }
    }
    return found;
  }
}

export function levelsOf(top: Int32Array): readonly Level[] {
  return SHIFTS.map((shift, at) =>
    levelOf(top, shift, SHIFTS[at - 1] ?? -1, at === SHIFTS.length - 1),
  );
}

/** Lines that fit into few blocks of this level and not of the finer one. */
function levelOf(top: Int32Array, shift: number, finer: number, isLast: boolean): Level {
  const blocks = (top.length >> shift) + 1;
  const starts = new Uint32Array(blocks + 1);
  const isHere = (row: number) => {
    const length = (top[row] ?? -1) - row;
    if (length < 0 || (finer >= 0 && length < MOST_BLOCKS << finer)) return false;
    return isLast || length < MOST_BLOCKS << shift;
  };
  for (let row = 0; row < top.length; row++) {
    if (!isHere(row)) continue;
    for (let block = row >> shift; block <= (top[row] ?? 0) >> shift; block++) {
      starts[block + 1] = (starts[block + 1] ?? 0) + 1;
    }
  }
  for (let block = 0; block < blocks; block++) {
    starts[block + 1] = (starts[block + 1] ?? 0) + (starts[block] ?? 0);
  }
  const rows = new Uint32Array(starts[blocks] ?? 0);
  const next = starts.slice();
  for (let row = 0; row < top.length; row++) {
    if (!isHere(row)) continue;
    for (let block = row >> shift; block <= (top[row] ?? 0) >> shift; block++) {
      const at = next[block] ?? 0;
      rows[at] = row;
      next[block] = at + 1;
    }
  }
  return { shift, starts, rows };
}
