/** Whether catalogue and checks agree: every rule decided or openly not, every check about a rule. */
import path from "node:path";
import { didYouMean } from "#harness/suggest";
import { type Catalogue, PROJECT_ROOT } from "./catalogue.ts";
import type { CheckIndex, IndexedCheck } from "./check-index.ts";

export type ProblemKind =
  | "unknown-id"
  | "retired-id"
  | "unreadable-check"
  | "must-without-check"
  | "check-and-todo"
  | "duplicate-title"
  | "foreign-suite"
  | "bad-file"
  | "stale-file";

export interface Problem {
  readonly kind: ProblemKind;
  /** `file:line`, a file, or a requirement id. */
  readonly place: string;
  readonly what: string;
}

/** How far a suite is. `open` has neither check nor todo. Retired ones count nowhere. */
export interface SuiteCounts {
  readonly suite: string;
  readonly must: Counts;
  readonly should: Counts;
  readonly may: Counts;
}

export interface Counts {
  readonly total: number;
  readonly checked: number;
  readonly todo: number;
  readonly open: number;
}

export interface LintReport {
  readonly problems: readonly Problem[];
  readonly counts: readonly SuiteCounts[];
}

export function lintCatalogue(
  catalogue: Catalogue,
  index: CheckIndex,
  root: string = PROJECT_ROOT,
): LintReport {
  const placeOf = ({ file, line }: { file: string; line: number }) =>
    `${path.relative(root, file)}:${line}`;
  const unreadable = index.unreadable.map(
    (call): Problem => ({ kind: "unreadable-check", place: placeOf(call), what: call.reason }),
  );
  return {
    problems: [
      ...unreadable,
      ...checkProblems(catalogue, index, placeOf),
      ...requirementProblems(catalogue, index),
    ],
    counts: catalogue.suites.map((suite) => countsOf(suite, catalogue, index)),
  };
}

function checkProblems(
  catalogue: Catalogue,
  index: CheckIndex,
  placeOf: (check: IndexedCheck) => string,
): readonly Problem[] {
  const problems: Problem[] = [];
  const titles = new Map<string, string>();
  for (const check of index.checks) {
    const place = placeOf(check);
    const requirement = catalogue.byId.get(check.id);
    if (requirement === undefined) {
      const what = `unknown requirement ${check.id}, ${didYouMean(check.id, catalogue.byId.keys())}`;
      problems.push({ kind: "unknown-id", place, what });
      continue;
    }
    if (requirement.retired !== undefined) {
      problems.push({
        kind: "retired-id",
        place,
        what: `${check.id} is retired: ${requirement.retired}`,
      });
    }
    if (requirement.suite !== check.suite) {
      problems.push({
        kind: "foreign-suite",
        place,
        what: `${check.id} belongs to suite ${requirement.suite}`,
      });
    }
    const key = `${check.id}\0${check.title}`;
    const first = titles.get(key);
    if (first === undefined) titles.set(key, place);
    else
      problems.push({
        kind: "duplicate-title",
        place,
        what: `${check.id} has a check of that title at ${first}`,
      });
  }
  return problems;
}

function requirementProblems(catalogue: Catalogue, index: CheckIndex): readonly Problem[] {
  return catalogue.requirements.flatMap(({ id, level, todo, retired }): Problem[] => {
    if (retired !== undefined) return [];
    const isChecked = index.byId.has(id);
    if (isChecked && todo !== undefined) {
      return [
        { kind: "check-and-todo", place: id, what: "has a check and a todo: remove the todo" },
      ];
    }
    if (!isChecked && todo === undefined && level === "MUST") {
      return [
        { kind: "must-without-check", place: id, what: "a MUST with neither check nor todo" },
      ];
    }
    return [];
  });
}

function countsOf(suite: string, catalogue: Catalogue, index: CheckIndex): SuiteCounts {
  const active = catalogue.requirements.filter(
    (item) => item.suite === suite && item.retired === undefined,
  );
  const count = (wanted: string): Counts => {
    const items = active.filter(({ level }) => level === wanted);
    const unchecked = items.filter(({ id }) => !index.byId.has(id));
    const todo = unchecked.filter((item) => item.todo !== undefined).length;
    return {
      total: items.length,
      checked: items.length - unchecked.length,
      todo,
      open: unchecked.length - todo,
    };
  };
  return { suite, must: count("MUST"), should: count("SHOULD"), may: count("MAY") };
}
