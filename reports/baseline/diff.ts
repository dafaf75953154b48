/** Two runs side by side, check by check. What is gone is never fixed, what is new is never a regression. */
import { HarnessError } from "#harness/errors";
import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult, OtherParty, Outcome } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { isWithheld, WITHHELD } from "#reports/finding";
import { familyOf } from "./family.ts";
import { stableReason } from "./reason.ts";

/**
 * `flaky`: it comes and goes now. `changed`: one side gave no verdict, or none to rely on. `changed-reason`: it still fails, but in
 * another way.
 */
export const TRANSITIONS = [
  "regressed",
  "flaky",
  "fixed",
  "new",
  "gone",
  "changed",
  "changed-reason",
  "unchanged",
] as const;
export type Transition = (typeof TRANSITIONS)[number];

export interface Change {
  readonly transition: Transition;
  readonly requirement: string;
  readonly check: string;
  readonly level: CheckResult["level"];
  readonly party?: OtherParty;
  readonly deployment: string;
  readonly before?: Outcome;
  readonly after?: Outcome;
  readonly reasonBefore?: string;
  readonly reasonAfter?: string;
}

/** What was compared. */
interface Side {
  readonly path: string;
  readonly deployments: readonly string[];
}

export interface Diff {
  readonly before: Side;
  readonly after: Side;
  /** Unchanged ones too; worst first, then by requirement. */
  readonly changes: readonly Change[];
  /** Those that fail a build: of a MUST or a SHOULD, and not missed by a client library. */
  readonly regressions: readonly Change[];
  readonly counts: Readonly<Record<Transition, number>>;
  /** What a reader has to know of the comparison, one line each. */
  readonly notes: readonly string[];
}

export interface DiffOptions {
  /** Of this version: what it does not know may be sensitive. */
  readonly requirements: ReadonlyMap<string, Requirement>;
  /** Shows how sensitive requirements were missed. */
  readonly disclose?: boolean;
  /** Compares runs of different topologies too. */
  readonly allowMismatch?: boolean;
}

/** A manifest changes how an outcome is shown, not what the server did. */
const RAW: Readonly<Partial<Record<Outcome, Outcome>>> = { xfail: "fail", xpass: "pass" };

const VERDICTS: readonly Outcome[] = ["pass", "fail"];

interface Sided {
  readonly result: CheckResult;
  /** Comparable text of how it failed, where that is known. */
  readonly failure: string | undefined;
}

/** @throws HarnessError BAD_USAGE for runs that can not be compared. */
export function diffRuns(before: StoredRun, after: StoredRun, options: DiffOptions): Diff {
  const sides = { before: sideOf(before), after: sideOf(after) };
  if (options.allowMismatch !== true) refuseMismatch(before, after);
  const rename = renaming(sides.before.deployments, sides.after.deployments);
  const old = Map.groupBy(sidedOf(before), ({ result }) =>
    keyOf(rename(result.deployment), result.requirement),
  );
  const current = Map.groupBy(sidedOf(after), ({ result }) =>
    keyOf(result.deployment, result.requirement),
  );
  const changes = [...new Set([...old.keys(), ...current.keys()])].flatMap((key) =>
    pairs(old.get(key) ?? [], current.get(key) ?? []).map(([left, right]) =>
      change(left, right, options),
    ),
  );
  changes.sort(compareChanges);
  const having = (transition: Transition) =>
    changes.filter((item) => item.transition === transition);
  const counts = Object.fromEntries(
    TRANSITIONS.map((transition) => [transition, having(transition).length]),
  ) as Record<Transition, number>;
  const regressions = having("regressed").filter(
    ({ level, party }) => level !== "MAY" && party !== "client",
  );
  return { ...sides, changes, regressions, counts, notes: notesOn(before, after) };
}

/** New requirements are no reason not to compare: their checks are `new`. */
function notesOn(before: StoredRun, after: StoredRun): readonly string[] {
  const [old, current] = [before, after].map(({ header }) => header?.requirements ?? "unknown");
  return old === current
    ? []
    : [`the requirement sets differ (${old} and ${current}): what only one has is new or gone`];
}

type Pair = readonly [before: Sided | undefined, after: Sided | undefined];

/** Checks of one requirement, by title. Titles are prose: where each side has one check, it is the same one. */
function pairs(before: readonly Sided[], after: readonly Sided[]): Pair[] {
  if (before.length === 1 && after.length === 1) return [[before[0], after[0]]];
  const old = new Map(before.map((sided) => [sided.result.check, sided]));
  const found = after.map((sided): Pair => {
    const left = old.get(sided.result.check);
    old.delete(sided.result.check);
    return [left, sided];
  });
  return [...found, ...[...old.values()].map((sided): Pair => [sided, undefined])];
}

