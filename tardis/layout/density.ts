/** A whole room in a few pixels: how many events of each series lie in each bucket of rows, and what marks are among them. */

export interface Density {
  /** Of bucket b and series s at `b * series + s`. */
  readonly counts: Uint32Array;
  /** By bucket, the marks of its rows, or-ed. */
  readonly marks: Uint8Array;
}

export interface DensityOptions {
  /** How many series there are: servers, or lanes. */
  readonly series: number;
  readonly buckets: number;
}

/**
 * @param seriesOf by row, below `series`
 * @param marksOf by row, bits that the caller has a meaning for
 */
export function density(
  seriesOf: ArrayLike<number>,
  marksOf: ArrayLike<number>,
  { series, buckets }: DensityOptions,
): Density {
  const counts = new Uint32Array(buckets * series);
  const marks = new Uint8Array(buckets);
  const size = seriesOf.length;
  for (let row = 0; row < size; row++) {
    const bucket = Math.floor((row * buckets) / size);
    const at = bucket * series + (seriesOf[row] ?? 0);
    counts[at] = (counts[at] ?? 0) + 1;
    marks[bucket] = (marks[bucket] ?? 0) | (marksOf[row] ?? 0);
  }
  return { counts, marks };
}
