/** What a run with `--perf` measured. A figure is no verdict; checks may draw one from the ratio of two. */
export interface Measurement {
  /** What was measured; names sort in the order in which reports show them. */
  readonly name: string;
  /** Of what: a dialect of sliding sync, or another endpoint beside it. */
  readonly subject: string;
  /** Joined rooms of the account. */
  readonly rooms: number;
  readonly unit: "ms" | "bytes" | "requests";
  /** One for each sample. */
  readonly values: readonly number[];
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which that share of the values lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
