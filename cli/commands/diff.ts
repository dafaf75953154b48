/** `crucible diff`: what changed between two runs. Exit code 1 when something regressed. */
import { Command } from "commander";
import { print, printJson } from "#cli/io";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { readRun } from "#harness/results/run-directory";
import { diffRuns } from "#reports/baseline/diff";
import { diffData, renderDiff } from "#reports/render/diff";
import { withHelp } from "./options.ts";

interface Options {
  readonly allowMismatch?: true;
  readonly json?: true;
}

export function diffCommand(): Command {
  const command = new Command("diff")
    .description("compare two runs, check by check; exit code 1 when something regressed")
    .argument("<before>", "run directory, results.jsonl or baseline")
    .argument("<after>", "run directory or results.jsonl")
    .option("--allow-mismatch", "compare also when the topologies differ")
    .option("--json", "an object {before, after, counts, changes: [{transition, requirement, …}]}")
    .action(diff);
  return withHelp(command, "diff", {
    notes:
      "A check that is gone is never fixed, a new one never a regression. `changed` means that one side gave no verdict. What a client library or a MAY misses is told, and decides nothing.",
    examples: [
      ".runs/20261124-103000-4f2a .runs/20261124-110000-9c01",
      "baseline.jsonl .runs/20261124-110000-9c01 --json",
    ],
  });
}

async function diff(before: string, after: string, options: Options): Promise<void> {
  const { allowMismatch = false, json } = options;
  const [old, current] = [readRun(before), readRun(after)];
  const { byId: requirements } = await loadCatalogue();
  const found = diffRuns(old, current, { requirements, allowMismatch });
  if (found.regressions.length > 0) process.exitCode = 1;
  if (json) printJson(diffData(found));
  else print(renderDiff(found));
}
