/** `crucible audit`: whether verdicts can be believed. The same checks many times, and what mutants said of them. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Command, Option } from "commander";
import { auditIn, beginAudit, makeRuns, runsIn } from "#cli/audit/runs";
import { countingNumber } from "#cli/generated-runs";
import { colour, printJson, remark } from "#cli/io";
import { newRun } from "#cli/run/execute";
import { select } from "#cli/run/select";
import { addRunOptions, settingsOf } from "#cli/run-options";
import { SETTING_ROWS, type SettingName, type Settings } from "#harness/config/settings";
import { HarnessError } from "#harness/errors";
import { loadCatalogue } from "#harness/requirements/catalogue";
import type { Requirement } from "#harness/requirements/requirement";
import { type MutatedCheck, mergeMutants, readMutantsRun } from "#harness/results/mutants-run";
import { readRun, type StoredRun } from "#harness/results/run-directory";
import { type Audit, audit } from "#reports/audit/audit";
import {
  type AuditedRun,
  type History,
  isHistory,
  newerMutants,
  readHistory,
  withMore,
  writeHistory,
} from "#reports/audit/history";
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
const OWN: readonly string[] = ["runs", "mutants", "history", "format", "json", "out", "seed"];

interface Options {
  readonly runs?: number;
  readonly mutants?: readonly string[];
  readonly history?: string;
  readonly format: (typeof FORMATS)[number];
  readonly json?: true;
}

export function auditCommand(): Command {
  const command = new Command("audit")
    .description("run the same checks many times and tell which verdicts are not stable")
    .argument(
      "[ids or runs...]",
      "requirement ids or globs; or stored runs and histories, to judge these alone",
    )
    .option("--runs <n>", `how often (default: ${RUNS})`, countingNumber)
    .option("--mutants <dir>", "run of `crucible mutants` (repeatable), or none", collect)
    .option("--history <file>", "verdicts of runs before count too, and those of these are added")
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
      "With --history the verdicts also go to a file that is small enough for a repository: --runs counts those in it, so that",
      "an audit can go on on another machine. To have a check that was mended begin anew, take its line out.",
      "A check is unstable when it had different verdicts; errors are told apart. The checks that were seen to fail by no",
      "mutant need --mutants; <out>/mutants is taken when it is there.",
      "Exit codes: 0 stable, 1 a verdict is unstable, 2 usage, 3 errors only, 4 nothing was compared, 130 interrupted.",
    ].join("\n"),
    examples: [
      "--runs 20 --suite core",
      "--runs 5 'CS.login.*' --out login-audit",
      "--runs 20 --out login-audit",
      "--runs 20 --suite core --history audit.jsonl",
      ".runs/<a> .runs/<b> .runs/<c> --mutants .runs/<d> --format markdown",
    ],
  });
}

async function run(given: readonly string[], options: Options, self: Command): Promise<void> {
  const { byId: requirements } = await loadCatalogue();
  const isStored = given.some(isRun);
  const { folder, runs, mutants } = isStored
    ? storedRuns(given, options, self)
    : await madeRuns(given, options, { self, requirements });
  const found = audit({ runs, requirements, mutants: mutants && mergeMutants([mutants]) });
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
  readonly runs: readonly StoredRun[];
  /** Undefined: nobody is to look at them. */
  readonly mutants: readonly MutatedCheck[] | undefined;
}

function storedRuns(given: readonly string[], options: Options, self: Command): Audited {
  const { out } = settingsOf(self).settings;
  if (!given.every(isRun) || options.runs !== undefined || options.history !== undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: "stored runs are judged alone",
      facts: [`stored: ${given.filter(isRun).join(", ")}`],
      next: "name stored runs and histories, or what is to run with --runs and --history",
    });
  }
  if (out !== undefined) mkdirSync(out, { recursive: true });
  const each = new Map(given.map((one) => [path.resolve(one), one]));
  const read = [...each.values()].map((one) => historyIn(one) ?? readRun(one));
  const known = read.flatMap((one) => ("audited" in one ? one.mutants : []));
  const runs = read.flatMap((one) => ("audited" in one ? one.runs : [one]));
  // The same run may be there itself, and in histories.
  const once = new Map(runs.map((one) => [one.startedAt ?? one.path, one]));
  return { folder: out, runs: [...once.values()], mutants: mutantsOf(options, out, known) };
}

