import type { Requirement } from "#harness/requirements/requirement";
import { jsonLine } from "#harness/results/json-line";
import type { CheckResult, RunHeader } from "#harness/results/outcome";
import { compareResults } from "#harness/results/outcome";
import { withheldResult } from "#reports/finding";
import { stableReason } from "./reason.ts";

/** Results as a baseline file: no times, no seeds, no drawn names, sorted, so that a line diff is the review. */
export function baselineText(
  header: RunHeader,
  results: readonly CheckResult[],
  requirements: ReadonlyMap<string, Requirement>,
): string {
  const { kind, harness, requirements: set, deployments } = header;
  const checks = results.length;
  const lines = [
    jsonLine({ kind, harness, requirements: set, deployments, seed: 0, checks }),
    ...[...results]
      .sort(compareResults)
      .map((result) => resultLine(withheldResult(result, requirements))),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function resultLine(result: CheckResult): string {
  const { kind, deployment, suite, requirement, level, party, check, outcome } = result;
  // Other outcomes have their reason from the manifest or from the machine: neither belongs in a shared file.
  const reason =
    outcome === "fail" && result.reason !== undefined ? stableReason(result.reason) : undefined;
  return jsonLine({
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
