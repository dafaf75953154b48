/** One check over many runs: which outcomes it had, and how long it took. */
import type { Requirement } from "#harness/requirements/requirement";
import { median } from "#harness/results/measurement";
import {
  type CheckResult,
  hasVerdict,
  IN_ALL_ANSWERS,
  type Outcome,
  titleOf,
} from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { isWithheld } from "#reports/finding";

/** One outcome of a check, and how often it came. */
export interface Seen {
  readonly outcome: Outcome;
  readonly count: number;
  /** Run directories. */
  readonly runs: readonly string[];
  /** Of the first one; absent: it has none, or it is not to be shown. */
  readonly reason?: string;
}

/**
 * `once`: there is nothing to compare. `skipped`: it never applied. `none`: it never came to a verdict.
 */
export const STABILITIES = ["stable", "unstable", "once", "skipped", "none"] as const;

export interface AuditedCheck {
  readonly deployment: string;
  readonly suite: string;
  readonly requirement: string;
  readonly level: CheckResult["level"];
  readonly check: string;
  readonly stability: (typeof STABILITIES)[number];
  /** Most frequent first. */
  readonly verdicts: readonly Seen[];
  /** Trouble of ours or of the machine: these are no verdicts. */
  readonly errors: readonly Seen[];
  /** Of what gave a verdict; absent where nothing did. */
  readonly medianMs?: number;
  readonly maxMs?: number;
}

type Requirements = ReadonlyMap<string, Requirement>;

interface Placed {
  readonly run: string;
  readonly result: CheckResult;
}

/** Each check once, by deployment, suite, requirement and title. */
export function auditedChecks(
  runs: readonly StoredRun[],
  requirements: Requirements,
): readonly AuditedCheck[] {
  const results = runs.flatMap(({ path: run, results }) =>
    results.map((result): Placed => ({ run, result })),
  );
  const groups = Map.groupBy([...results, ...unbroken(runs)], ({ result }) =>
    [result.deployment, result.requirement, titleOf(result)].join("\0"),
  );
  return [...groups.values()].flatMap((seen) => auditedOf(seen, requirements) ?? []).sort(byPlace);
}

/**
 * Rules that are kept in all answers leave no result, only broken ones do, and those at the end of a run: a whole run of the
 * same server without it is a pass, when it tried what a run did that saw it broken. Another selection gets other answers.
 */
function unbroken(runs: readonly StoredRun[]): readonly Placed[] {
  const isOfRule = ({ check }: CheckResult) => check === IN_ALL_ANSWERS;
  const placeOf = ({ deployment, requirement }: CheckResult) => `${deployment}\0${requirement}`;
  const checkOf = (result: CheckResult) => `${placeOf(result)}\0${result.check}`;
  const asked = runs.map((run) => {
    const tried = run.results.filter((one) => !isOfRule(one)).map(checkOf);
    return { ...run, tried: new Set(tried), rules: run.results.filter(isOfRule) };
  });
  /** By rule: its result, and what was tried by the run that saw it broken; of several, by the one that tried least. */
  const broken = new Map<string, { rule: CheckResult; tried: ReadonlySet<string> }>();
  for (const { tried, rules } of asked.toSorted((a, b) => b.tried.size - a.tried.size))
    for (const rule of rules) broken.set(placeOf(rule), { rule, tried });
  return asked.flatMap(({ path: run, tried, rules, troubles }) => {
    if (troubles.length > 0) return [];
    const own = new Set(rules.map(placeOf));
    return [...broken].flatMap(([place, { rule, tried: wanted }]) => {
      if (own.has(place) || !wanted.isSubsetOf(tried)) return [];
      const { reason, ...kept } = rule;
      return [{ run, result: { ...kept, outcome: "pass" as const, durationMs: 0 } }];
    });
  });
}

function auditedOf(seen: readonly Placed[], requirements: Requirements): AuditedCheck | undefined {
  const result = seen[0]?.result;
  if (result === undefined) return undefined;
  const isVerdict = ({ result }: Placed) => hasVerdict(result);
  const judged = seen.filter(isVerdict);
  const verdicts = countedOf(judged, requirements);
  const times = judged
    .filter(({ result: { outcome } }) => outcome !== "skip")
    .map(({ result: { durationMs } }) => durationMs);
  const { deployment, suite, requirement, level } = result;
  return {
    ...{ deployment, suite, requirement, level, check: titleOf(result) },
    stability: stabilityOf(verdicts, judged.length),
    verdicts,
    errors: countedOf(
      seen.filter((one) => !isVerdict(one)),
      requirements,
    ),
    ...(times.length === 0 ? {} : { medianMs: median(times), maxMs: Math.max(...times) }),
  };
}

function countedOf(seen: readonly Placed[], requirements: Requirements): readonly Seen[] {
  const groups = [...Map.groupBy(seen, ({ result }) => result.outcome)];
  const counted = groups.map(([outcome, same]): Seen => {
    const first = same.find(
      ({ result }) => result.reason !== undefined && outcome !== "pass",
    )?.result;
    const requirement = first && requirements.get(first.requirement);
    const isShown = first && !isWithheld({ result: first, requirement }, { disclose: false });
    return {
      outcome,
      count: same.length,
      runs: [...new Set(same.map(({ run }) => run))],
      ...(isShown && first.reason !== undefined ? { reason: first.reason } : {}),
    };
  });
  return counted.sort((a, b) => b.count - a.count || (a.outcome < b.outcome ? -1 : 1));
}

function stabilityOf(verdicts: readonly Seen[], count: number): AuditedCheck["stability"] {
  const [first, ...others] = verdicts;
  if (first === undefined) return "none";
  // A pass after a retry has been a failure before it.
  if (others.length > 0 || first.outcome === "flaky") return "unstable";
  if (first.outcome === "skip") return "skipped";
  return count > 1 ? "stable" : "once";
}

function byPlace(left: AuditedCheck, right: AuditedCheck): number {
  const place = (one: AuditedCheck) =>
    [one.deployment, one.suite, one.requirement, one.check].join("\0");
  return place(left) < place(right) ? -1 : 1;
}
