/** `crucible chaos`: breaks a federation on purpose, and looks whether it heals. */
import { Command, Option } from "commander";
import { CHECKERS } from "#chaos/checkers/checkers";
import { chooseFaults, chooseOperations, choosePartitions } from "#chaos/generate/vocabulary";
import { CORPUS } from "#cli/chaos/files";
import { MUTANTS, type MutantName, requireBreakable } from "#cli/chaos/mutants";
import {
  DEFAULT_INTENSITY,
  DEFAULT_ROOMS,
  DEFAULT_SERVERS,
  DEFAULT_VERSIONS,
} from "#cli/chaos/plans";
import { reportLines } from "#cli/chaos/report";
import { runChaos } from "#cli/chaos/run";
import { hasAuth } from "#cli/chaos/stage";
import { print, printJson, remark } from "#cli/io";
import { addRunOptions, SERVER_SETTINGS, settingsOf } from "#cli/run-options";
import { portOf } from "#cli/tardis/loopback";
import { showStacks } from "#cli/trouble";
import { HarnessError } from "#harness/errors";
import { tame } from "#reports/finding";
import { addCheckOption, checkersOf } from "./check-option.ts";
import { collect, withHelp } from "./options.ts";

interface Flags {
  readonly duration: string;
  readonly servers: string;
  readonly rooms: string;
  readonly intensity: string;
  readonly ops?: string;
  readonly faults?: string;
  readonly partitions?: string;
  readonly roomVersion: readonly string[];
  readonly check: readonly string[];
  readonly encrypted?: string | true;
  readonly soak?: true;
  readonly json?: true;
  readonly mutant?: MutantName;
  readonly corpus?: string;
  readonly shrink: boolean;
  readonly watch?: string | true;
}

const SHRINK = { replays: 20, timeMs: 120_000 };

export function chaosCommand(): Command {
  const command = new Command("chaos")
    .description("break a federation on purpose, and see whether it heals")
    .option("--duration <seconds>", "no epoch begins later", "60")
    .option("--servers <n>", "2 to 5", String(DEFAULT_SERVERS))
    .option("--rooms <n>", "at the beginning", String(DEFAULT_ROOMS))
    .option("--intensity <n>", "operations of an epoch, about", String(DEFAULT_INTENSITY))
    .option("--ops <names>", "operations, with commas; all unless given")
    .option(
      "--faults <names>",
      "faults, with commas, or all, or none; the default mix unless given",
    )
    .option("--partitions <names>", "halves,isolate,one-way,ring,bridge,flapping, or none")
    .option(
      "--room-version <id>",
      "of rooms, in turn (repeatable; 11 and 12 unless given)",
      collect,
      [],
    )
    .option(
      "--encrypted [devices]",
      "all rooms are, each user has so many devices that encrypt (2 unless given), and what can not be read is explained",
    )
    .option("--soak", "watch for growth, keep only what failed, and go on until --duration")
    .option("--json", "print the report as JSON")
    .addOption(
      new Option(
        "--mutant <name>",
        "with a server broken on purpose, to prove that it is found",
      ).choices(MUTANTS),
    )
    .option("--corpus <folder>", "plans that are told first; chaos/corpus unless given")
    .option("--no-shrink", "do not make smaller what failed")
    .option("--watch [port]", "show it on a page while it goes on, and let you have a hand in it");
  addCheckOption(command);
  addRunOptions(command, ["seed", "out", "debug", "auth", "mas", ...SERVER_SETTINGS]).action(
    async (flags: Flags, self: Command) => {
      const { settings, notices } = settingsOf(self);
      for (const notice of notices) remark(notice);
      if (settings.debug) showStacks();
      requireBreakable(flags.mutant, hasAuth(settings));
      const report = await runChaos({
        settings,
        seed: settings.seed ?? Math.floor(Math.random() * 2 ** 31),
        durationMs: wholeNumber("--duration", flags.duration, 1, 7 * 86_400) * 1000,
        servers: wholeNumber("--servers", flags.servers, 2, 5),
        plans: {
          rooms: wholeNumber("--rooms", flags.rooms, 1, 20),
          versions: flags.roomVersion.length > 0 ? flags.roomVersion : DEFAULT_VERSIONS,
          operations: chooseOperations(listOf(flags.ops)),
          faults: chooseFaults(listOf(flags.faults), hasAuth(settings)),
          partitions: choosePartitions(listOf(flags.partitions)),
          devices:
            flags.encrypted === undefined
              ? undefined
              : wholeNumber("--encrypted", flags.encrypted === true ? "2" : flags.encrypted, 1, 4),
          auth: hasAuth(settings),
          operationsPerEpoch: wholeNumber("--intensity", flags.intensity, 1, 1000),
        },
        checkers: checkersOf(flags.check),
        corpus: flags.corpus ?? CORPUS,
        mutant: flags.mutant,
        isSoak: flags.soak === true,
        watchPort:
          flags.watch === undefined ? undefined : portOf(flags.watch === true ? "0" : flags.watch),
        budget: flags.shrink ? SHRINK : { ...SHRINK, replays: 0 },
      });
      if (flags.json) printJson(report);
      else for (const line of reportLines(report)) print(tame(line));
      process.exitCode = report.exitCode;
    },
  );
  return withHelp(command, "chaos", {
    notes: `Checkers: ${CHECKERS.map(({ name }) => name).join(", ")}.
The same seed and options plan the same story; see docs/chaos.md.
Exit codes: 0 all went well; 1 a server failed a duty; 2 usage; 3 trouble of ours: what a checker could not find out
(unknown, which is no pass), or a fault that did not act although there was time for it; 130 interrupted.`,
    examples: [
      "--servers 3 --duration 120 --seed 1",
      "--faults refuse,kill --partitions halves --room-version 12",
      "--hs hs1=process:synapse@1.150.0 --hs hs2=docker:my-image --servers 2",
      "--mutant hide-ban --duration 180",
      "--encrypted --servers 2 --duration 600",
      "--encrypted --mutant lose-to-device --servers 2 --duration 600",
      "--auth oidc --servers 2 --duration 300",
      "--auth oidc --faults kill-auth,drop-answer-auth --ops message --partitions none --servers 2",
      "--auth oidc --mutant keep-device --servers 2 --duration 300",
      "--soak --duration 3600 --json",
      "--watch --servers 3 --duration 600",
      "--watch 8080 --faults none --partitions none --duration 3600",
    ],
  });
}

function listOf(given: string | undefined): readonly string[] | undefined {
  return given?.split(",").map((name) => name.trim());
}

function wholeNumber(flag: string, given: string, least: number, most: number): number {
  const value = Number(given);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new HarnessError("BAD_USAGE", {
    what: `${flag} is ${given}`,
    next: `a whole number from ${least} to ${most}`,
  });
}
