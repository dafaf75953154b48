/** `crucible report`: stored runs in any format, with the numbers that they had. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Command, Option } from "commander";
import { figuresOfRuns, withCallFigures } from "#cli/calls/figures";
import { colour, printJson, remark } from "#cli/io";
import { shareRun } from "#cli/share-run";
import { isChaosRun } from "#cli/site/measured";
import { writing } from "#cli/writing";
import { HarnessError } from "#harness/errors";
import { loadCatalogue } from "#harness/requirements/catalogue";
import type { Requirement } from "#harness/requirements/requirement";
import { readRun, type StoredRun } from "#harness/results/run-directory";
import { baselineText } from "#reports/baseline/baseline";
import { joinRuns, mergeRuns, missingShards } from "#reports/merge";
import { badges } from "#reports/render/badges";
import { callFiguresData, type RunFigures } from "#reports/render/call-plot";
import { renderConsole } from "#reports/render/console";
import { summaryData } from "#reports/render/json";
import { renderJunit } from "#reports/render/junit";
import { renderMarkdown } from "#reports/render/markdown";
import { type Summary, summarise } from "#reports/summarise";
import { nameParser, writeGithub, writeReport } from "./files.ts";
import { withHelp } from "./options.ts";

const FORMATS = ["console", "markdown", "junit", "github", "baseline"] as const;
type Format = (typeof FORMATS)[number];
type TextFormat = Exclude<Format, "github" | "baseline">;

interface Options {
  readonly format: Format;
  readonly out?: string;
  readonly site?: string;
  readonly allure?: string;
  readonly badges?: string;
  readonly share?: string;
  readonly expect?: string;
  readonly disclose: boolean;
  readonly strict?: true;
  readonly json?: true;
}

export function reportCommand(): Command {
  const command = new Command("report")
    .description("render stored runs again, in any format")
    .argument("<runs...>", "run directories or results.jsonl files")
    .addOption(
      new Option("--reporter, --format <name>", `what to write: ${FORMATS.join(", ")}`)
        .default("console")
        .argParser(nameParser("format", FORMATS)),
    )
    .option("--out <file>", "write there instead of to standard output")
    .option("--site <folder>", "write a static site, which needs no server and no network")
    .option("--allure <place>", "write Allure results to a folder, or a report to one .html file")
    .option("--badges <folder>", "write badges for shields.io, of each MSC or area and level")
    .option("--share <folder>", "copy one run without what failed sensitive checks saw")
    .option("--expect <file>", "manifest that annotations point at, for --format github")
    .option("--disclose", "show evidence of sensitive findings", false)
    .option("--strict", "a missed SHOULD counts as a regression; as in the runs unless given")
    .option("--json", "the summary as an object: verdict, exitCode, counts, levels, findings")
    .action((runs: string[], options: Options, self: Command) =>
      report(runs, options, self.getOptionValueSource("format") === "cli"),
    );
  return withHelp(command, "report", {
    notes: [
      "Several runs are counted together: shards of one run, or runs of different servers.",
      "--site, --allure, --badges and --share can be given together, and with --out; alone they print no report.",
      "Allure's one .html file needs Java.",
      "--format github writes annotations to standard output, and the summary to --out or $GITHUB_STEP_SUMMARY.",
      "A site also has their history in the order given, and what changed between any two; of folders that",
      "`crucible chaos` wrote it has the recoveries.",
    ].join("\n"),
    examples: [
      ".runs/20261124-103000-4f2a",
      ".runs/20261124-103000-4f2a --format junit --out junit.xml",
      "shard-1 shard-2 --format markdown",
      ".runs/<a> .runs/<b> --site site",
      "shard-1 shard-2 --format baseline --out crucible-baseline.jsonl",
      "shard-1 shard-2 --allure allure-results --badges badges",
      ".runs/20261124-103000-4f2a --allure allure.html",
    ],
  });
}

async function report(
  runs: readonly string[],
  options: Options,
  isFormatGiven: boolean,
): Promise<void> {
  // A site has recoveries too: nothing else has a use for them.
  const chaosRuns = options.site === undefined ? [] : runs.filter(isChaosRun);
  const stored = runs.filter((run) => !chaosRuns.includes(run)).map((run) => readRun(run));
  if (options.site !== undefined) await site(options.site, stored, chaosRuns, options);
  const { byId } = await loadCatalogue();
  const merged = mergeRuns(stored);
  const summary = summarise({
    ...merged,
    requirements: byId,
    strict: options.strict ?? merged.strict,
  });
  if (options.allure !== undefined) await allure(options.allure, summary, stored, options);
  if (options.badges !== undefined) writeBadges(options.badges, summary);
  if (options.share !== undefined) share(options.share, stored, byId);
  const isFolderAsked = (["site", "allure", "badges", "share"] as const).some(
    (name) => options[name] !== undefined,
  );
  // The object that a site is told by is the only one on standard output.
  const isPrinted = options.json === true ? options.site === undefined : isFormatGiven;
  const isTextAsked = isPrinted || options.out !== undefined;
  if (isFolderAsked && !isTextAsked) return;
  const calls = figuresOfRuns(stored);
  if (options.json) {
    const data = {
      ...summaryData(summary, { ...options, ...fromOf(options) }),
      ...(calls.length === 0 ? {} : { calls: callFiguresData(calls) }),
    };
    writeReport(options.out, `${JSON.stringify(data, null, 2)}\n`);
  } else if (options.format === "github") {
    const { disclose, expect, out } = options;
    const markdown = renderMarkdown(summary, { disclose, ...fromOf(options) });
    // What GitHub shows has nothing beside it.
    const text = withCallFigures(markdown, "markdown", calls);
    writeGithub(summary.regressions, text, { disclose, expect, out });
  } else if (options.format === "baseline") {
    writeReport(options.out, wholeBaseline(stored, byId));
  } else {
    const { format, out } = options;
    writeReport(out, withCalls(render(summary, format, options), calls, format, out));
  }
}

/** Behind the report how fast calls were, with a plot beside a file. */
function withCalls(
  text: string,
  calls: readonly RunFigures[],
  format: TextFormat,
  out: string | undefined,
): string {
  if (format === "junit") return text;
  if (format === "console" || out === undefined) return withCallFigures(text, format, calls);
  return withCallFigures(text, format, calls, (svg) => {
    const plot = out.replace(/(?:\.\w+)?$/, ".calls.svg");
    writeReport(plot, svg);
    return encodeURIComponent(path.basename(plot));
  });
}

