/** What run directories have of measurements: of performance by `run --perf`, of recovery by `chaos`, of calls where there were some. */
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { HarnessError } from "#harness/errors";
import { readCallFigures } from "#harness/results/call-figures";
import type { StoredRun } from "#harness/results/run-directory";
import type { SitePlots } from "#reports/site/data";
import {
  calls,
  chaosSchema,
  performancePlots,
  performanceSchema,
  recoveries,
} from "#reports/site/plots";

const CHAOS = "chaos.json";

/** Such a folder has no results of checks. */
export function isChaosRun(given: string): boolean {
  return existsSync(path.join(given, CHAOS)) && !existsSync(path.join(given, "results.jsonl"));
}

/** A run is named by its folder, or by the results in it. */
export function folderOf(given: string): string {
  return statSync(given).isDirectory() ? given : path.dirname(given);
}

export function plotsOf(runs: readonly StoredRun[], chaosRuns: readonly string[]): SitePlots {
  const files = runs.map((run) => path.join(folderOf(run.path), "perf.json"));
  return {
    performance: performancePlots(
      files.filter((file) => existsSync(file)).map((file) => parsed(file, performanceSchema)),
    ),
    recovery: recoveries(chaosRuns.map((folder) => parsed(path.join(folder, CHAOS), chaosSchema))),
    calls: calls(
      runs.map((run) => ({
        deployment: run.header?.deployments[0]?.name ?? "unknown",
        figures: readCallFigures(folderOf(run.path)),
      })),
    ),
  };
}

function parsed<Schema extends z.ZodType>(file: string, schema: Schema): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `${file} is not as crucible writes it`,
      facts: [cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause)],
      next: "restore it, or move it away to make the site without it",
      cause,
    });
  }
}
