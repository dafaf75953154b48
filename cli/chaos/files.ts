/** Plans on disk. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { readJournal } from "#chaos/journal/read";
import { asTold } from "#chaos/live/by-hand";
import { ROOT } from "#cli/run/session";
import { describe, HarnessError } from "#harness/errors";
import { type Plan, parsePlan } from "#scenarios/plan";

/** Plans that failed once, which are told first. */
export const CORPUS = path.join(ROOT, "chaos/corpus");

/** A plan file, or the plan of a journal. @throws HarnessError BAD_FILE */
export function readPlan(file: string): Plan {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `${file} can not be read`,
      facts: [describe(cause)],
      next: "give a seed, a journal or a plan file",
      cause,
    });
  }
  return parsePlan(planIn(text, file), file);
}

function planIn(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A journal is one JSON value a line.
  }
  const { records } = readJournal(text, file);
  const told = records.find((record) => record.t === "plan");
  if (told !== undefined) return asTold(told.plan, records);
  throw new HarnessError("BAD_FILE", {
    what: `${file} is no plan, and no journal with one`,
    next: "docs/plan-format.md describes plans",
  });
}

/** All plans of a folder, by file name; none when there is no such folder. */
export function plansIn(folder: string): readonly Plan[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => readPlan(path.join(folder, name)));
}

export function writePlan(file: string, plan: Plan): void {
  writeFileSync(file, `${JSON.stringify(plan, null, 1)}\n`);
}
