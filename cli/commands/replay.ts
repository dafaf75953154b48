/** `crucible replay`: tells the plan of a seed, a journal or a file again. */
import path from "node:path";
import { Command } from "commander";
import { Display } from "#cli/chaos/display";
import { readPlan } from "#cli/chaos/files";
import { type ChaosReport, reportLines, storyOf, Tally } from "#cli/chaos/report";
import { onStage } from "#cli/chaos/stage";
import { Storyteller } from "#cli/chaos/storyteller";
import { print, printJson } from "#cli/io";
import { addRunOptions, settingsOf } from "#cli/run-options";
import { tame } from "#reports/finding";
import { withHelp } from "./options.ts";

interface Flags {
  readonly roomVersion?: string;
  readonly json?: true;
}

export function replayCommand(): Command {
  const command = new Command("replay")
    .description("tell the plan of a seed, a journal or a file again")
    .argument("<what>", "a seed, a journal, or a plan file")
    .option("--room-version <id>", "of rooms that name none; the servers' default unless given")
    .option("--json", "print the report as JSON");
  addRunOptions(command, ["hs", "out", "spawnTimeoutMs", "debug"]).action(
    async (what: string, flags: Flags, self: Command) => {
      const { settings } = settingsOf(self);
      const plan = readPlan(what);
      using display = new Display();
      for (const line of storyOf(plan)) display.line(line);
      const troubles: string[] = [];
      const stageOptions = {
        settings,
        servers: plan.servers,
        progress: (line: string) => display.line(line),
        onTrouble: (line: string) => troubles.push(line),
      };
      const report = await onStage(stageOptions, async (stage): Promise<ChaosReport> => {
        const teller = new Storyteller({
          stage,
          display,
          roomVersion: flags.roomVersion,
          checkers: undefined,
        });
        const began = Date.now();
        const story = await teller.tell(plan, { name: path.parse(plan.id).name });
        const tally = new Tally();
        tally.add(story);
        return {
          run: stage.folder,
          deployment: stage.deployment.facts.name,
          seed: plan.seed ?? 0,
          seconds: Math.round((Date.now() - began) / 1000),
          ...tally.summary(),
          journals: [story.journal],
          troubles,
          exitCode: story.failed === undefined ? (troubles.length > 0 ? 3 : 0) : 1,
        };
      });
      if (flags.json) printJson(report);
      else for (const line of reportLines(report)) print(tame(line));
      process.exitCode = report.exitCode;
    },
  );
  return withHelp(command, "replay", {
    examples: ["plan.json", ".runs/<id>/story-1.replay.ndjson"],
  });
}
