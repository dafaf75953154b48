/** Two runs side by side, check by check. What is gone is never fixed, what is new is never a regression. */
import { HarnessError } from "#harness/errors";
import { type CheckResult, type Outcome, resultKey } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";

export const TRANSITIONS = ["regressed", "fixed", "new", "gone", "changed", "unchanged"] as const;
export type Transition = (typeof TRANSITIONS)[number];

export interface Change {
  readonly transition: Transition;
  readonly requirement: string;
  readonly check: string;
  readonly level: CheckResult["level"];
  readonly deployment: string;
  readonly before?: Outcome;
  readonly after?: Outcome;
  readonly reason?: string;
}

export interface Diff {
  readonly changes: readonly Change[];
  readonly counts: Readonly<Record<Transition, number>>;
}

/** A manifest changes how an outcome is shown, not what the server did. */
const RAW: Readonly<Partial<Record<Outcome, Outcome>>> = { xfail: "fail", xpass: "pass" };
/** Better is higher; what gave no verdict has no rank. */
const RANK: Readonly<Partial<Record<Outcome, number>>> = { pass: 2, flaky: 1, fail: 0 };

/** @throws HarnessError BAD_USAGE for runs that can not be compared. */
export function diffRuns(
  before: StoredRun,
  after: StoredRun,
  options: { allowMismatch?: boolean } = {},
): Diff {
  if (options.allowMismatch !== true) refuseMismatch(before, after);
  const rename = pairing(before, after);
  const old = new Map(
    before.results.map((result) => [keyOf(result, rename(result.deployment)), result]),
  );
  const changes: Change[] = [];
  for (const result of after.results) {
    const key = keyOf(result, result.deployment);
    changes.push(change(old.get(key), result));
    old.delete(key);
  }
  for (const result of old.values()) changes.push(change(result, undefined));
  changes.sort((left, right) =>
    left.requirement < right.requirement ? -1 : left.requirement > right.requirement ? 1 : 0,
  );
  const counts = Object.fromEntries(
    TRANSITIONS.map((transition) => [
      transition,
      changes.filter((item) => item.transition === transition).length,
    ]),
  ) as Record<Transition, number>;
  return { changes, counts };
}

function change(before: CheckResult | undefined, after: CheckResult | undefined): Change {
  const result = after ?? before;
  if (result === undefined) throw new TypeError("a change has at least one side");
  const { requirement, check, level, deployment } = result;
  const reason = after?.reason ?? before?.reason;
  return {
    transition: transitionOf(before, after),
    requirement,
    check,
    level,
    deployment,
    ...(before === undefined ? {} : { before: before.outcome }),
    ...(after === undefined ? {} : { after: after.outcome }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function transitionOf(before: CheckResult | undefined, after: CheckResult | undefined): Transition {
  if (before === undefined) return "new";
  if (after === undefined) return "gone";
  const [from, to] = [raw(before.outcome), raw(after.outcome)];
  const [rankBefore, rankAfter] = [RANK[from], RANK[to]];
  if (rankBefore !== undefined && rankAfter !== undefined && rankBefore !== rankAfter) {
    return rankAfter < rankBefore ? "regressed" : "fixed";
  }
  return from === to ? "unchanged" : "changed";
}

function raw(outcome: Outcome): Outcome {
  return RAW[outcome] ?? outcome;
}

/** Runs of one deployment each are compared with each other, whatever the deployments are called. */
function pairing(before: StoredRun, after: StoredRun): (deployment: string) => string {
  const names = [before, after].map((run) => [
    ...new Set(run.results.map(({ deployment }) => deployment)),
  ]);
  const [old = [], current = []] = names;
  const [only] = current;
  return old.length === 1 && current.length === 1 && only !== undefined
    ? () => only
    : (deployment) => deployment;
}

function refuseMismatch(before: StoredRun, after: StoredRun): void {
  const topologies = [before, after].map((run) =>
    run.header?.deployments.map(({ topology }) => topology).join(","),
  );
  const hashes = [before, after].map((run) => run.header?.requirements);
  const what =
    topologies[0] !== topologies[1]
      ? `the topologies differ: ${topologies.join(" and ")}`
      : hashes[0] !== hashes[1]
        ? `the requirement sets differ: ${hashes.join(" and ")}`
        : undefined;
  if (what === undefined) return;
  throw new HarnessError("BAD_USAGE", { what, next: "compare anyway with --allow-mismatch" });
}

function keyOf(result: CheckResult, deployment: string): string {
  return `${deployment}\0${resultKey(result)}`;
}
