import { describeFinding, type RenderOptions, tame, tameLine } from "#reports/finding";
import type { Finding, Summary } from "#reports/summarise";

/** A summary as plain data, for `--json`. */
export function summaryData(summary: Summary, options: RenderOptions): Record<string, unknown> {
  const { counts, levels, clientLevels, verdict, exitCode } = summary;
  const list = (findings: readonly Finding[]) =>
    findings.map((finding) => {
      const { id, check, reason, replay, picture } = describeFinding(finding, options);
      const { level, outcome, deployment } = finding.result;
      const on = tameLine(deployment);
      return { requirement: id, level, check, outcome, deployment: on, reason, replay, picture };
    });
  return {
    verdict,
    exitCode,
    counts,
    levels,
    clientLevels,
    deployments: summary.deployments.map((item) => ({
      ...item,
      name: tameLine(item.name),
      areas: item.areas.map((own) => ({ ...own, area: tameLine(own.area) })),
    })),
    regressions: list(summary.regressions),
    nonStrict: list(summary.nonStrict),
    clientFailures: list(summary.clientFailures),
    errors: list(summary.errors),
    flaky: list(summary.flaky),
    unexpectedPasses: list(summary.unexpectedPasses),
    expectedFailures: list(summary.expectedFailures),
    skips: summary.skips.map((item) => ({ ...item, reason: tameLine(item.reason) })),
    troubles: summary.troubles.map(tame),
  };
}
