import { describeFinding, type RenderOptions, tame } from "#reports/finding";
import type { Finding, Summary } from "#reports/summarise";

const VERDICTS = {
  ok: "as expected",
  failed: "failed",
  error: "error",
  "nothing-ran": "nothing ran",
} as const;

/** A summary for a pull request or a file: verdict, counts, then findings, details folded. */
export function renderMarkdown(summary: Summary, options: RenderOptions): string {
  const lines = [
    `# Crucible: ${VERDICTS[summary.verdict]}`,
    "",
    `Deployment: ${summary.deployments.map(inline).join(", ") || "none"}`,
    "",
    "| level | met | exercised | selected |",
    "| --- | ---: | ---: | ---: |",
    ...summary.levels.map(
      ({ level, met, exercised, total }) => `| ${level} | ${met} | ${exercised} | ${total} |`,
    ),
    "",
    `Checks: ${Object.entries(summary.counts)
      .filter(([, count]) => count > 0)
      .map(([outcome, count]) => `${count} ${outcome}`)
      .join(", ")}`,
  ];
  const full = (title: string, findings: readonly Finding[]) => {
    if (findings.length === 0) return;
    lines.push("", `## ${title}`, "");
    for (const finding of findings) lines.push(...details(finding, options));
  };
  const table = (title: string, findings: readonly Finding[]) => {
    if (findings.length === 0) return;
    lines.push("", `## ${title}`, "", "| requirement | level | why |", "| --- | --- | --- |");
    for (const finding of findings) {
      const { id, level, reason } = describeFinding(finding, options);
      lines.push(`| ${inline(id)} | ${level} | ${inline((reason ?? "").split("\n")[0] ?? "")} |`);
    }
  };
  full("Regressions", summary.regressions);
  full("Missed, but not a MUST", summary.nonStrict);
  full("Errors", summary.errors);
  table("Flaky", summary.flaky);
  table("Unexpected passes: delete these entries of the manifest", summary.unexpectedPasses);
  table("Expected failures", summary.expectedFailures);
  if (summary.skips.length > 0) {
    lines.push("", "## Not exercised", "", "| checks | reason |", "| ---: | --- |");
    for (const { reason, count } of summary.skips) lines.push(`| ${count} | ${inline(reason)} |`);
  }
  return `${lines.join("\n")}\n`;
}

function details(finding: Finding, options: RenderOptions): string[] {
  const text = describeFinding(finding, options);
  const lines = [
    `<details><summary>${html(text.id)} (${html(text.level)}): ${html(text.rule)}</summary>`,
    "",
    `- source: ${inline(text.source)}`,
    `- check: ${inline(text.check)}`,
    ...(text.expected === undefined
      ? [`- reason: ${inline(text.reason ?? "")}`]
      : [`- expected: ${inline(text.expected)}`, `- actual: ${inline(text.actual ?? "")}`]),
    `- more: ${inline(text.more)}`,
  ];
  const wire = [...(text.exchange?.split("\n") ?? []), ...text.logs];
  if (wire.length > 0) lines.push("", ...wire.map((line) => `    ${line}`));
  lines.push("", "</details>", "");
  return lines;
}

/** Text of others as inline code: nothing in it is markup. */
function inline(text: string): string {
  const flat = tame(text)
    .replace(/[\r\n|]+/g, " ")
    .trim();
  if (flat === "") return "";
  const longest = Math.max(0, ...[...flat.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const pad = flat.startsWith("`") || flat.endsWith("`") ? " " : "";
  return `${fence}${pad}${flat}${pad}${fence}`;
}

function html(text: string): string {
  return tame(text).replace(/[&<>"'`|*_[\]\n]/g, (character) => `&#${character.charCodeAt(0)};`);
}
