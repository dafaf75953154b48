/** One core of a search: does its task, tells what it finds a few times a second, and ends. */
import { parentPort, workerData } from "node:worker_threads";
import type { RandomTask, RandomUpdate, WorkerStart } from "./messages.ts";
import { emptyTally, type Finding, RandomSearch } from "./random-search.ts";

const UPDATE_MS = 250;

const { task, stop } = workerData as WorkerStart;
searchAtRandom(task);

function searchAtRandom({ seed, first, stride, end, until }: RandomTask): void {
  const search = new RandomSearch(seed);
  let findings: Finding[] = [];
  let told = Date.now();
  const tell = () => {
    const update: RandomUpdate = { tally: search.tally, findings };
    parentPort?.postMessage(update);
    search.tally = emptyTally();
    findings = [];
    told = Date.now();
  };
  for (let number = first; number < end; number += stride) {
    const now = Date.now();
    if (now >= until || Atomics.load(stop, 0) !== 0) break;
    findings.push(...search.tryHistory(number));
    if (now - told >= UPDATE_MS) tell();
  }
  tell();
}
