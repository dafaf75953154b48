/** Rows and records: which of them are at the same moment. */
import type { Run } from "#tardis/model/run";

/** Number of the last record that belongs to a row: what came before the next one. */
export function until({ pdus }: Run, row: number): number {
  const own = pdus[row]?.seq ?? 0;
  const next = pdus[row + 1];
  return next === undefined ? Number.POSITIVE_INFINITY : Math.max(own, next.seq - 1);
}

/** Where a record lies among the rows: at one, or half a row behind it. */
export function rowOfRecord({ pdus }: Run, seq: number): number {
  let [low, high] = [0, pdus.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pdus[middle]?.seq ?? 0) <= seq) low = middle + 1;
    else high = middle;
  }
  const row = low - 1;
  return pdus[row]?.seq === seq ? row : Math.max(0, row + 0.5);
}
