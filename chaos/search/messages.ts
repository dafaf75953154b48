/** What the workers of a search are told, and what they tell. */
import type { PartResult } from "./exhaustive.ts";
import type { Finding, Tally } from "./random-search.ts";

/** The worker takes the histories `first`, `first + stride`, … below `end`, tells RandomUpdates, and ends. */
export interface RandomTask {
  readonly kind: "random";
  readonly seed: string;
  readonly first: number;
  readonly stride: number;
  readonly end: number;
  /** In epoch milliseconds. */
  readonly until: number;
}

/** The worker takes parts, one message each, and answers each with a PartUpdate. */
export interface ExhaustiveTask {
  readonly kind: "exhaustive";
  readonly size: number;
  /** Findings that are kept of a class. */
  readonly most: number;
}

export interface WorkerStart {
  readonly task: RandomTask | ExhaustiveTask;
  /** One number, not 0 when the worker has to end. */
  readonly stop: Int32Array;
}

/** Since the last one. */
export interface RandomUpdate {
  readonly tally: Tally;
  readonly findings: readonly Finding[];
}

export interface PartUpdate {
  /** Undefined when the worker was stopped within the part. */
  readonly result: PartResult | undefined;
}
