import { Command } from "commander";
import { print, printJson } from "#cli/io";
import { readRun } from "#harness/results/run-directory";
import { diffRuns } from "#reports/baseline/diff";
import { renderDiff } from "#reports/render/diff";

export function diffCommand(): Command {
  return new Command("diff")
    .description("compare two runs, check by check; exit code 1 when something regressed")
    .argument("<before>", "run directory, results.jsonl or baseline")
    .argument("<after>", "run directory or results.jsonl")
    .option("--allow-mismatch", "also when topology or requirement set differ")
    .option("--json", "print the changes as JSON")
    .addHelpText("after", "\nExample:\n  crucible diff .runs/<main> .runs/<branch>")
    .action(
      (before: string, after: string, options: { allowMismatch?: boolean; json?: boolean }) => {
        const diff = diffRuns(readRun(before), readRun(after), {
          allowMismatch: options.allowMismatch === true,
        });
        if (options.json === true)
          printJson({
            counts: diff.counts,
            changes: diff.changes.filter(({ transition }) => transition !== "unchanged"),
          });
        else print(renderDiff(diff));
        if (diff.counts.regressed > 0) process.exitCode = 1;
      },
    );
}
