/** `crucible replay`: tells the plan of a seed, a journal or a file again. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { JournalWriter } from "#chaos/journal/write";
import { tell } from "#chaos/live/tell";
import { onStage } from "#cli/chaos/stage";
import { print, remark } from "#cli/io";
import { harnessVersion } from "#cli/run/session";
import { addRunOptions, settingsOf } from "#cli/run-options";
import { describe, HarnessError } from "#harness/errors";
import { type Plan, parsePlan } from "#scenarios/plan";
import { withHelp } from "./options.ts";

interface Flags {
  readonly roomVersion?: string;
}

export function replayCommand(): Command {
  const command = new Command("replay")
    .description("tell the plan of a seed, a journal or a file again")
    .argument("<what>", "a seed, a journal, or a plan file")
    .option("--room-version <id>", "of rooms that name none; the servers' default unless given");
  addRunOptions(command, ["hs", "out", "spawnTimeoutMs", "debug"]).action(
    async (what: string, flags: Flags, self: Command) => {
      const { settings } = settingsOf(self);
      const plan = readPlan(what);
      await onStage({ settings, servers: plan.servers, progress: remark }, async (stage) => {
        using journal = new JournalWriter(path.join(stage.folder, "journal.replay.ndjson"));
        const told = await tell({
          plan,
          deployment: stage.deployment,
          journal,
          roomVersion: flags.roomVersion,
          suffix: `${stage.runId.slice(-4)}0`,
          run: stage.runId,
          tool: `crucible ${harnessVersion()}`,
          signal: stage.signal,
          judge: () => [],
          progress: remark,
        });
        print(JSON.stringify(told, null, 1));
        print(journal.file);
      });
    },
  );
  return withHelp(command, "replay", { examples: ["plan.json"] });
}

function readPlan(file: string): Plan {
  try {
    return parsePlan(JSON.parse(readFileSync(file, "utf8")), file);
  } catch (cause) {
    if (cause instanceof HarnessError) throw cause;
    throw new HarnessError("BAD_FILE", {
      what: `${file} can not be read`,
      facts: [describe(cause)],
      next: "docs/plan-format.md describes the format",
      cause,
    });
  }
}
