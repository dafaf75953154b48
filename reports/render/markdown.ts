import {
  describeFinding,
  type FindingText,
  type RenderOptions,
  tame,
  tameLine,
} from "#reports/finding";
import type { Finding, Summary } from "#reports/summarise";
import { countsText, notesOf, VERDICTS } from "./words.ts";

/** A summary for a pull request or a file: verdict, counts, then findings, details folded. */
export function renderMarkdown(summary: Summary, options: RenderOptions): string {
  const lines = [
    `# Crucible: ${VERDICTS[summary.verdict]}`,
    "",
    `Deployment: ${summary.deployments.map(({ name }) => inline(name)).join(", ") || "none"}`,
    "",
    ...numbers(summary),
    "",
    `Checks: ${countsText(summary.counts)}`,
  ];
  if (summary.troubles.length > 0) {
    lines.push("", "## Trouble of the run itself", "");
    for (const trouble of summary.troubles) lines.push(...fenced(tame(trouble)), "");
  }
  const full = (title: string, findings: readonly Finding[]) => {
    if (findings.length === 0) return;
    lines.push("", `## ${title}`, "");
    for (const finding of findings) lines.push(...details(finding, options));
  };
  const table = (
    title: string,
    findings: readonly Finding[],
    why = (finding: Finding) => [describeFinding(finding, options).reason ?? ""],
  ) => {
    if (findings.length === 0) return;
    lines.push("", `## ${title}`, "", "| requirement | level | deployment | why |");
    lines.push("| --- | --- | --- | --- |");
    for (const finding of findings) {
      const { id, level } = describeFinding(finding, options);
      const place = `${inline(id)} | ${level} | ${inline(finding.result.deployment)}`;
      for (const text of why(finding)) lines.push(`| ${place} | ${inline(text)} |`);
    }
  };
  full("Regressions", summary.regressions);
  full("Missed, but not a MUST", summary.nonStrict);
  full("Missed by a client library, no verdict on a server", summary.clientFailures);
  full("Errors", summary.errors);
  table("Flaky", summary.flaky);
  table("Unexpected passes: delete these entries of the manifest", summary.unexpectedPasses);
  table("Expected failures", summary.expectedFailures);
  table("Noted, no verdict", summary.noted, (finding) => [...notesOf(finding, options)]);
  if (summary.skips.length > 0) {
    lines.push("", "## Not exercised", "", "| checks | reason |", "| ---: | --- |");
    for (const { reason, count } of summary.skips) lines.push(`| ${count} | ${inline(reason)} |`);
  }
  return `${lines.join("\n")}\n`;
}

interface Row {
  readonly level: string;
  readonly met: number;
  readonly exercised: number;
  readonly total: number;
}

export function numbers({ deployments, levels, clientLevels }: Summary): string[] {
  const row = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  const cells = ({ level, met, exercised, total }: Row) => [level, met, exercised, total];
  const clients = clientLevels.map((level) => ({
    ...level,
    level: `${level.level} of a client library`,
  }));
  if (deployments.length < 2) {
    return [
      "| level | met | exercised | selected |",
      "| --- | ---: | ---: | ---: |",
      ...[...levels, ...clients].map((level) => row(cells(level))),
    ];
  }
  return [
    "| deployment | level | met | exercised | selected |",
    "| --- | --- | ---: | ---: | ---: |",
    ...deployments.flatMap(({ name, levels: own }) =>
      own.map((level) => row([inline(name), ...cells(level)])),
    ),
    ...[...levels, ...clients].map((level) => row(["all together", ...cells(level)])),
  ];
}

export function details(finding: Finding, options: RenderOptions): string[] {
  const text = describeFinding(finding, options);
  const lines = [
    `<details><summary><code>${html(text.id)}</code> (${html(text.level)}): ${html(text.rule)}</summary>`,
    "",
    `- source: ${inline(text.source)}`,
    `- check: ${inline(text.check)}`,
    `- deployment: ${inline(finding.result.deployment)}`,
    ...(text.expected === undefined
      ? [`- reason: ${inline(text.reason ?? "")}`]
      : [`- expected: ${inline(text.expected)}`, `- actual: ${inline(text.actual ?? "")}`]),
    ...replayLines(text),
    ...pictureLines(text),
    `- more: ${inline(text.more)}`,
  ];
  const wire = [...(text.exchange === undefined ? [] : [text.exchange]), ...text.logs];
  if (wire.length > 0) lines.push("", ...fenced(wire.join("\n")));
  lines.push("", "</details>", "");
  return lines;
}

function replayLines({ replay }: FindingText): readonly string[] {
  if (replay === undefined) return [];
  const { file, link, note } = replay;
  const page = link === undefined ? [] : [`[at the failing moment](<${link}>)`];
  const why = note === undefined ? [] : [inline(note)];
  return [`- replay: ${[...page, inline(file), ...why].join(", ")}`];
}

function pictureLines({ picture }: FindingText): readonly string[] {
  if (picture === undefined) return [];
  return [`- call: [as a picture](<${picture.link}>), ${inline(picture.file)}`];
}

/** Tamed text of others as inline code: nothing in it is markup. */
export function inline(text: string): string {
  // A bar would end the cell of a table, also in code.
  const flat = tameLine(text).replace(/\|+/g, " ");
  if (flat.trim() === "") return "";
  const fence = "`".repeat(longestRun(flat) + 1);
  const pad = flat.startsWith("`") || flat.endsWith("`") ? " " : "";
  return `${fence}${pad}${flat}${pad}${fence}`;
}

/** Tamed text of others as a block of code, with a fence that is longer than any in it. */
export function fenced(text: string): string[] {
  const fence = "`".repeat(Math.max(3, longestRun(text) + 1));
  return [`${fence}text`, text, fence];
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
}

/** Tamed text as text, wherever HTML or Markdown is read. */
export function html(text: string): string {
  return text.replace(/[&<>"'`|*_[\]\\~]/g, (character) => `&#${character.charCodeAt(0)};`);
}
