import { Command } from "commander";
import { DRIVERS } from "#cli/drivers";
import { print, printJson, remark } from "#cli/io";
import { sweep } from "#cli/sweep";

export function cleanCommand(): Command {
  return new Command("clean")
    .description("remove what killed runs left behind: processes, containers, networks, folders")
    .argument("[run]", "only this run, even if it still runs")
    .option("--json", "print what was removed as JSON")
    .addHelpText(
      "after",
      `
Every command sweeps dead runs before it starts; clean does it now, and also removes result folders of runs that never
ended, unless they were named with --out.

Examples:
  crucible clean
  crucible clean 20261124-103000-4f2a`,
    )
    .action(async (run: string | undefined, { json }: { json?: boolean }) => {
      const { removed, problems } = await sweep({
        drivers: DRIVERS,
        withUnfinishedResults: true,
        ...(run === undefined ? {} : { runId: run }),
      });
      if (json === true) printJson({ removed, problems });
      else {
        for (const line of removed) print(`removed ${line}`);
        if (removed.length === 0) print("nothing was left behind");
      }
      for (const problem of problems) remark(`could not look everywhere: ${problem}`);
    });
}
