import { createColors } from "picocolors";
import { describeFinding, type RenderOptions, tame, tameLine } from "#reports/finding";
import type { Finding, Summary } from "#reports/summarise";
import { countsText, notesOf, VERDICTS } from "./words.ts";

export interface ConsoleOptions extends RenderOptions {
  readonly colour: boolean;
}

/** Width of the names of a finding's fields. */
const FIELD = 10;

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
  const line = (finding: Finding) => [oneLine(finding, summary, options)];
  section("regressions", summary.regressions, block);
  section("missed, but not a MUST", summary.nonStrict, block);
  section("missed by a client library, no verdict on a server", summary.clientFailures, block);
  // A server that is gone breaks every check in the same way: once in full is enough.
  const told = new Set<string | undefined>();
  section("errors: trouble of ours or of the machine, no verdict", summary.errors, (finding) => {
    const { reason } = finding.result;
    if (told.has(reason)) return line(finding);
    told.add(reason);
    return block(finding);
  });
  section("flaky", summary.flaky, line);
  section(
    "passed although the manifest expects a failure: delete these entries",
    summary.unexpectedPasses,
    line,
  );
  section("expected failures", summary.expectedFailures, line);
  section("noted, no verdict", summary.noted, (finding) =>
    notesOf(finding, options).map((note) =>
      paint.dim(`  ${tameLine(finding.result.requirement)}  ${note}`),
    ),
  );
  if (summary.skips.length > 0) {
    lines.push("", paint.bold("not exercised"));
    for (const { reason, count } of summary.skips)
      lines.push(`  ${String(count).padStart(4)}  ${tameLine(reason)}`);
  }
  if (summary.troubles.length > 0) {
    lines.push("", paint.bold("trouble of the run itself"));
    for (const trouble of summary.troubles) lines.push(`  ${indented(tame(trouble), 4)}`);
  }
  lines.push("", ...numbers(summary));
  const colours = {
    ok: paint.green,
    failed: paint.red,
    error: paint.magenta,
    "nothing-ran": paint.red,
  };
  lines.push(`verdict: ${colours[summary.verdict](VERDICTS[summary.verdict])}`);
  return `${lines.join("\n")}\n`;
}

export function failureBlock(
  finding: Finding,
  summary: Summary,
  options: RenderOptions,
  dim: (text: string) => string,
): string[] {
  const text = describeFinding(finding, options);
  const field = (name: string, value: string) =>
    `    ${name.padEnd(FIELD)}${indented(value, 4 + FIELD)}`;
  const lines = [
    "",
    `  ${text.id}  ${text.level}  ${text.source}`,
    field("rule", text.rule),
    field("check", text.check),
    ...(isOneOfSeveral(summary) ? [field("on", tameLine(finding.result.deployment))] : []),
  ];
  if (text.expected !== undefined)
    lines.push(field("expected", text.expected), field("actual", text.actual ?? ""));
  else if (text.reason !== undefined) lines.push(field("reason", text.reason));
  for (const line of text.exchange?.split("\n") ?? []) lines.push(dim(`    | ${line}`));
  for (const line of text.logs) lines.push(dim(`    log | ${line}`));
  if (text.replay !== undefined) {
    const { file, page, note } = text.replay;
    lines.push(dim(field("replay", page ?? file)));
    if (note !== undefined) lines.push(dim(field("", note)));
  }
  if (text.picture !== undefined) lines.push(dim(field("call", text.picture.file)));
  const folder = isOneOfSeveral(summary) ? "trace/ of its run" : `${tameLine(summary.path)}/trace`;
  const trace = `the exchanges are in ${folder}`;
  lines.push(dim(field("more", `${text.more}; ${trace}`)));
  return lines;
}

function oneLine(finding: Finding, summary: Summary, options: RenderOptions): string {
  const { id, level, reason } = describeFinding(finding, options);
  const place = isOneOfSeveral(summary) ? `  on ${tameLine(finding.result.deployment)}` : "";
  return `  ${id}  ${level}${place}  ${tameLine(reason ?? "")}`;
}

/** Whether a finding has to say on which deployment it was made. */
function isOneOfSeveral({ deployments }: Summary): boolean {
  return deployments.length > 1;
}

function numbers({ deployments, levels, clientLevels, counts }: Summary): string[] {
  const level = ({ level, met, exercised, total }: (typeof levels)[number]) =>
    `${level.padEnd(6)} ${met} met of ${exercised} exercised (${total} selected)`;
  const [only] = deployments;
  const single = [`deployment: ${only === undefined ? "none" : tameLine(only.name)}`];
  const several = deployments.flatMap(({ name, levels: own, counts: ownCounts }) => [
    `deployment: ${tameLine(name)}`,
    ...own.map((row) => `  ${level(row)}`),
    `  checks: ${countsText(ownCounts)}`,
  ]);
  return [
    ...(deployments.length > 1 ? [...several, "all together"] : single),
    ...levels.map(level),
    ...clientLevels.map((row) => `client library: ${level(row)}`),
    `checks: ${countsText(counts)}`,
  ];
}

/** Later lines of others' text start where the first one does, so that none looks like a line of ours. */
function indented(text: string, columns: number): string {
  return text.replaceAll("\n", `\n${" ".repeat(columns)}`);
}