function historyIn(given: string): History | undefined {
  const isFile = existsSync(given) && statSync(given).isFile();
  return isFile && isHistory(given) ? readHistory(given) : undefined;
}

interface Surroundings {
  readonly self: Command;
  readonly requirements: ReadonlyMap<string, Requirement>;
}

async function madeRuns(
  ids: readonly string[],
  options: Options,
  { self, requirements }: Surroundings,
): Promise<Audited> {
  const { runs = RUNS, history: file } = options;
  const { settings } = settingsOf(self);
  const { seed, runDirectory } = newRun(settings);
  const folder = path.relative(process.cwd(), runDirectory.path) || ".";
  const asked = [...ids, ...flagsGiven(self)];
  const begun = auditIn(folder);
  const kept = file === undefined ? undefined : readHistory(file);
  const common = begun ?? kept?.audited ?? { arguments: asked, seed };
  const wanted = {
    arguments: asked.length > 0 ? asked : common.arguments,
    seed: settings.seed ?? common.seed,
  };
  if (begun !== undefined) expectSame(begun, wanted, { place: folder, flag: "--out" });
  if (kept !== undefined) expectSame(kept.audited, wanted, { place: file, flag: "--history" });
  if (begun === undefined) {
    // What is wrong with the arguments is found before anything starts, and not once in each run.
    if (kept === undefined) await selectSome(settings, ids);
    beginAudit(folder, common);
  }
  remark(`${runs} runs, seed ${common.seed}, in ${folder}`);
  let history: History = kept ?? { audited: common, runs: [], mutants: [] };
  const keep = (more: Parameters<typeof withMore>[1]) => {
    history = withMore(history, more);
    if (file !== undefined) writeHistory(file, history, requirements);
  };
  const here = new Set(runsIn(folder).map(({ startedAt }) => startedAt));
  const elsewhere = history.runs.filter(({ startedAt }) => !here.has(startedAt));
  if (elsewhere.length > 0) remark(`${elsewhere.length} of them are in ${file}`);
  const made = await makeRuns(folder, {
    ...{ ...common, count: Math.max(0, runs - elsewhere.length) },
    again: `crucible audit --runs ${runs} --out ${folder}${file === undefined ? "" : ` --history ${file}`}`,
    onRun: (run) => keep({ runs: [run] }),
  });
  const mutants = mutantsOf(options, folder, history.mutants);
  keep({ mutants: mutants ?? [] });
  return { folder, runs: [...elsewhere, ...made], mutants };
}

/** @throws HarnessError BAD_USAGE when runs that are there are of something else */
function expectSame(
  there: AuditedRun,
  wanted: AuditedRun,
  { place, flag }: { readonly place: string | undefined; readonly flag: string },
): void {
  if (isDeepStrictEqual(there, wanted)) return;
  throw new HarnessError("BAD_USAGE", {
    what: `${place} has runs of something else`,
    facts: [`they are of: ${there.arguments.join(" ")} --seed ${there.seed}`],
    next: `name another with ${flag}, or this one with the same arguments or none`,
  });
}

async function selectSome(settings: Settings, ids: readonly string[]): Promise<void> {
  const { plan } = await select(settings, ids);
  if (plan.checks.length > 0) return;
  throw new HarnessError("NOTHING_RAN", {
    what: "no check is selected",
    next: "select more; `crucible list` shows what there is",
  });
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

/** What histories know, with what is named or else lies beside the audit. Undefined: nobody is to look at mutants. */
function mutantsOf(
  { mutants: named }: Options,
  folder: string | undefined,
  known: readonly MutatedCheck[],
): readonly MutatedCheck[] | undefined {
  if (named?.includes("none")) return undefined;
  const beside = folder === undefined ? undefined : path.join(folder, "mutants");
  const runs = named ?? (beside !== undefined && existsSync(beside) ? [beside] : []);
  if (runs.length === 0 && known.length === 0) return undefined;
  return newerMutants(known, [...mergeMutants(runs.map(readMutantsRun)).values()]);
}

function show(found: Audit, { format, json }: Options): void {
  if (json) printJson(auditData(found));
  else if (format === "markdown") process.stdout.write(auditMarkdown(found));
  else process.stdout.write(renderAudit(found, { colour: colour.isColorSupported }));
}
