/** `crucible audit`: whether verdicts can be believed. The same checks many times, and what mutants said of them. */
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { Command, Option } from "commander";
import { auditIn, beginAudit, makeRuns } from "#cli/audit/runs";
import { countingNumber } from "#cli/generated-runs";
import { colour, printJson, remark } from "#cli/io";
import { newRun } from "#cli/run/execute";
import { select } from "#cli/run/select";
import { addRunOptions, settingsOf } from "#cli/run-options";
import { SETTING_ROWS, type SettingName } from "#harness/config/settings";
import { HarnessError } from "#harness/errors";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { mergeMutants, readMutantsRun } from "#harness/results/mutants-run";
import { readRun } from "#harness/results/run-directory";
import { type Audit, audit } from "#reports/audit/audit";
import { auditData, auditMarkdown, renderAudit } from "#reports/render/audit";
import { nameParser, writeReport } from "./files.ts";
import { collect, withHelp } from "./options.ts";

const FORMATS = ["console", "markdown"] as const;
const RUNS = 20;
/** Of `run`, what says nothing where only verdicts are compared, or would make a run wait or write elsewhere. */
const LEFT_OUT: readonly SettingName[] = [
  ...([
    "keep",
    "keepOnFailure",
    "dryRun",
    "perf",
    "perfRooms",
    "baseline",
    "updateBaseline",
  ] as const),
  ...(["allowMismatch", "failIfNone", "reporter", "printServerLogs", "bail"] as const),
];

/** Of this command alone, or said to each run in its own words. */
const OWN: readonly string[] = ["runs", "mutants", "format", "json", "out", "seed"];

interface Options {
  readonly runs?: number;
  readonly mutants?: readonly string[];
  readonly format: (typeof FORMATS)[number];
  readonly json?: true;
}

export function auditCommand(): Command {
  const command = new Command("audit")
    .description("run the same checks many times and tell which verdicts are not stable")
    .argument("[ids or runs...]", "requirement ids or globs; or stored runs, to judge these alone")
    .option("--runs <n>", `how often (default: ${RUNS})`, countingNumber)
    .option("--mutants <dir>", "run of `crucible mutants` (repeatable), or none", collect)
    .addOption(
      new Option("--format <name>", `what to print: ${FORMATS.join(", ")}`)
        .default("console")
        .argParser(nameParser("format", FORMATS)),
    )
    .option("--json", "an object {verdict, exitCode, suites, checks, unproven, …}");
  const kept = SETTING_ROWS.map(({ name }) => name).filter((name) => !LEFT_OUT.includes(name));
  addRunOptions(command, kept).action(async (given: string[], options: Options, self: Command) => {
    await run(given, options, self);
  });
  return withHelp(command, "audit", {
    notes: [
      "All runs have one seed, and lie in --out (.runs/<id> unless given) with audit.md and audit.json. Named again, what is",
      "missing is made: runs that are there count, but for those that were killed, interrupted or had trouble of their own.",
      "A check is unstable when it had different verdicts; errors are told apart. The checks that were seen to fail by no",
      "mutant need --mutants; <out>/mutants is taken when it is there.",
      "Exit codes: 0 stable, 1 a verdict is unstable, 2 usage, 3 errors only, 4 nothing was compared, 130 interrupted.",
    ].join("\n"),
    examples: [
      "--runs 20 --suite core",
      "--runs 5 'CS.login.*' --out login-audit",
      "--runs 20 --out login-audit",
      ".runs/<a> .runs/<b> .runs/<c> --mutants .runs/<d> --format markdown",
    ],
  });
}

async function run(given: readonly string[], options: Options, self: Command): Promise<void> {
  const isStored = given.some(isRun);
  const { folder, runs } = isStored
    ? storedRuns(given, options, self)
    : await madeRuns(given, options, self);
  const { byId: requirements } = await loadCatalogue();
  const mutants = mutantsRuns(options, folder)?.map(readMutantsRun);
  const found = audit({
    runs: runs.map((one) => readRun(one)),
    requirements,
    mutants: mutants && mergeMutants(mutants),
  });
  process.exitCode = found.exitCode;
  if (folder !== undefined) {
    writeReport(path.join(folder, "audit.json"), `${JSON.stringify(auditData(found), null, 2)}\n`);
    writeReport(path.join(folder, "audit.md"), auditMarkdown(found));
  }
  show(found, options);
}

