/** The random search on several cores. */
import { once } from "node:events";
import { Collection } from "./collection.ts";
import type { RandomTask, RandomUpdate } from "./messages.ts";
import { emptyTally, type Finding, type Tally } from "./random-search.ts";
import { StopFlag, startWorker } from "./workers.ts";

export interface RandomPlan {
  readonly seed: string;
  /** Number of the first history. */
  readonly from: number;
  /** How many histories; as many as there is time for unless given. */
  readonly count?: number;
  readonly seconds: number;
  readonly workers: number;
  /** Findings that are kept of a class. */
  readonly most: number;
  readonly signal: AbortSignal;
  readonly onProgress: (tally: Tally, findings: readonly Finding[]) => void;
}

export interface RandomResult {
  readonly tally: Tally;
  readonly findings: readonly Finding[];
  readonly seconds: number;
  /** Of processor time, which tells more on a machine that others use as well. */
  readonly processorSeconds: number;
}

/** Ends at the time or count of the plan, or soon after the signal, with what it has. */
export async function searchAtRandom(plan: RandomPlan): Promise<RandomResult> {
  const { seed, from, count, seconds, workers, most, signal, onProgress } = plan;
  const started = performance.now();
  const used = process.cpuUsage();
  using stop = new StopFlag(signal);
  const collection = new Collection<Finding>(most);
  const tally = emptyTally();
  const run = async (at: number) => {
    const task: RandomTask = {
      kind: "random",
      seed,
      first: from + at,
      stride: workers,
      end: count === undefined ? Number.POSITIVE_INFINITY : from + count,
      until: Date.now() + seconds * 1_000,
    };
    const worker = startWorker({ task, stop: stop.shared });
    worker.on("message", (update: RandomUpdate) => {
      addTo(tally, update.tally);
      for (const finding of update.findings) collection.add(finding);
      onProgress(tally, collection.all);
    });
    await once(worker, "exit");
  };
  await Promise.all(Array.from({ length: workers }, (_, at) => run(at)));
  const { user, system } = process.cpuUsage(used);
  return {
    tally,
    findings: collection.all,
    seconds: (performance.now() - started) / 1_000,
    processorSeconds: (user + system) / 1e6,
  };
}

function addTo(sum: Tally, more: Tally): void {
  sum.histories += more.histories;
  sum.cases += more.cases;
  for (const [name, count] of Object.entries(more.resets)) {
    sum.resets[name as keyof Tally["resets"]] += count;
  }
}
