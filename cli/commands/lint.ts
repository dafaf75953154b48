/** `crucible lint`: catalogue, checks and generated files agree. Exit code 1 when they do not. */
import { Command } from "commander";
import { colour, print, printJson } from "#cli/io";
import { storyChecks, storyPage } from "#cli/utd/story-files";
import { HarnessError } from "#harness/errors";
import { type Catalogue, loadCatalogue } from "#harness/requirements/catalogue";
import { indexChecks } from "#harness/requirements/check-index";
import { generateFiles, staleFiles, writeFiles } from "#harness/requirements/generate";
import {
  type Counts,
  type LintReport,
  lintCatalogue,
  type Problem,
} from "#harness/requirements/lint";
import { withHelp } from "./options.ts";

interface Options {
  readonly write?: true;
  readonly json?: true;
}

export function lintCommand(): Command {
  const command = new Command("lint")
    .description(
      "check that requirements, checks and generated files agree; exit code 1 when they do not",
    )
    .option(
      "--write",
      "write the generated files: the id type, the checks of stories, and tables in docs",
    )
    .option("--json", "an object {problems: [{kind, place, what}], counts, written}")
    .action(lint);
  return withHelp(command, "lint", { examples: ["", "--write", "--json"] });
}

async function lint({ write, json }: Options): Promise<void> {
  const { problems, counts, written } = await examine(write === true);
  if (problems.length > 0) process.exitCode = 1;
  if (json) return printJson({ problems, counts, written });
  for (const name of written) print(`wrote ${name}`);
  for (const { place, what } of problems) print(`${place}: ${what}`);
  for (const { suite, must, should, may } of counts) {
    print(
      colour.dim(`${suite}: ${tell("MUST", must)}; ${tell("SHOULD", should)}; ${tell("MAY", may)}`),
    );
  }
  print(
    problems.length === 0
      ? "no problems"
      : `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`,
  );
}

async function examine(write: boolean): Promise<LintReport & { written: readonly string[] }> {
  // The index is of the checks that are there, those that are made from stories among them.
  const checks = storyChecks();
  const writtenChecks = write ? await writeFiles(checks) : [];
  const [loaded, index] = await Promise.all([loadOrProblems(), indexChecks()]);
  if ("problems" in loaded) return { problems: loaded.problems, counts: [], written: [] };
  const { catalogue } = loaded;
  const pages = [...generateFiles(catalogue, index), storyPage(catalogue.requirements)];
  const files = [...checks, ...pages];
  const written = write ? [...writtenChecks, ...(await writeFiles(pages))] : [];
  const { problems, counts } = lintCatalogue(catalogue, index);
  return { problems: [...problems, ...(await staleFiles(files))], counts, written };
}

/** An unreadable catalogue is a finding here, where every other command has to give up. */
async function loadOrProblems(): Promise<
  { catalogue: Catalogue } | { problems: readonly Problem[] }
> {
  try {
    return { catalogue: await loadCatalogue() };
  } catch (error) {
    if (!(error instanceof HarnessError) || error.code !== "BAD_FILE") throw error;
    return {
      problems: error.facts.map((fact) => {
        const [, place = "suites", what = fact] = /^(\S+:\d+): (.*)$/s.exec(fact) ?? [];
        return { kind: "bad-file" as const, place, what };
      }),
    };
  }
}

function tell(level: string, { total, checked, todo, open }: Counts): string {
  return `${level} ${checked} of ${total} checked, ${todo} todo, ${open} open`;
}
