/** How fast checks are decided once the servers are there. */
import type { Figure } from "./figure.ts";
import { timeRun } from "./run.ts";

/** More checks than fit only repeat what these have shown. */
const LIMIT_MS = 75_000;

export async function benchThroughput(): Promise<readonly Figure[]> {
  const run = await timeRun(["--suite", "core"], LIMIT_MS);
  const seconds = (run.lastVerdictMs - run.firstVerdictMs) / 1_000;
  const end = run.wasStopped ? `stopped after ${LIMIT_MS / 1_000} s` : "start to report";
  return [
    {
      name: `throughput: checks, ${run.verdicts} of core`,
      value: (run.verdicts - 1) / seconds,
      unit: "1/s",
    },
    {
      name: "throughput: to the first verdict of core",
      value: run.firstVerdictMs / 1_000,
      unit: "s",
    },
    { name: `throughput: core, ${end}`, value: run.totalMs / 1_000, unit: "s" },
  ];
}
