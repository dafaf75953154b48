/** Removes what dead runs left behind: processes, containers, networks, work folders. */
import { existsSync, rmSync } from "node:fs";
import path from "node:path";
import type { Driver } from "#harness/deployment/contract";
import { describe } from "#harness/errors";
import { registeredRuns, sweepRun } from "#harness/runs/registry";

export interface SweepOptions {
  readonly drivers: readonly Pick<Driver, "name" | "sweep">[];
  /** Only this run, dead or alive; all dead ones unless given. */
  readonly runId?: string;
  /** Also the result folders of runs that never ended, unless the user had named them. */
  readonly withUnfinishedResults: boolean;
}

/** Tells what was removed, one line each, and what could not be. */
export async function sweep(
  options: SweepOptions,
): Promise<{ removed: string[]; problems: string[] }> {
  const removed: string[] = [];
  const problems: string[] = [];
  const runs = registeredRuns();
  const alive = new Set(
    runs.filter((run) => run.isAlive && run.runId !== options.runId).map(({ runId }) => runId),
  );
  const isDead = (runId: string) =>
    options.runId === undefined ? !alive.has(runId) : runId === options.runId;
  for (const driver of options.drivers) {
    try {
      removed.push(...((await driver.sweep?.(isDead)) ?? []));
    } catch (error) {
      problems.push(`${driver.name}: ${describe(error)}`);
    }
  }
  for (const run of runs.filter(({ runId }) => isDead(runId))) {
    removed.push(...(await sweepRun(run.runId)));
    const { runDirectory } = run;
    if (!options.withUnfinishedResults || runDirectory === undefined || run.isNamedByUser) continue;
    if (existsSync(path.join(runDirectory, "results.jsonl")) || !existsSync(runDirectory)) continue;
    rmSync(runDirectory, { recursive: true, force: true });
    removed.push(`unfinished results ${path.basename(runDirectory)}`);
  }
  return { removed, problems };
}