/** No requirement has a slash in its id. */
function isRun(argument: string): boolean {
  return argument.includes("/") || existsSync(argument);
}

interface Audited {
  /** Where the audit is written; undefined: nowhere. */
  readonly folder: string | undefined;
  readonly runs: readonly string[];
}

function storedRuns(given: readonly string[], options: Options, self: Command): Audited {
  const { out } = settingsOf(self).settings;
  if (!given.every(isRun) || options.runs !== undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: "stored runs are judged alone",
      facts: [`stored: ${given.filter(isRun).join(", ")}`],
      next: "name stored runs, or what is to run and --runs",
    });
  }
  if (out !== undefined) mkdirSync(out, { recursive: true });
  const each = new Map(given.map((folder) => [path.resolve(folder), folder]));
  return { folder: out, runs: [...each.values()] };
}

async function madeRuns(
  ids: readonly string[],
  { runs = RUNS }: Options,
  self: Command,
): Promise<Audited> {
  const { settings } = settingsOf(self);
  const { seed, runDirectory } = newRun(settings);
  const folder = path.relative(process.cwd(), runDirectory.path) || ".";
  const asked = [...ids, ...flagsGiven(self)];
  const earlier = auditIn(folder);
  const isOther = asked.length > 0 && earlier?.arguments.join("\0") !== asked.join("\0");
  const isOtherSeed = settings.seed !== undefined && earlier?.seed !== settings.seed;
  if (earlier !== undefined && (isOther || isOtherSeed)) {
    throw new HarnessError("BAD_USAGE", {
      what: `${folder} has runs of something else`,
      facts: [`they are of: ${earlier.arguments.join(" ")} --seed ${earlier.seed}`],
      next: "name another folder with --out, or this one with the same arguments or none",
    });
  }
  const common = earlier ?? { arguments: asked, seed };
  if (earlier === undefined) {
    // What is wrong with the arguments is found before anything starts, and not once in each run.
    const { plan } = await select(settings, ids);
    if (plan.checks.length === 0) {
      throw new HarnessError("NOTHING_RAN", {
        what: "no check is selected",
        next: "select more; `crucible list` shows what there is",
      });
    }
    beginAudit(folder, common);
  }
  remark(`${runs} runs, seed ${common.seed}, in ${folder}`);
  return { folder, runs: await makeRuns(folder, runs, common) };
}

/** Flags as they were given, for `crucible run`. */
function flagsGiven(self: Command): readonly string[] {
  return self.options.flatMap((option) => {
    const name = option.attributeName();
    if (OWN.includes(name) || self.getOptionValueSource(name) !== "cli") return [];
    const value: unknown = self.getOptionValue(name);
    const flag = option.long ?? "";
    // `--expect` and `--no-expect` have one name.
    if (option.negate) return value === false ? [flag] : [];
    if (value === true) return [flag];
    if (value === false) return [];
    return [value].flat().flatMap((each) => [flag, String(each)]);
  });
}

/** Undefined: nobody is to look at mutants. */
function mutantsRuns(
  { mutants }: Options,
  folder: string | undefined,
): readonly string[] | undefined {
  if (mutants?.includes("none")) return undefined;
  const beside = folder === undefined ? undefined : path.join(folder, "mutants");
  if (mutants === undefined && beside !== undefined && existsSync(beside)) return [beside];
  return mutants;
}

function show(found: Audit, { format, json }: Options): void {
  if (json) printJson(auditData(found));
  else if (format === "markdown") process.stdout.write(auditMarkdown(found));
  else process.stdout.write(renderAudit(found, { colour: colour.isColorSupported }));
}
