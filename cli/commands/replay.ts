/** `crucible replay`: tells the plans of seeds, journals and files again. */
import { Command, Option } from "commander";
import { countsOf, Display } from "#cli/chaos/display";
import { readPlan } from "#cli/chaos/files";
import {
  LEVELS,
  type Level,
  type Retold,
  retellLive,
  retellSimulated,
  retellToOracle,
} from "#cli/chaos/levels";
import { MUTANTS, type MutantName, requireBreakable } from "#cli/chaos/mutants";
import { planOf } from "#cli/chaos/plans";
import { findingLine } from "#cli/chaos/report";
import { roomLines } from "#cli/chaos/room-files";
import { hasAuth } from "#cli/chaos/stage";
import { pageLine } from "#cli/chaos/story-page";
import { print, printJson, remark } from "#cli/io";
import { addRunOptions, SERVER_SETTINGS, settingsOf } from "#cli/run-options";
import { showStacks } from "#cli/trouble";
import { tame } from "#reports/finding";
import type { Plan } from "#scenarios/plan";
import { addCheckOption, checkersOf } from "./check-option.ts";
import { withHelp } from "./options.ts";

interface Flags {
  readonly roomVersion?: string;
  readonly toldTo: Level;
  readonly json?: true;
  readonly check: readonly string[];
  readonly mutant?: MutantName;
}

/** The setting of that name is the level of requirements. */
class LevelOption extends Option {
  override attributeName(): string {
    return "toldTo";
  }
}

export function replayCommand(): Command {
  const command = new Command("replay")
    .description("tell the plans of seeds, journals or files again")
    .argument("<what...>", "a seed, a journal, or a plan file")
    .addOption(
      new LevelOption("--level <level>", "to whom it is told").choices(LEVELS).default("live"),
    )
    .option("--room-version <id>", "of rooms that name none; the servers' default unless given")
    .addOption(
      new Option("--mutant <name>", "with servers broken as they were when it failed").choices(
        MUTANTS,
      ),
    )
    .option("--json", "an array of {plan, ms, verdicts, unmet, journal?, rooms?, replay?}");
  addCheckOption(command);
  addRunOptions(command, ["seed", "out", "debug", "auth", "mas", ...SERVER_SETTINGS]).action(
    async (what: string[], flags: Flags, self: Command) => {
      const { settings, notices } = settingsOf(self);
      for (const notice of notices) remark(notice);
      if (settings.debug) showStacks();
      requireBreakable(flags.mutant, hasAuth(settings));
      const plans = what.map((one) => (/^\d+$/.test(one) ? planOf(Number(one)) : readPlan(one)));
      const troubles: string[] = [];
      const retold = await retell(plans, flags, settings, (line) => troubles.push(line));
      if (flags.json) printJson(retold);
      else for (const [at, one] of retold.entries()) show(plans[at], one);
      for (const { verdicts } of retold)
        for (const { checker, outcome, reason } of verdicts)
          if (outcome === "unknown") troubles.push(`${checker} is unknown: ${reason ?? ""}`);
      for (const line of troubles) remark(tame(`trouble: ${line}`));
      const hasFailed = retold.some(
        ({ unmet, verdicts }) =>
          // What merges first on real servers, and so what stands in the end, is up to them.
          (unmet.length > 0 && flags.toldTo !== "live") ||
          verdicts.some(({ outcome }) => outcome === "fail"),
      );
      process.exitCode = hasFailed ? 1 : troubles.length > 0 ? 3 : 0;
    },
  );
  return withHelp(command, "replay", {
    notes:
      "Exit codes: 0 it ended as expected, 1 it did not or a server failed a duty, 3 trouble of ours, as what a checker could not find out.",
    examples: [
      "1",
      "scenarios/stories/netsplits/join-then-close.json --room-version 12",
      ".runs/<id>/story-1.replay.ndjson --level simulation",
      "scenarios/stories/netsplits/*.json --level oracle",
    ],
  });
}

async function retell(
  plans: readonly Plan[],
  { toldTo: level, roomVersion, check, mutant }: Flags,
  settings: ReturnType<typeof settingsOf>["settings"],
  onTrouble: (line: string) => void,
): Promise<readonly Retold[]> {
  const seed = settings.seed ?? 1;
  const checkers = checkersOf(check);
  if (level === "oracle") return plans.map((plan) => retellToOracle(plan, seed, roomVersion));
  if (level === "simulation")
    return await Promise.all(
      plans.map((plan) => retellSimulated(plan, seed, roomVersion, checkers)),
    );
  using display = new Display();
  const options = { settings, display, roomVersion, checkers, onTrouble, mutant, seed };
  return await retellLive(plans, options);
}

function show(
  plan: Plan | undefined,
  { verdicts, unmet, ms, journal, rooms = [], replay }: Retold,
): void {
  const counts = verdicts.length === 0 ? "" : `: ${countsOf(verdicts)}`;
  print(tame(`${plan?.id ?? ""}, ${ms} ms${counts}`));
  const findings = verdicts.flatMap((verdict) => verdict.findings);
  for (const finding of findings) print(tame(findingLine(finding)));
  for (const line of unmet) print(tame(`    otherwise than the plan expects: ${line}`));
  for (const line of roomLines(rooms)) print(tame(`    ${line}`));
  if (journal !== undefined) print(`    journal: ${journal}`);
  if (replay !== undefined) print(`    ${tame(pageLine(replay))}`);
}
