/** One core of a search: does its task, and tells what it finds. */
import { parentPort, workerData } from "node:worker_threads";
import { type Part, searchPart } from "./exhaustive.ts";
import type {
  ExhaustiveTask,
  PartUpdate,
  RandomTask,
  RandomUpdate,
  WorkerStart,
} from "./messages.ts";
import { emptyTally, type Finding, RandomSearch } from "./random-search.ts";

const UPDATE_MS = 250;

const { task, stop } = workerData as WorkerStart;
const isStopped = () => Atomics.load(stop, 0) !== 0;
if (task.kind === "random") searchAtRandom(task);
else searchExhaustively(task);

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
    if (now >= until || isStopped()) break;
    findings.push(...search.tryHistory(number));
    if (now - told >= UPDATE_MS) tell();
  }
  tell();
}

function searchExhaustively({ size, most }: ExhaustiveTask): void {
  parentPort?.on("message", (part: Part) => {
    const update: PartUpdate = { result: searchPart(part, size, most, isStopped) };
    parentPort?.postMessage(update);
  });
}
