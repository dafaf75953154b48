/** `crucible explain`: all that is known of one requirement. Needs no server. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import { colour, print, printJson } from "#cli/io";
import { loadCatalogue, PROJECT_ROOT } from "#harness/requirements/catalogue";
import { type IndexedCheck, indexChecks } from "#harness/requirements/check-index";
import { complementTests } from "#harness/requirements/generate";
import type { Requirement } from "#harness/requirements/requirement";
import { globMatcher, requirementById } from "#harness/requirements/select";
import type { Basis } from "#harness/results/outcome";
import { readManifest } from "#reports/expectations/manifest";
import { withHelp } from "./options.ts";

/** What the manifests under `drivers/` say of a requirement. */
interface KnownDeviation {
  readonly implementation: string;
  readonly expect: string;
  /** Title of the check, when it is not all of the requirement's. */
  readonly check?: string;
  readonly when: Readonly<Record<string, unknown>>;
  readonly reason: string;
  readonly issue?: string;
  readonly evidence?: string;
}

const BASIS: Readonly<Record<Basis, string>> = {
  text: "a normative sentence of the source",
  derived: "not a normative sentence: follows from the source by a short argument",
  practice: "not a normative sentence: clients rely on it",
};

export function explainCommand(): Command {
  const command = new Command("explain")
    .description("explain one requirement: the rule, its source, how it is checked, who deviates")
    .argument("<id>", "id of the requirement")
    .option("--json", "the same facts as an object")
    .action(explain);
  return withHelp(command, "explain", {
    examples: ["CS.login.password", "CS.login.password --json"],
  });
}

async function explain(id: string, { json }: { json?: true }): Promise<void> {
  const catalogue = await loadCatalogue();
  const requirement = requirementById(catalogue, id);
  const [index, deviations] = await Promise.all([indexChecks(), knownDeviations(id)]);
  const checks = index.byId.get(id) ?? [];
  if (json) {
    const places = checks.map(({ title, file, line, mutants }) => ({
      title,
      file: relative(file),
      line,
      mutants,
    }));
    printJson({
      ...requirement,
      complement: complementTests(requirement.complement),
      checks: places,
      deviations,
    });
    return;
  }
  for (const [name, lines] of sections(requirement, checks, deviations)) {
    for (const [position, line] of lines.entries()) {
      print(`${colour.dim((position === 0 ? name : "").padEnd(12))}${line}`);
    }
  }
}

function sections(
  requirement: Requirement,
  checks: readonly IndexedCheck[],
  deviations: readonly KnownDeviation[],
): readonly (readonly [string, readonly string[]])[] {
  const {
    id,
    statement,
    level,
    basis,
    source,
    check,
    negative,
    needs,
    party,
    unstable,
    todo,
    retired,
  } = requirement;
  const optional = (name: string, text: string | undefined) =>
    [name, text === undefined ? [] : [text]] as const;
  const missing = todo === undefined ? "none yet" : "none yet, see todo";
  return [
    ["id", [colour.bold(id)]],
    optional("retired", retired),
    ["rule", [statement]],
    ["level", [level]],
    ["basis", [`${basis}: ${BASIS[basis]}`]],
    ["source", [source]],
    ["how", [check]],
    optional("violation", negative),
    ["checks", checks.length === 0 ? [missing] : checks.map(checkLine)],
    ["needs", needs.length === 0 ? [] : [needs.join(", ")]],
    optional("party", party),
    optional("unstable", unstable),
    optional(
      "sensitive",
      requirement.sensitive ? "yes: evidence of a failure stays in the run directory" : undefined,
    ),
    ["complement", complementTests(requirement.complement)],
    optional("todo", todo),
    ["deviations", deviations.length === 0 ? ["none known"] : deviations.map(deviationLine)],
  ];
}

function checkLine({ title, file, line }: IndexedCheck): string {
  return `${title} (${relative(file)}:${line})`;
}

function deviationLine(deviation: KnownDeviation): string {
  const { implementation, expect, check, when, reason, issue, evidence } = deviation;
  const conditions = Object.entries(when).map(([name, value]) => `${name} ${String(value)}`);
  const facts = [reason, check && `check: ${check}`, issue ?? evidence].filter(Boolean);
  return `${[implementation, ...conditions].join(", ")}: ${expect}, ${facts.join("; ")}`;
}

function relative(file: string): string {
  return path.relative(PROJECT_ROOT, file);
}

/** Entries of `drivers/<name>/expectations.yaml` for an id; globs count. */
async function knownDeviations(id: string): Promise<readonly KnownDeviation[]> {
  const folder = path.join(PROJECT_ROOT, "drivers");
  const names = await readdir(folder);
  const files = names.sort().map((name) => path.join(folder, name, "expectations.yaml"));
  return files
    .filter((file) => existsSync(file))
    .map(readManifest)
    .flatMap(({ implementation, entries }) =>
      entries
        .filter((entry) => globMatcher(entry.id)(id))
        .map(({ check, expect, when = {}, reason, issue, evidence }) => ({
          implementation,
          expect: [expect].flat().join(" or "),
          when,
          reason,
          ...(check === undefined ? {} : { check }),
          ...(issue === undefined ? {} : { issue }),
          ...(evidence === undefined ? {} : { evidence }),
        })),
    );
}
