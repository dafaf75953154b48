/** `crucible expect`: the manifest of expected failures. Needs no server. */
import { Command } from "commander";
import { print, printJson, remark } from "#cli/io";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { indexChecks } from "#harness/requirements/check-index";
import { readRun } from "#harness/results/run-directory";
import { checkManifest } from "#reports/expectations/check";
import { readManifest } from "#reports/expectations/manifest";
import { proposeUpdate, quoted } from "#reports/expectations/update";
import { withHelp } from "./options.ts";

const NOTES = "docs/expectations.md tells the format.";

export function expectCommand(): Command {
  const command = new Command("expect")
    .description("the manifest of expected failures: check it, or propose changes")
    .addCommand(checkCommand())
    .addCommand(updateCommand());
  return withHelp(command, "expect", {
    notes: NOTES,
    examples: [
      "check drivers/synapse/expectations.yaml",
      "update .runs/20261124-103000-4f2a --expect drivers/synapse/expectations.yaml",
    ],
  });
}

function checkCommand(): Command {
  const command = new Command("check")
    .description(
      "unknown ids, duplicates, entries without reason or evidence or due for review; exit code 1 when there are any",
    )
    .argument("<file>", "manifest")
    .option("--json", "an object {entries: <count>, problems: [<file:line: what>]}")
    .action(check);
  return withHelp(command, "expect check", {
    notes: NOTES,
    examples: ["drivers/synapse/expectations.yaml"],
  });
}

function updateCommand(): Command {
  const command = new Command("update")
    .description("print what would make a manifest fit a run; reasons are yours to write")
    .argument("<run>", "run directory or results.jsonl")
    .option("--expect <file>", "the manifest that the run used")
    .option("--json", "an object {add: [<YAML>], change: [<what>], remove: [<what>]}")
    .action(update);
  return withHelp(command, "expect update", {
    notes: `Nothing is written: every entry says TODO, which \`expect check\` refuses. ${NOTES}`,
    examples: [
      ".runs/20261124-103000-4f2a --expect drivers/synapse/expectations.yaml",
      ".runs/20261124-103000-4f2a > expectations.yaml",
    ],
  });
}

async function check(file: string, { json }: { readonly json?: true }): Promise<void> {
  const manifest = readManifest(file);
  const [{ byId: requirements }, index] = await Promise.all([loadCatalogue(), indexChecks()]);
  const problems = checkManifest(manifest, {
    requirements,
    titlesOf: (id) => (index.byId.get(id) ?? []).map(({ title }) => title),
    today: new Date().toISOString().slice(0, 10),
  });
  if (problems.length > 0) process.exitCode = 1;
  const entries = manifest.entries.length;
  if (json) return printJson({ entries, problems });
  for (const problem of problems) print(problem);
  print(
    `${plural(entries, "entry", "entries")}, ${plural(problems.length, "problem", "problems")}`,
  );
}

async function update(
  run: string,
  { expect, json }: { readonly expect?: string; readonly json?: true },
): Promise<void> {
  const stored = readRun(run);
  const manifest = expect === undefined ? undefined : readManifest(expect);
  const { byId } = await loadCatalogue();
  const proposal = proposeUpdate(stored.results, manifest, byId);
  if (json) return printJson(proposal);
  const { add, change, remove } = proposal;
  if (add.length + change.length + remove.length === 0) return remark("nothing to change");
  for (const place of remove) print(`# delete ${place}`);
  for (const place of change) print(`# change ${place}`);
  if (manifest === undefined && add.length > 0) {
    const name = stored.header?.deployments[0]?.servers[0]?.implementation ?? "TODO";
    print(`format: 1\nimplementation: ${quoted(name)}\nentries:`);
  }
  for (const entry of add) print(entry);
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
