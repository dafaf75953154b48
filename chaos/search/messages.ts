/** What the workers of a search are told, and what they tell. */
import type { Finding, Tally } from "./random-search.ts";

/** The worker takes the histories `first`, `first + stride`, … below `end`. */
export interface RandomTask {
  readonly kind: "random";
  readonly seed: string;
  readonly first: number;
  readonly stride: number;
  readonly end: number;
  /** In epoch milliseconds. */
  readonly until: number;
}

export interface WorkerStart {
  readonly task: RandomTask;
  /** One number, not 0 when the worker has to end. */
  readonly stop: Int32Array;
}

/** Since the last one. */
export interface RandomUpdate {
  readonly tally: Tally;
  readonly findings: readonly Finding[];
}
