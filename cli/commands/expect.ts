import { Command } from "commander";
import { print, printJson } from "#cli/io";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { readRun } from "#harness/results/run-directory";
import { checkManifest, readManifest } from "#reports/expectations/manifest";
import { proposeUpdate } from "#reports/expectations/update";

export function expectCommand(): Command {
  const command = new Command("expect").description(
    "the manifest of expected failures: check it, or propose changes",
  );
  command
    .command("check")
    .description("unknown ids, duplicates, missing reasons, entries that are due for review")
    .argument("<file>", "manifest")
    .option("--json", "print the problems as JSON")
    .addHelpText("after", "\nExample:\n  crucible expect check drivers/synapse/expectations.yaml")
    .action(async (file: string, { json }: { json?: boolean }) => {
      const { byId } = await loadCatalogue();
      const manifest = readManifest(file);
      const problems = checkManifest(manifest, byId, new Date().toISOString().slice(0, 10));
      if (json === true) printJson({ entries: manifest.entries.length, problems });
      else {
        for (const problem of problems) print(problem);
        print(`${manifest.entries.length} entries, ${problems.length} problems`);
      }
      if (problems.length > 0) process.exitCode = 1;
    });
  command
    .command("update")
    .description(
      "print the entries that would make a manifest fit a run; reasons are yours to write",
    )
    .argument("<run>", "run directory or results.jsonl")
    .option("--expect <file>", "the manifest that the run used")
    .option("--json", "print the proposal as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  crucible expect update .runs/<id> --expect drivers/synapse/expectations.yaml",
    )
    .action(async (run: string, { expect, json }: { expect?: string; json?: boolean }) => {
      const { byId } = await loadCatalogue();
      const manifest = expect === undefined ? undefined : readManifest(expect);
      const proposal = proposeUpdate(readRun(run).results, manifest, byId);
      if (json === true) {
        printJson(proposal);
        return;
      }
      for (const place of proposal.remove) print(`# delete ${place}`);
      for (const entry of proposal.add) print(entry);
      if (proposal.add.length + proposal.remove.length === 0) print("# nothing to change");
    });
  return command;
}
