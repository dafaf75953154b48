import { createColors } from "picocolors";
import { describeFinding, type RenderOptions, tame } from "#reports/finding";
import type { Finding, Summary } from "#reports/summarise";

export interface ConsoleOptions extends RenderOptions {
  readonly colour: boolean;
}

/** What a person reads at the end of a run: failures first in full, then numbers, the verdict last. */
export function renderConsole(summary: Summary, options: ConsoleOptions): string {
  const paint = createColors(options.colour);
  const lines: string[] = [];
  const section = (
    title: string,
    findings: readonly Finding[],
    render: (finding: Finding) => readonly string[],
  ) => {
    if (findings.length === 0) return;
    lines.push("", paint.bold(title), ...findings.flatMap(render));
  };
  const block = (finding: Finding) => failureBlock(finding, summary, options, paint.dim);
  section("regressions", summary.regressions, block);
  section("missed, but not a MUST", summary.nonStrict, block);
  section("errors: trouble of ours or of the machine, no verdict", summary.errors, block);
  section("flaky", summary.flaky, (finding) => [oneLine(finding, options)]);
  section(
    "passed although the manifest expects a failure: delete these entries",
    summary.unexpectedPasses,
    (finding) => [oneLine(finding, options)],
  );
  section("expected failures", summary.expectedFailures, (finding) => [oneLine(finding, options)]);
  if (summary.skips.length > 0) {
    lines.push("", paint.bold("not exercised"));
    for (const { reason, count } of summary.skips)
      lines.push(`  ${String(count).padStart(4)}  ${tame(reason)}`);
  }
  lines.push("", ...numbers(summary));
  const word = {
    ok: paint.green("as expected"),
    failed: paint.red("failed"),
    error: paint.magenta("error"),
    "nothing-ran": paint.red("nothing ran"),
  };
  lines.push(`verdict: ${word[summary.verdict]}`);
  return `${lines.join("\n")}\n`;
}

function failureBlock(
  finding: Finding,
  summary: Summary,
  options: RenderOptions,
  dim: (text: string) => string,
): string[] {
  const text = describeFinding(finding, options);
  const lines = [
    "",
    `  ${text.id}  ${text.level}  ${text.source}`,
    `    rule      ${text.rule}`,
    `    check     ${text.check}`,
  ];
  if (text.expected !== undefined)
    lines.push(`    expected  ${text.expected}`, `    actual    ${text.actual ?? ""}`);
  else if (text.reason !== undefined) lines.push(`    reason    ${text.reason}`);
  for (const line of text.exchange?.split("\n") ?? []) lines.push(dim(`    | ${line}`));
  for (const line of text.logs) lines.push(dim(`    log | ${line}`));
  lines.push(dim(`    more      ${text.more}; the exchanges are in ${tame(summary.path)}/trace`));
  return lines;
}

function oneLine(finding: Finding, options: RenderOptions): string {
  const { id, level, reason } = describeFinding(finding, options);
  return `  ${id}  ${level}  ${(reason ?? "").split("\n")[0]}`;
}

function numbers(summary: Summary): string[] {
  const counts = Object.entries(summary.counts)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${count} ${outcome}`);
  return [
    `deployment: ${summary.deployments.map(tame).join(", ") || "none"}`,
    ...summary.levels.map(
      ({ level, met, exercised, total }) =>
        `${level.padEnd(6)} ${met} met of ${exercised} exercised (${total} selected)`,
    ),
    `checks: ${counts.join(", ") || "none"}`,
  ];
}
