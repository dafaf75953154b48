/** The fold over many runs of the same checks: which verdicts can be believed. Renderers only print what it says. */
import type { Requirement } from "#harness/requirements/requirement";
import type { MutatedCheck } from "#harness/results/mutants-run";
import type { StoredRun } from "#harness/results/run-directory";
import { type AuditedCheck, auditedChecks } from "./check.ts";
import { type AuditRow, tableOf, type Unproven, unprovenOf } from "./proof.ts";

export interface AuditInput {
  readonly runs: readonly StoredRun[];
  readonly requirements: ReadonlyMap<string, Requirement>;
  /** By `keyOf`; undefined: nobody looked. */
  readonly mutants: ReadonlyMap<string, MutatedCheck> | undefined;
}

export interface Audit {
  readonly runs: readonly string[];
  readonly deployments: readonly string[];
  readonly checks: readonly AuditedCheck[];
  readonly unstable: readonly AuditedCheck[];
  readonly withErrors: readonly AuditedCheck[];
  /** Slowest median first. */
  readonly slowest: readonly AuditedCheck[];
  /** Checks that nothing was seen to make fail; undefined: nobody looked. */
  readonly unproven: readonly Unproven[] | undefined;
  /** A row a suite, the sum last. */
  readonly table: readonly AuditRow[];
  /** What went wrong with runs themselves, one line each. */
  readonly troubles: readonly string[];
  /** What a reader has to know of the runs before comparing them. */
  readonly notes: readonly string[];
  readonly verdict: "stable" | "unstable" | "error" | "nothing-compared";
  readonly exitCode: 0 | 1 | 3 | 4;
}

const EXIT_CODES = { stable: 0, unstable: 1, error: 3, "nothing-compared": 4 } as const;
export function audit({ runs, requirements, mutants }: AuditInput): Audit {
  const checks = auditedChecks(runs, requirements);
  const unstable = checks.filter(({ stability }) => stability === "unstable");
  const withErrors = checks.filter(({ errors }) => errors.length > 0);
  const troubles = runs.flatMap(({ path, troubles }) => troubles.map((one) => `${path}: ${one}`));
  const isCompared = checks.some(({ stability }) => stability === "stable");
  const hasTrouble = withErrors.length + troubles.length > 0;
  const quiet = hasTrouble ? "error" : isCompared ? "stable" : "nothing-compared";
  const verdict = unstable.length > 0 ? "unstable" : quiet;
  const unproven = mutants && unprovenOf(checks, mutants);
  return {
    runs: runs.map(({ path }) => path),
    deployments: [...new Set(checks.map(({ deployment }) => deployment))],
    checks,
    unstable,
    withErrors,
    slowest: checks
      .filter(({ medianMs }) => medianMs !== undefined)
      .sort((a, b) => (b.medianMs ?? 0) - (a.medianMs ?? 0)),
    unproven,
    table: tableOf(checks, { mutants, unproven, requirements }),
    troubles,
    notes: notesOf(runs),
    verdict,
    exitCode: EXIT_CODES[verdict],
  };
}

function notesOf(runs: readonly StoredRun[]): readonly string[] {
  const differ = (what: string, values: readonly (string | number | undefined)[]) => {
    const different = new Set(values.filter((value) => value !== undefined));
    return different.size > 1 ? [`the runs have ${different.size} ${what}`] : [];
  };
  const hashes = runs.map(({ header }) => header?.requirements);
  return [
    ...differ(
      "different seeds",
      runs.map(({ header }) => header?.seed),
    ),
    ...differ("different versions of the requirements", hashes),
    ...differ(
      "different versions of crucible",
      runs.map(({ header }) => header?.harness),
    ),
  ];
}
