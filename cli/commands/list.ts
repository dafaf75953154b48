/** `crucible list`: which requirements there are and what decides them. Needs no server. */
import { Command } from "commander";
import { colour, print, printJson } from "#cli/io";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { type CheckIndex, indexChecks } from "#harness/requirements/check-index";
import type { Requirement } from "#harness/requirements/requirement";
import { listRequirements } from "#harness/requirements/select";
import { collect, withHelp } from "./options.ts";

interface Options {
  readonly suite?: readonly string[];
  readonly level?: readonly string[];
  readonly json?: true;
}

/** One element of `list --json`. */
export interface ListedRequirement
  extends Pick<Requirement, "id" | "level" | "suite" | "source" | "needs"> {
  /** Titles. */
  readonly checks: readonly string[];
  readonly todo?: string;
  readonly retired?: string;
}

export function listCommand(): Command {
  const command = new Command("list")
    .description("list the requirements and their checks")
    .argument(
      "[ids...]",
      "ids or globs, such as CS.login.password or 'CS.push.*'; all unless given",
    )
    .option("--suite <suite>", "only this suite (repeatable)", collect)
    .option("--level <level>", "only MUST, SHOULD or MAY (repeatable)", collect)
    .option("--json", "an array of {id, level, suite, source, needs, checks, todo?, retired?}")
    .action(list);
  return withHelp(command, "list", {
    examples: ["'CS.push.*'", "--suite core --level SHOULD --json"],
  });
}

async function list(
  ids: readonly string[],
  { suite = [], level = [], json }: Options,
): Promise<void> {
  const [catalogue, index] = await Promise.all([loadCatalogue(), indexChecks()]);
  const listed = listRequirements(catalogue, { ids, suites: suite, levels: level }).map((item) =>
    describe(item, index),
  );
  if (json) return printJson(listed);
  printTable(listed);
}

function describe(
  { id, level, suite, source, needs, todo, retired }: Requirement,
  index: CheckIndex,
): ListedRequirement {
  const checks = (index.byId.get(id) ?? []).map(({ title }) => title);
  return {
    id,
    level,
    suite,
    source,
    needs,
    checks,
    ...(todo === undefined ? {} : { todo }),
    ...(retired === undefined ? {} : { retired }),
  };
}

function printTable(listed: readonly ListedRequirement[]): void {
  const rows = listed.map((item) => [
    item.id,
    item.level,
    item.suite,
    stateOf(item),
    item.needs.join(" "),
    item.source,
  ]);
  const head = ["id", "level", "suite", "checks", "needs", "source"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  print(colour.bold(line(head)));
  for (const row of rows) print(line(row));
  const checked = listed.filter(({ checks }) => checks.length > 0).length;
  print(colour.dim(`${listed.length} requirements, ${checked} with checks`));
}

function stateOf({ checks, todo, retired }: ListedRequirement): string {
  if (retired !== undefined) return "retired";
  if (checks.length > 0) return String(checks.length);
  return todo === undefined ? "none" : "todo";
}
