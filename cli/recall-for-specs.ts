/** Stored runs as those of a recall, which then has nothing to start. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { indexChecks } from "#harness/requirements/check-index";
import { readRun } from "#harness/results/run-directory";
import { resultOf, storedRun } from "./site/runs-for-specs.ts";

const [OLD, NEW] = ["1.0.0", "1.0.1"];
const { byId: checks } = await indexChecks();
const { byId: requirements } = await loadCatalogue();

/** Arguments for it: each known requirement that is not met after is one of a bug that is mended before. */
export function recallOf(runs: { readonly before: string; readonly after: string }): string[] {
  const folder = folderOf(runs);
  mkdirSync(folder);
  const ids = new Set(readRun(runs.after).results.map(({ requirement }) => requirement));
  const known = [...ids].filter((id) => requirements.has(id));
  // What has a verdict is not run again.
  const settled = known.flatMap((id) =>
    (checks.get(id) ?? []).map(({ title }) => resultOf(id, "pass", { check: title })),
  );
  for (const [version, run] of [
    [OLD, runs.after],
    [NEW, runs.before],
  ] as const) {
    const { results, evidence } = readRun(run);
    // Of the server that this recall would start.
    const deployment = `synapse@${version}/one/sqlite`;
    storedRun(path.join(folder, version, "1"), {
      results: [...results, ...settled].map((one) => ({ ...one, deployment })),
      evidence: evidence.map((one) => ({ ...one, deployment })),
    });
  }
  const bugs = known.map((id, at) => ({
    id: `BUG-${at}`,
    symptom: "it breaks",
    suite: "rooms",
    fix: "somewhere#1",
    fixed_in: NEW,
    affected: OLD,
    fixed: NEW,
    requirements: [id],
    sqlite_one_machine: "yes",
  }));
  const file = path.join(folder, "bugs.yaml");
  // JSON is YAML.
  writeFileSync(
    file,
    JSON.stringify({ format: 1, implementation: "synapse", hs: "process:synapse@{version}", bugs }),
  );
  return ["recall", "--bugs", file, "--reuse", "--out", folder];
}

/** Copies what it wrote beside its runs. */
export function copyRecall(
  runs: { readonly before: string; readonly after: string },
  place: string,
): void {
  for (const name of ["recall.json", "recall.md"])
    copyFileSync(path.join(folderOf(runs), name), path.join(place, name));
}

function folderOf({ after }: { readonly after: string }): string {
  return `${after}-recall`;
}
