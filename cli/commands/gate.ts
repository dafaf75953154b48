/** `crucible gate`: whether a pull request may go in. Only what got worse against a baseline stops it. */
import { Command, Option } from "commander";
import { colour, printJson } from "#cli/io";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { readRun } from "#harness/results/run-directory";
import { type Gate, gate } from "#reports/baseline/gate";
import { gateData, gateMarkdown, renderGate } from "#reports/render/gate";
import { nameParser, writeGithub, writeReport } from "./files.ts";
import { collect, withHelp } from "./options.ts";

const FORMATS = ["console", "markdown", "github"] as const;

interface Options {
  readonly baseline: readonly string[];
  readonly run: readonly string[];
  readonly format: (typeof FORMATS)[number];
  readonly out?: string;
  readonly expect?: string;
  readonly strict?: true;
  readonly allowMismatch?: true;
  readonly disclose: boolean;
  readonly json?: true;
}

export function gateCommand(): Command {
  const command = new Command("gate")
    .description("judge runs by a baseline: only what got worse fails")
    .requiredOption("--baseline <file>", "results of the base branch (repeatable)", collect)
    .requiredOption("--run <dir>", "run directory or results.jsonl (repeatable: shards)", collect)
    .addOption(
      new Option("--format <name>", `what to write: ${FORMATS.join(", ")}`)
        .default("console")
        .argParser(nameParser("format", FORMATS)),
    )
    .option("--out <file>", "write there instead of to standard output")
    .option("--expect <file>", "manifest that annotations point at, for --format github")
    .option("--strict", "fail also by what is flaky now, or lost its verdict")
    .option("--allow-mismatch", "compare also when topology or implementation differ")
    .option("--disclose", "show evidence of sensitive findings", false)
    .option("--json", "an object {verdict, exitCode, counts, regressions, fixed, new, flaky, …}")
    .action(run);
  return withHelp(command, "gate", {
    notes: [
      "Exit codes: 0 nothing got worse, 1 a regression, 2 a report is missing, not whole or of something else,",
      "3 trouble of the harness or of the machine, 4 nothing ran. A missing shard is trouble.",
      "--format github writes annotations to standard output, and the summary to --out or $GITHUB_STEP_SUMMARY.",
    ].join("\n"),
    examples: [
      "--baseline crucible-baseline.jsonl --run .runs/20261124-103000-4f2a",
      "--baseline base/results.jsonl --run shard-1 --run shard-2 --run shard-3 --strict",
      "--baseline sqlite.jsonl --baseline postgres.jsonl --run a --run b --format markdown --out gate.md",
      "--baseline base.jsonl --run results --format github --expect ci/expectations.yaml",
    ],
  });
}

async function run(options: Options): Promise<void> {
  const baselines = options.baseline.map((file) => readRun(file));
  const runs = options.run.map((folder) => readRun(folder));
  const { byId: requirements } = await loadCatalogue();
  const judged = gate({
    baselines,
    runs,
    requirements,
    disclose: options.disclose,
    strict: options.strict === true,
    allowMismatch: options.allowMismatch === true,
  });
  process.exitCode = judged.exitCode;
  if (options.json) printJson(gateData(judged, options));
  else if (options.format === "github") github(judged, options);
  else writeReport(options.out, render(judged, options));
}

function render(judged: Gate, { format, disclose, out }: Options): string {
  if (format === "markdown") return gateMarkdown(judged, { disclose });
  return renderGate(judged, { disclose, colour: out === undefined && colour.isColorSupported });
}

function github(judged: Gate, { disclose, out, expect }: Options): void {
  const regressions = judged.regressions.flatMap(({ finding }) => finding ?? []);
  writeGithub(regressions, gateMarkdown(judged, { disclose }), { disclose, expect, out });
}
