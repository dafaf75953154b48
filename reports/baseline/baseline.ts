import type { CheckResult, RunHeader } from "#harness/results/outcome";
import { compareResults } from "#harness/results/outcome";
import { stableReason } from "./reason.ts";

/** Results as a baseline file: no times, no seeds, no drawn names, sorted, so that a line diff is the review. */
export function baselineText(header: RunHeader, results: readonly CheckResult[]): string {
  const { kind, harness, requirements, deployments } = header;
  const lines = [
    JSON.stringify({ kind, harness, requirements, deployments, seed: 0, checks: results.length }),
    ...[...results].sort(compareResults).map(resultLine),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function resultLine(result: CheckResult): string {
  const { kind, deployment, suite, requirement, level, party, check, outcome } = result;
  // Other outcomes have their reason from the manifest or from the machine: neither belongs in a shared file.
  const reason =
    outcome === "fail" && result.reason !== undefined ? stableReason(result.reason) : undefined;
  return JSON.stringify({
    kind,
    deployment,
    suite,
    requirement,
    level,
    party,
    check,
    outcome,
    durationMs: 0,
    reason,
  });
}
