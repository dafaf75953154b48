import type { CheckResult, RunHeader } from "#harness/results/outcome";
import { compareResults } from "#harness/results/outcome";

/** Results as a baseline file: no times, no seeds, sorted, so that a line diff is the review. */
export function baselineText(header: RunHeader, results: readonly CheckResult[]): string {
  const lines = [
    JSON.stringify({ ...header, seed: 0 }),
    ...[...results]
      .sort(compareResults)
      .map(({ kind, deployment, suite, requirement, level, check, outcome }) =>
        JSON.stringify({
          kind,
          deployment,
          suite,
          requirement,
          level,
          check,
          outcome,
          durationMs: 0,
        }),
      ),
  ];
  return lines.map((line) => `${line}\n`).join("");
}
