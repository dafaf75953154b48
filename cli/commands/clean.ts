/** `crucible clean`: removes what killed runs left behind. */
import { Command } from "commander";
import { AUTH_DRIVERS, DRIVERS, RTC_AUTH_DRIVERS, SFU_DRIVERS } from "#cli/drivers";
import { print, printJson, remark } from "#cli/io";
import { sweep } from "#cli/sweep";
import { registeredRuns } from "#harness/runs/registry";
import { nearest } from "#harness/suggest";
import { withHelp } from "./options.ts";

export function cleanCommand(): Command {
  const command = new Command("clean")
    .description("remove what killed runs left behind: processes, containers, networks, folders")
    .argument("[run]", "only this run, even if it still runs")
    .option("--json", "an object {removed: [<what>], problems: [<what>]}")
    .action(clean);
  return withHelp(command, "clean", {
    notes: `Every command sweeps dead runs before it starts; clean does it now, and also removes result folders of runs that
never ended, unless they were named with --out.`,
    examples: ["", "20261124-103000-4f2a"],
  });
}

async function clean(run: string | undefined, { json }: { readonly json?: true }): Promise<void> {
  const known = registeredRuns().map(({ runId }) => runId);
  const { removed, problems } = await sweep({
    drivers: [...DRIVERS, ...AUTH_DRIVERS, ...SFU_DRIVERS, ...RTC_AUTH_DRIVERS],
    withUnfinishedResults: true,
    ...(run === undefined ? {} : { runId: run }),
  });
  if (json) printJson({ removed, problems });
  else {
    for (const line of removed) print(`removed ${line}`);
    if (removed.length === 0) print("nothing was left behind");
  }
  // Containers can outlive all that this machine knows of a run, so an unknown run is no error.
  if (run !== undefined && removed.length === 0 && !known.includes(run)) {
    const near = nearest(run, known);
    remark(`no run ${run} is known here${near === undefined ? "" : `: did you mean ${near}?`}`);
  }
  for (const problem of problems) remark(`could not look everywhere: ${problem}`);
}
