/** A copy of a run that may be given to everybody: an artefact of a job, an attachment of an issue. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { writing } from "#cli/writing";
import { HarnessError } from "#harness/errors";
import type { Requirement } from "#harness/requirements/requirement";
import { jsonLine, withoutMarks } from "#harness/results/json-line";
import type { CheckResult, Evidence, RunHeader } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { isWithheld, withheldResult } from "#reports/finding";

/** Verdicts: of sensitive checks without their reasons. */
const RESULTS = ["results.jsonl", "results.partial.jsonl"];
/** What says nothing of a single check but its figures. */
const ALWAYS = ["run.json", "perf.json", "perf.svg", "calls.json"];
/** What checks saw and said, of all of them in one file or folder. */
const UNLESS_WITHHELD = ["trace", "replay", "logs"];
const EVIDENCE = "evidence.jsonl";

export interface Shared {
  /** What is not in the copy, because a sensitive check failed. */
  readonly leftOut: readonly string[];
}

/** @throws HarnessError BAD_USAGE for results without a run directory, BAD_FILE */
export function shareRun(
  run: StoredRun,
  folder: string,
  requirements: ReadonlyMap<string, Requirement>,
): Shared {
  if (!existsSync(path.join(run.path, "run.json")) && run.isComplete) {
    throw new HarnessError("BAD_USAGE", {
      what: `${run.path} is no run directory`,
      facts: ["a baseline, or a results file alone, has nothing that is to be withheld"],
      next: "name the folder of a run",
    });
  }
  const isSensitive = (id: string) => requirements.get(id)?.sensitive ?? true;
  const hasWithheld = run.results.some((result) =>
    isWithheld({ result, requirement: requirements.get(result.requirement) }, { disclose: false }),
  );
  const names = hasWithheld ? ALWAYS : [...ALWAYS, ...UNLESS_WITHHELD];
  const there = (name: string) => existsSync(path.join(run.path, name));
  writing(`the copy in ${folder}`, "name a folder that can be written", () => {
    mkdirSync(folder, { recursive: true });
    for (const name of names.filter(there)) {
      const [from, to] = [path.join(run.path, name), path.join(folder, name)];
      if (name.endsWith(".json")) writeFileSync(to, withoutMarks(readFileSync(from, "utf8")));
      else cpSync(from, to, { recursive: true });
    }
    for (const name of RESULTS.filter(there)) {
      const lines = linesOf(path.join(run.path, name));
      const kept = lines.flatMap((line) => harmless(line, requirements) ?? []);
      writeFileSync(path.join(folder, name), kept.map((line) => `${line}\n`).join(""));
    }
    if (there(EVIDENCE)) {
      const lines = linesOf(path.join(run.path, EVIDENCE));
      const kept = lines.filter((line) => !isSensitive(requirementOf(line)));
      writeFileSync(
        path.join(folder, EVIDENCE),
        kept.map((line) => `${withoutMarks(line)}\n`).join(""),
      );
    }
  });
  return { leftOut: hasWithheld ? UNLESS_WITHHELD.filter(there) : [] };
}

function linesOf(file: string): readonly string[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** A line of results as everybody may have it; undefined: it was cut off, so that nobody knows what it says. */
function harmless(
  line: string,
  requirements: ReadonlyMap<string, Requirement>,
): string | undefined {
  try {
    const value = JSON.parse(line) as CheckResult | RunHeader;
    return jsonLine(value.kind === "check" ? withheldResult(value, requirements) : value);
  } catch {
    return undefined;
  }
}

/** Of a line that was cut off nobody knows whose it is: that of no requirement. */
function requirementOf(line: string): string {
  try {
    return (JSON.parse(line) as Evidence).requirement;
  } catch {
    return "";
  }
}
