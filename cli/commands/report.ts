/** `crucible report`: stored runs in any format, with the numbers that they had. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Command, Option } from "commander";
import { figuresOfRuns, withCallFigures } from "#cli/calls/figures";
import { colour, printJson, remark } from "#cli/io";
import { HarnessError } from "#harness/errors";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { readRun } from "#harness/results/run-directory";
import { didYouMean } from "#harness/suggest";
import { mergeRuns } from "#reports/merge";
import type { RunFigures } from "#reports/render/call-plot";
import { renderConsole } from "#reports/render/console";
import { summaryData } from "#reports/render/json";
import { renderJunit } from "#reports/render/junit";
import { renderMarkdown } from "#reports/render/markdown";
import { type Summary, summarise } from "#reports/summarise";
import { withHelp } from "./options.ts";

const FORMATS = ["console", "markdown", "junit"] as const;
type Format = (typeof FORMATS)[number];

interface Options {
  readonly format: Format;
  readonly out?: string;
  readonly site?: string;
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
        .argParser(formatOf),
    )
    .option("--out <file>", "write there instead of to standard output")
    .option("--site <folder>", "write a static site instead, which needs no server and no network")
    .option("--disclose", "show evidence of sensitive findings", false)
    .option("--strict", "a missed SHOULD counts as a regression; as in the runs unless given")
    .option("--json", "the summary as an object: verdict, exitCode, counts, levels, findings")
    .action(report);
  return withHelp(command, "report", {
    notes:
      "Several runs are counted together: shards of one run, or runs of different servers.\n" +
      "A site also has their history in the order given, and what changed between any two; of folders\n" +
      "that `crucible chaos` wrote it has the recoveries.",
    examples: [
      ".runs/20261124-103000-4f2a",
      ".runs/20261124-103000-4f2a --format junit --out junit.xml",
      "shard-1 shard-2 --format markdown",
      ".runs/<a> .runs/<b> --site site",
    ],
  });
}

async function report(runs: readonly string[], options: Options): Promise<void> {
  if (options.site !== undefined) return await site(runs, options.site, options);
  const stored = runs.map((run) => readRun(run));
  const { byId } = await loadCatalogue();
  const merged = mergeRuns(stored);
  const summary = summarise({
    ...merged,
    requirements: byId,
    strict: options.strict ?? merged.strict,
  });
  const calls = figuresOfRuns(stored);
  const data = () => ({
    ...summaryData(summary, { ...options, ...fromOf(options) }),
    ...(calls.length === 0 ? {} : { calls }),
  });
  const text = options.json
    ? `${JSON.stringify(data(), null, 2)}\n`
    : withCalls(render(summary, options), calls, options);
  if (options.out === undefined) {
    process.stdout.write(text);
    return;
  }
  write(options.out, text);
  remark(`written: ${options.out}`);
}

/** Behind the report how fast calls were, with a plot beside a file. */
function withCalls(text: string, calls: readonly RunFigures[], { format, out }: Options): string {
  if (format === "junit") return text;
  if (format === "console" || out === undefined) return withCallFigures(text, format, calls);
  return withCallFigures(text, format, calls, (svg) => {
    const plot = out.replace(/(?:\.\w+)?$/, ".calls.svg");
    write(plot, svg);
    remark(`written: ${plot}`);
    return encodeURIComponent(path.basename(plot));
  });
}

/** Its builder is loaded for nothing else. */
async function site(runs: readonly string[], folder: string, options: Options): Promise<void> {
  const [{ writeSite }, { isChaosRun }] = await Promise.all([
    import("#cli/site/write-site"),
    import("#cli/site/measured"),
  ]);
  const stored = runs.filter((run) => !isChaosRun(run)).map((run) => readRun(run));
  const chaosRuns = runs.filter(isChaosRun);
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

/** Links go from where the report lies. */
function fromOf({ out }: Options): { readonly from?: string } {
  return out === undefined ? {} : { from: path.dirname(out) };
}

function render(summary: Summary, options: Options): string {
  const { format, disclose, out } = options;
  switch (format) {
    case "markdown":
      return renderMarkdown(summary, { disclose, ...fromOf(options) });
    case "junit":
      return renderJunit(summary, { disclose, ...fromOf(options) });
    case "console": {
      const isForTerminal = out === undefined && colour.isColorSupported;
      return renderConsole(summary, { disclose, colour: isForTerminal, ...fromOf(options) });
    }
  }
}

function formatOf(word: string): Format {
  const format = FORMATS.find((known) => known === word);
  if (format !== undefined) return format;
  throw new HarnessError("BAD_USAGE", {
    what: `there is no format ${word}`,
    next: didYouMean(word, FORMATS),
  });
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `the report ${file} can not be written`,
      facts: [String(cause)],
      next: "name a file in a folder that exists and can be written",
      cause,
    });
  }
}
