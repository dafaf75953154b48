/** What a pull request is let through by: only what got worse against a baseline fails it. */
import { HarnessError } from "#harness/errors";
import type { Requirement } from "#harness/requirements/requirement";
import type { Outcome } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { joinRuns, missingShards } from "#reports/merge";
import { type Finding, type Summary, summarise } from "#reports/summarise";
import { type Change, type Diff, diffRuns, type Transition } from "./diff.ts";

/** A change with what the run saw; a check that is gone has nothing. */
export interface Judged {
  readonly change: Change;
  readonly finding: Finding | undefined;
}

export interface Gate {
  readonly diff: Diff;
  /** Of the runs alone. */
  readonly summary: Summary;
  /** These decide. */
  readonly regressions: readonly Judged[];
  /** Got worse, but of a MAY or by a client library. */
  readonly worse: readonly Judged[];
  readonly flaky: readonly Judged[];
  readonly fixed: readonly Judged[];
  /** A verdict where the baseline has none. */
  readonly fresh: readonly Judged[];
  /** No verdict where the baseline has one: skipped, not run, or gone. Errors are told as such. */
  readonly lost: readonly Judged[];
  /** Fails as before, but in another way. */
  readonly otherwise: readonly Judged[];
  readonly verdict: Summary["verdict"];
  readonly exitCode: Summary["exitCode"];
}

export interface GateInput {
  readonly baselines: readonly StoredRun[];
  readonly runs: readonly StoredRun[];
  readonly requirements: ReadonlyMap<string, Requirement>;
  readonly disclose?: boolean;
  /** What is flaky or lost its verdict fails too. */
  readonly strict?: boolean;
  readonly allowMismatch?: boolean;
}

const VERDICTS: readonly (Outcome | undefined)[] = ["pass", "fail", "xfail", "xpass", "flaky"];

/**
 * @throws HarnessError BAD_FILE for a baseline without a verdict; BAD_USAGE for runs that can not be compared with it.
 */
export function gate(input: GateInput): Gate {
  const { requirements, strict = false } = input;
  for (const baseline of input.baselines) requireVerdicts(baseline);
  const baseline = joinRuns(input.baselines);
  const joined = joinRuns(input.runs);
  const run = { ...joined, troubles: [...joined.troubles, ...missingShards(input.runs)] };
  const { path, header, results, evidence, pages, troubles } = run;
  const summary = summarise({ path, header, results, evidence, pages, troubles, requirements });
  // Servers that did not start have no header: that is trouble of the run, and no fault of who compares.
  if (header === undefined && troubles.length > 0) return withoutRun(baseline, run, summary, input);
  if (input.allowMismatch !== true) refuseForeign(baseline, run);
  const diff = diffRuns(baseline, run, input);
  const isCompared = diff.changes.some(({ before, after }) => before && after);
  if (!isCompared && results.length > 0) {
    throw new HarnessError("BAD_USAGE", {
      what: "the baseline and the run have no check in common",
      facts: [`baseline: ${baseline.path}`, `run: ${path}`],
      next: "name the baseline of these checks, or write one with `crucible run --baseline <file> --update-baseline`",
    });
  }
  return judged(diff, summary, strict);
}

function judged(diff: Diff, summary: Summary, strict: boolean): Gate {
  const findings = new Map(
    summary.groups.flatMap((group) => group.findings).map((one) => [keyOf(one.result), one]),
  );
  const having = (...transitions: Transition[]): Judged[] =>
    diff.changes
      .filter(({ transition }) => transitions.includes(transition))
      .map((change) => ({ change, finding: findings.get(keyOf(change)) }));
  const hasVerdict = (outcome: Outcome | undefined) => VERDICTS.includes(outcome);
  const moved = having("new", "gone", "changed");
  const worse = having("regressed");
  const isDeciding = ({ change }: Judged) => diff.regressions.includes(change);
  const parts = {
    regressions: worse.filter(isDeciding),
    worse: worse.filter((one) => !isDeciding(one)),
    flaky: having("flaky"),
    fixed: having("fixed"),
    fresh: moved.filter(({ change }) => !hasVerdict(change.before) && hasVerdict(change.after)),
    lost: moved.filter(
      ({ change: { before, after } }) =>
        hasVerdict(before) && !hasVerdict(after) && after !== "error",
    ),
    otherwise: having("changed-reason"),
  };
  const isStopped = strict && (parts.flaky.length > 0 || parts.lost.length > 0);
  const verdict = verdictOf(parts.regressions.length > 0, isStopped, summary);
  return { diff, summary, ...parts, verdict, exitCode: EXIT_CODES[verdict] };
}

const EXIT_CODES = { ok: 0, failed: 1, error: 3, "nothing-ran": 4 } as const;

/** What failed before is known, so of the run's own verdict only trouble counts. */
function verdictOf(hasRegressed: boolean, isStopped: boolean, summary: Summary): Gate["verdict"] {
  if (hasRegressed) return "failed";
  if (summary.errors.length > 0 || summary.troubles.length > 0) return "error";
  const hasRun = Object.entries(summary.counts).some(
    ([outcome, count]) => count > 0 && VERDICTS.includes(outcome as Outcome),
  );
  if (!hasRun) return "nothing-ran";
  return isStopped ? "failed" : "ok";
}

function withoutRun(
  baseline: StoredRun,
  run: StoredRun,
  summary: Summary,
  { requirements }: GateInput,
): Gate {
  // Its checks that ended as errors have the name of a deployment that never was: they are compared with nothing.
  const nothing = { ...run, results: [], evidence: [] };
  const diff = diffRuns({ ...nothing, path: baseline.path }, nothing, {
    requirements,
    allowMismatch: true,
  });
  return judged(diff, summary, false);
}

/** A baseline that says nothing would let everything through. @throws HarnessError BAD_FILE */
export function requireVerdicts({ path, results }: StoredRun): void {
  if (results.some(({ outcome }) => VERDICTS.includes(outcome))) return;
  const what = results.length === 0 ? "no check" : "no verdict";
  throw new HarnessError("BAD_FILE", {
    what: `the baseline ${path} has ${what}`,
    next: "write it with `crucible run --baseline <file> --update-baseline`",
  });
}

function refuseForeign(baseline: StoredRun, run: StoredRun): void {
  const [known, found] = [baseline, run].map(({ header }) => {
    const servers = header?.deployments.flatMap((deployment) => deployment.servers) ?? [];
    return [...new Set(servers.map(({ implementation }) => implementation))].sort();
  });
  if (known === undefined || found === undefined) return;
  if (known.length === 0 || found.length === 0) return;
  if (found.every((name) => known.includes(name))) return;
  throw new HarnessError("BAD_USAGE", {
    what: `the baseline is of ${known.join(" and ")}, the run of ${found.join(" and ")}`,
    facts: [`baseline: ${baseline.path}`, `run: ${run.path}`],
    next: "name the baseline of this server, or compare anyway with --allow-mismatch",
  });
}

function keyOf(item: { deployment: string; requirement: string; check: string }): string {
  return `${item.deployment}\0${item.requirement}\0${item.check}`;
}