/** Its builder is loaded for nothing else. */
async function site(
  folder: string,
  stored: readonly StoredRun[],
  chaosRuns: readonly string[],
  options: Options,
): Promise<void> {
  const { writeSite } = await import("#cli/site/write-site");
  const { disclose, strict } = options;
  const written = await writeSite(folder, stored, {
    disclose,
    chaosRuns,
    ...(strict === undefined ? {} : { strict }),
  });
  const index = path.join(folder, "index.html");
  if (options.json) printJson({ index, ...written });
  else {
    const sizes = Object.entries(written.bytes).map(([of, bytes]) => `${of} ${kilobytes(bytes)}`);
    remark(`written: ${index}, ${written.files} files: ${sizes.join(", ")}`);
  }
  for (const line of written.leftOut) remark(`left out: ${line}`);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(0)} kB`;
}

/** @throws HarnessError BAD_USAGE for what is no whole run: as a baseline it would let everything else through. */
function wholeBaseline(
  runs: readonly StoredRun[],
  requirements: ReadonlyMap<string, Requirement>,
): string {
  const { header, results, troubles } = joinRuns(runs);
  const lacks = [...troubles, ...missingShards(runs)];
  if (header !== undefined && lacks.length === 0)
    return baselineText(header, results, requirements);
  throw new HarnessError("BAD_USAGE", {
    what: "a baseline is made of whole runs",
    facts: lacks.length === 0 ? ["a run does not say what was run"] : lacks,
    next: "name runs that came to their end, and all shards",
  });
}

function share(
  folder: string,
  runs: readonly StoredRun[],
  requirements: ReadonlyMap<string, Requirement>,
): void {
  const [run, ...others] = runs;
  if (run === undefined || others.length > 0) {
    throw new HarnessError("BAD_USAGE", {
      what: "--share copies one run",
      next: "name one run, and the others by calls of their own",
    });
  }
  const { leftOut } = shareRun(run, folder, requirements);
  remark(`written: ${folder}`);
  if (leftOut.length > 0) remark(`left out, since a sensitive check failed: ${leftOut.join(", ")}`);
}

/** What makes one file of it is loaded for nothing else. */
async function allure(
  place: string,
  summary: Summary,
  runs: readonly StoredRun[],
  { disclose }: Options,
): Promise<void> {
  const { writeAllure } = await import("#cli/allure/write-results");
  const { results, leftOut } = await writeAllure(place, summary, runs, { disclose });
  remark(`written: ${place}, ${results} results`);
  for (const line of leftOut) remark(`left out: ${line}`);
}

function writeBadges(folder: string, summary: Summary): void {
  const files = badges(summary);
  writing(`the badges in ${folder}`, "name a folder that can be written", () => {
    for (const { name, content } of files) {
      mkdirSync(path.join(folder, path.dirname(name)), { recursive: true });
      writeFileSync(path.join(folder, name), content);
    }
  });
  remark(`written: ${folder}, ${files.length} badges`);
}

/** Links go from where the report lies. */
function fromOf({ out }: { readonly out?: string | undefined }): { readonly from?: string } {
  return out === undefined ? {} : { from: path.dirname(out) };
}

function render(summary: Summary, format: TextFormat, { disclose, out }: Options): string {
  const options = { disclose, ...fromOf({ out }) };
  switch (format) {
    case "markdown":
      return renderMarkdown(summary, options);
    case "junit":
      return renderJunit(summary, options);
    case "console": {
      const isForTerminal = out === undefined && colour.isColorSupported;
      return renderConsole(summary, { ...options, colour: isForTerminal });
    }
  }
}
