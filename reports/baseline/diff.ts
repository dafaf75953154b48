/** Two runs side by side, check by check. What is gone is never fixed, what is new is never a regression. */
import { HarnessError } from "#harness/errors";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { stableReason } from "./reason.ts";

/** `changed`: one side gave no verdict. `changed-reason`: it still fails, but in another way. */
export const TRANSITIONS = [
  "regressed",
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
  readonly counts: Readonly<Record<Transition, number>>;
}

/** A manifest changes how an outcome is shown, not what the server did. */
const RAW: Readonly<Partial<Record<Outcome, Outcome>>> = { xfail: "fail", xpass: "pass" };
/** Better is higher; what gave no verdict has no rank. */
const RANK: Readonly<Partial<Record<Outcome, number>>> = { pass: 2, flaky: 1, fail: 0 };

interface Sided {
  readonly result: CheckResult;
  /** Comparable text of how it failed, where that is known. */
  readonly failure: string | undefined;
}

/** @throws HarnessError BAD_USAGE for runs that can not be compared. */
export function diffRuns(
  before: StoredRun,
  after: StoredRun,
  options: { allowMismatch?: boolean } = {},
): Diff {
  const sides = { before: sideOf(before), after: sideOf(after) };
  if (options.allowMismatch !== true) refuseMismatch(before, after);
  const rename = renaming(sides.before, sides.after);
  const old = Map.groupBy(sidedOf(before), ({ result }) =>
    keyOf(rename(result.deployment), result.requirement),
  );
  const current = Map.groupBy(sidedOf(after), ({ result }) =>
    keyOf(result.deployment, result.requirement),
  );
  const changes = [...new Set([...old.keys(), ...current.keys()])].flatMap((key) =>
    pairs(old.get(key) ?? [], current.get(key) ?? []).map(([left, right]) => change(left, right)),
  );
  changes.sort(compareChanges);
  const counts = Object.fromEntries(
    TRANSITIONS.map((transition) => [
      transition,
      changes.filter((item) => item.transition === transition).length,
    ]),
  ) as Record<Transition, number>;
  return { ...sides, changes, counts };
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

function change(before: Sided | undefined, after: Sided | undefined): Change {
  const result = (after ?? before)?.result;
  if (result === undefined) throw new TypeError("a change has at least one side");
  const { requirement, check, level, deployment } = result;
  const [reasonBefore, reasonAfter] = [before?.result.reason, after?.result.reason];
  return {
    transition: transitionOf(before, after),
    requirement,
    check,
    level,
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
  const [rankBefore, rankAfter] = [RANK[from], RANK[to]];
  if (rankBefore !== undefined && rankAfter !== undefined && rankBefore !== rankAfter) {
    return rankAfter < rankBefore ? "regressed" : "fixed";
  }
  if (from !== to) return "changed";
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

/** Runs of one deployment each are compared with each other, whatever the deployments are called. */
function renaming(before: Side, after: Side): (deployment: string) => string {
  const [only] = after.deployments;
  const isOneEach = before.deployments.length === 1 && after.deployments.length === 1;
  return isOneEach && only !== undefined ? () => only : (deployment) => deployment;
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
  const topologies = [before, after].map((run) =>
    [...new Set(run.header?.deployments.map(({ topology }) => topology))].sort().join("+"),
  );
  const hashes = [before, after].map((run) => run.header?.requirements ?? "");
  const [what, values] =
    topologies[0] !== topologies[1]
      ? ["the topologies differ", topologies]
      : ["the requirement sets differ", hashes];
  if (values[0] === values[1]) return;
  throw new HarnessError("BAD_USAGE", {
    what: `${what}: ${values.join(" and ")}`,
    facts: [`before: ${before.path}`, `after: ${after.path}`],
    next: "compare anyway with --allow-mismatch",
  });
}

function keyOf(deployment: string, requirement: string): string {
  return `${deployment}\0${requirement}`;
}
