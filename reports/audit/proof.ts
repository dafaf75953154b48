/** What mutants say of audited checks, and the table of suites that has both. */
import type { Requirement } from "#harness/requirements/requirement";
import { keyOf, type MutantVerdict, type MutatedCheck } from "#harness/results/mutants-run";
import { IN_ALL_ANSWERS } from "#harness/results/outcome";
import type { AuditedCheck } from "./check.ts";

/** A check that was not seen to fail by any mutant. */
export interface Unproven {
  readonly suite: string;
  readonly requirement: string;
  readonly check: string;
  readonly why: string;
}

export interface AuditRow {
  /** `all`: the sum. */
  readonly suite: string;
  readonly checks: number;
  readonly stable: number;
  readonly unstable: number;
  readonly once: number;
  readonly skipped: number;
  readonly none: number;
  /** Verdicts of the stable or unstable check that has the fewest; 0 where there is none. */
  readonly fewest: number;
  /** Checks that had errors besides. */
  readonly withErrors: number;
  /** Absent: nobody looked at mutants. */
  readonly proof?: {
    readonly killed: number;
    readonly moot: number;
    readonly alive: number;
    /** The check gave no verdict on them. */
    readonly undecided: number;
    readonly unproven: number;
  };
  /** Of the checks' medians, and the longest of all. */
  readonly maxMedianMs: number;
  readonly maxMs: number;
}

type Mutants = ReadonlyMap<string, MutatedCheck>;

/** Checks that gave verdicts and were seen to fail by no mutant, nor without one on that server. */
export function unprovenOf(checks: readonly AuditedCheck[], mutants: Mutants): readonly Unproven[] {
  const judged = checks.filter(
    // Such a rule is proven by the other checks of its requirement.
    ({ stability, check }) => !["skipped", "none"].includes(stability) && check !== IN_ALL_ANSWERS,
  );
  const once = new Map(judged.map((one) => [keyOf(one), one]));
  return [...once].flatMap(([key, { suite, requirement, check }]) => {
    const why = whyUnproven(mutants.get(key));
    return why === undefined ? [] : [{ suite, requirement, check, why }];
  });
}

function whyUnproven(mutated: MutatedCheck | undefined): string | undefined {
  if (mutated === undefined) return "the runs of mutants do not have it";
  if (mutated.isSkipped) return "the runs of mutants skipped it";
  if (mutated.mutants.length === 0) return "it has no mutant";
  if (mutated.mutants.some(({ verdict }) => verdict === "killed" || verdict === "moot"))
    return undefined;
  return mutated.mutants.map(({ name, verdict }) => `${verdict}: ${name}`).join("; ");
}

interface Proof {
  readonly mutants: Mutants | undefined;
  readonly unproven: readonly Unproven[] | undefined;
  readonly requirements: ReadonlyMap<string, Requirement>;
}

export function tableOf(checks: readonly AuditedCheck[], proof: Proof): readonly AuditRow[] {
  const suiteOf = ({ requirement }: MutatedCheck) =>
    proof.requirements.get(requirement)?.suite ?? "unknown";
  const mutated = [...(proof.mutants?.values() ?? [])];
  const suites = new Set([...checks.map(({ suite }) => suite), ...mutated.map(suiteOf)]);
  const rows = [...suites].sort().map((suite) =>
    rowOf(
      suite,
      checks.filter((one) => one.suite === suite),
      proof.mutants && mutated.filter((one) => suiteOf(one) === suite),
      proof.unproven?.filter((one) => one.suite === suite),
    ),
  );
  const all = rowOf("all", checks, proof.mutants && mutated, proof.unproven);
  return [...rows, all];
}

function rowOf(
  suite: string,
  checks: readonly AuditedCheck[],
  mutated: readonly MutatedCheck[] | undefined,
  unproven: readonly Unproven[] = [],
): AuditRow {
  const having = (stability: AuditedCheck["stability"]) =>
    checks.filter((one) => one.stability === stability).length;
  const compared = checks
    .filter(({ stability }) => stability === "stable" || stability === "unstable")
    .map(({ verdicts }) => verdicts.reduce((sum, { count }) => sum + count, 0));
  const verdicts = mutated?.flatMap(({ mutants }) => mutants.map(({ verdict }) => verdict));
  const mutantsThat = (...known: MutantVerdict["verdict"][]) =>
    verdicts?.filter((verdict) => known.includes(verdict)).length ?? 0;
  return {
    suite,
    checks: checks.length,
    stable: having("stable"),
    unstable: having("unstable"),
    once: having("once"),
    skipped: having("skipped"),
    none: having("none"),
    fewest: compared.length === 0 ? 0 : Math.min(...compared),
    withErrors: checks.filter(({ errors }) => errors.length > 0).length,
    ...(verdicts && {
      proof: {
        killed: mutantsThat("killed"),
        moot: mutantsThat("moot"),
        alive: mutantsThat("survived", "not-fired"),
        undecided: mutantsThat("error"),
        unproven: unproven.length,
      },
    }),
    maxMedianMs: Math.max(0, ...checks.map(({ medianMs = 0 }) => medianMs)),
    maxMs: Math.max(0, ...checks.map(({ maxMs = 0 }) => maxMs)),
  };
}