function change(
  before: Sided | undefined,
  after: Sided | undefined,
  { requirements, disclose = false }: DiffOptions,
): Change {
  const result = (after ?? before)?.result;
  if (result === undefined) throw new TypeError("a change has at least one side");
  const { requirement, check, level, party, deployment } = result;
  const [reasonBefore, reasonAfter] = [before, after].map((sided) => {
    if (sided?.result.reason === undefined) return undefined;
    const known = { result: sided.result, requirement: requirements.get(requirement) };
    return isWithheld(known, { disclose }) ? WITHHELD : sided.result.reason;
  });
  return {
    transition: transitionOf(before, after),
    requirement,
    check,
    level,
    ...(party === undefined ? {} : { party }),
    deployment,
    ...(before === undefined ? {} : { before: before.result.outcome }),
    ...(after === undefined ? {} : { after: after.result.outcome }),
    ...(reasonBefore === undefined ? {} : { reasonBefore }),
    ...(reasonAfter === undefined ? {} : { reasonAfter }),
  };
}

function transitionOf(before: Sided | undefined, after: Sided | undefined): Transition {
  if (before === undefined) return "new";
  if (after === undefined) return "gone";
  const [from, to] = [raw(before.result.outcome), raw(after.result.outcome)];
  if (to === "fail" && (from === "pass" || from === "flaky")) return "regressed";
  if (from === "fail" && to === "pass") return "fixed";
  if (from !== to) return to === "flaky" && VERDICTS.includes(from) ? "flaky" : "changed";
  const isKnown = before.failure !== undefined && after.failure !== undefined;
  return isKnown && before.failure !== after.failure ? "changed-reason" : "unchanged";
}

function raw(outcome: Outcome): Outcome {
  return RAW[outcome] ?? outcome;
}

function compareChanges(left: Change, right: Change): number {
  const order = TRANSITIONS.indexOf(left.transition) - TRANSITIONS.indexOf(right.transition);
  if (order !== 0) return order;
  const [a, b] = [left, right].map(({ requirement, check }) => `${requirement}\0${check}`);
  return a === b ? 0 : (a ?? "") < (b ?? "") ? -1 : 1;
}

/** An expected failure carries the manifest's reason; how it failed this time is in the evidence. */
function sidedOf(run: StoredRun): Sided[] {
  const messages = new Map(
    run.evidence.map(({ deployment, requirement, check, message }) => [
      `${keyOf(deployment, requirement)}\0${check}`,
      message,
    ]),
  );
  return run.results.map((result) => {
    const { deployment, requirement, check, outcome, reason } = result;
    const seen = messages.get(`${keyOf(deployment, requirement)}\0${check}`);
    const failure = outcome === "fail" ? reason : outcome === "xfail" ? seen : undefined;
    return { result, failure: failure === undefined ? undefined : stableReason(failure) };
  });
}

function sideOf(run: StoredRun): Side {
  return {
    path: run.path,
    deployments: [...new Set(run.results.map(({ deployment }) => deployment))],
  };
}

/**
 * Deployments are compared by name, else with the only one that is the same but for versions; runs of one deployment each
 * whatever they are called.
 */
function renaming(
  before: readonly string[],
  after: readonly string[],
): (deployment: string) => string {
  const [only] = after;
  if (before.length === 1 && after.length === 1 && only !== undefined) return () => only;
  return (deployment) => {
    if (after.includes(deployment)) return deployment;
    const alike = (names: readonly string[]) =>
      names.filter((name) => familyOf(name) === familyOf(deployment));
    const [twin] = alike(after);
    const isClear = alike(before).length === 1 && alike(after).length === 1;
    return isClear && twin !== undefined ? twin : deployment;
  };
}

function refuseMismatch(before: StoredRun, after: StoredRun): void {
  for (const run of [before, after]) {
    if (run.header !== undefined) continue;
    throw new HarnessError("BAD_USAGE", {
      what: `${run.path} does not say what was run`,
      facts: ["its first line is no header: the servers did not start, or the line was cut off"],
      next: "compare anyway with --allow-mismatch",
    });
  }
  const [old = [], current = []] = [before, after].map((run) => [
    ...new Set(run.header?.deployments.map(({ topology }) => topology)),
  ]);
  if (current.every((topology) => old.includes(topology))) return;
  throw new HarnessError("BAD_USAGE", {
    what: `the topologies differ: ${[old, current].map((names) => names.join("+")).join(" and ")}`,
    facts: [`before: ${before.path}`, `after: ${after.path}`],
    next: "compare anyway with --allow-mismatch",
  });
}

function keyOf(deployment: string, requirement: string): string {
  return `${deployment}\0${requirement}`;
}
