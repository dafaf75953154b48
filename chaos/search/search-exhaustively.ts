/** The bounded-exhaustive search on several cores, part after part, from where an earlier one was stopped. */
import { once } from "node:events";
import { Collection, type Found } from "./collection.ts";
import { addTally, type ExhaustiveTally, emptyExhaustiveTally, partsOf } from "./exhaustive.ts";
import type { PartUpdate } from "./messages.ts";
import { StopFlag, startWorker } from "./workers.ts";

/** What is done: all that a later search needs to go on. It can be written as JSON. */
export interface ExhaustiveProgress {
  readonly size: number;
  /** Findings that are kept of a class. */
  readonly most: number;
  /** How many parts there are, and the numbers of those that are done. */
  readonly parts: number;
  readonly done: readonly number[];
  /** All searches together. */
  readonly seconds: number;
  readonly tally: ExhaustiveTally;
  readonly findings: readonly Found[];
}

export interface ExhaustivePlan {
  readonly from: ExhaustiveProgress;
  readonly workers: number;
  readonly signal: AbortSignal;
  /** After each part. */
  readonly onProgress: (progress: ExhaustiveProgress) => void;
}

export function nothingDone(size: number, most: number): ExhaustiveProgress {
  const parts = partsOf(size).length;
  const tally = emptyExhaustiveTally();
  return { size, most, parts, done: [], seconds: 0, tally, findings: [] };
}

/** Ends when all parts are done, or soon after the signal; parts that were begun then are not done. */
export async function searchExhaustively(plan: ExhaustivePlan): Promise<ExhaustiveProgress> {
  const { from, workers, signal, onProgress } = plan;
  const { size, most } = from;
  const started = performance.now();
  using stop = new StopFlag(signal);
  const collection = new Collection<Found>(most);
  for (const finding of from.findings) collection.add(finding);
  const tally = structuredClone(from.tally);
  const done = [...from.done];
  const isDone = new Set(done);
  const queue = [...partsOf(size).entries()].filter(([number]) => !isDone.has(number));
  const progress = (): ExhaustiveProgress => ({
    ...from,
    done: [...done],
    seconds: from.seconds + (performance.now() - started) / 1_000,
    tally: structuredClone(tally),
    findings: collection.all,
  });
  const run = async () => {
    const worker = startWorker({ task: { kind: "exhaustive", size, most }, stop: stop.shared });
    const ended = once(worker, "exit");
    try {
      for (let next = queue.shift(); next !== undefined && !signal.aborted; next = queue.shift()) {
        const [number, part] = next;
        worker.postMessage(part);
        const [update] = (await once(worker, "message")) as [PartUpdate];
        if (update.result === undefined) break;
        addTally(tally, update.result.tally);
        for (const finding of update.result.findings) collection.add(finding);
        done.push(number);
        onProgress(progress());
      }
    } finally {
      await worker.terminate();
      await ended;
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, queue.length) }, run));
  return progress();
}
