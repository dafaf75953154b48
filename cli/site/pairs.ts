/** What changed between any two of the runs. */
import { HarnessError } from "#harness/errors";
import type { StoredRun } from "#harness/results/run-directory";
import { type Change, type DiffOptions, diffRuns } from "#reports/baseline/diff";
import { tameLine } from "#reports/finding";
import type { SiteChange, SitePair } from "#reports/site/data";

export interface Pair {
  readonly pair: SitePair;
  readonly changes: readonly SiteChange[];
}

/** Of more runs each is compared with the one before it and with the first. */
const ALL_PAIRS = 20;

export function* pairsOf(runs: readonly StoredRun[], options: DiffOptions): Iterable<Pair> {
  for (const [after, later] of runs.entries()) {
    for (const [before, earlier] of runs.slice(0, after).entries()) {
      const isCompared = runs.length <= ALL_PAIRS || before === 0 || before === after - 1;
      if (isCompared) yield pairOf(earlier, later, { before, after }, options);
    }
  }
}

export function pairsLeftOut(runs: readonly StoredRun[]): readonly string[] {
  return runs.length <= ALL_PAIRS
    ? []
    : [`comparisons of more than ${ALL_PAIRS} runs, but with the run before and with the first`];
}

function pairOf(
  earlier: StoredRun,
  later: StoredRun,
  sides: { readonly before: number; readonly after: number },
  options: DiffOptions,
): Pair {
  try {
    const { changes, counts, notes } = diffRuns(earlier, later, options);
    const told = changes.filter(({ transition }) => transition !== "unchanged");
    const pair = { ...sides, counts, notes: notes.map(tameLine) };
    return { pair, changes: told.map(changeOf) };
  } catch (error) {
    if (!(error instanceof HarnessError)) throw error;
    return {
      pair: { ...sides, refused: tameLine(error.message.split("\n")[0] ?? "") },
      changes: [],
    };
  }
}

function changeOf(change: Change): SiteChange {
  const { transition, requirement, check, level, deployment, before, after } = change;
  return {
    transition,
    requirement: tameLine(requirement),
    check: tameLine(check),
    level,
    deployment: tameLine(deployment),
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    reasons: reasonsOf(change).map(tameLine),
  };
}

function reasonsOf({ transition, reasonBefore, reasonAfter }: Change): readonly string[] {
  if (transition !== "changed-reason") return reasonAfter === undefined ? [] : [reasonAfter];
  // Expected failures carry the manifest's reason on both sides: how they fail is in the evidence.
  if (reasonBefore === reasonAfter) return [];
  return [`before: ${reasonBefore ?? ""}`, `after: ${reasonAfter ?? ""}`];
}
