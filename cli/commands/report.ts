import { writeFileSync } from "node:fs";
import { Command, Option } from "commander";
import { colour, print, printJson } from "#cli/io";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { readRun } from "#harness/results/run-directory";
import { renderConsole } from "#reports/render/console";
import { renderJunit } from "#reports/render/junit";
import { renderMarkdown } from "#reports/render/markdown";
import { type Summary, summarise } from "#reports/summarise";

interface ReportOptions {
  readonly format: "console" | "markdown" | "junit";
  readonly out?: string;
  readonly disclose: boolean;
  readonly strict: boolean;
  readonly json?: boolean;
}

export function reportCommand(): Command {
  return new Command("report")
    .description("render stored runs again, in any format")
    .argument("<runs...>", "run directories or results.jsonl files")
    .addOption(
      new Option("--format <name>", "what to write")
        .choices(["console", "markdown", "junit"])
        .default("console"),
    )
    .option("--out <file>", "write there instead of to standard output")
    .option("--disclose", "show evidence of sensitive findings", false)
    .option("--strict", "a missed SHOULD counts as a regression", false)
    .option("--json", "print the summary as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  crucible report .runs/<id>\n  crucible report .runs/<id> --format junit --out junit.xml",
    )
    .action(async (runs: string[], options: ReportOptions) => {
      const { byId } = await loadCatalogue();
      const stored = runs.map((run) => readRun(run));
      const [first] = stored;
      const summary = summarise({
        path: runs.join(", "),
        header: first?.header,
        results: stored.flatMap(({ results }) => results),
        evidence: stored.flatMap(({ evidence }) => evidence),
        requirements: byId,
        strict: options.strict,
      });
      if (options.json === true) {
        const { deployments, counts, levels, verdict, exitCode } = summary;
        printJson({ deployments, counts, levels, verdict, exitCode });
        return;
      }
      const text = render(summary, options);
      if (options.out === undefined) process.stdout.write(text);
      else {
        writeFileSync(options.out, text);
        print(`written: ${options.out}`);
      }
    });
}

function render(summary: Summary, { format, disclose, out }: ReportOptions): string {
  if (format === "markdown") return renderMarkdown(summary, { disclose });
  if (format === "junit") return renderJunit(summary, { disclose });
  return renderConsole(summary, { disclose, colour: out === undefined && colour.isColorSupported });
}
