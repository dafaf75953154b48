/** The gate's verdict: for a person, for a pull request, for a program. */
import { createColors } from "picocolors";
import type { Gate, Judged } from "#reports/baseline/gate";
import { describeFinding, type RenderOptions, tame, tameLine } from "#reports/finding";
import { type ConsoleOptions, failureBlock } from "./console.ts";
import { details, fenced, inline, numbers } from "./markdown.ts";
import { clip, countsText, notesOf, VERDICTS } from "./words.ts";

/** Longest table; the rest is counted. */
const ROWS = 100;

interface Section {
  readonly title: string;
  readonly items: readonly Judged[];
}

/** What decides comes first, and in full; these follow, a line each. */
function sectionsOf(gate: Gate): readonly Section[] {
  const sections = [
    { title: "Flaky: comes and goes, no verdict", items: gate.flaky },
    { title: "Worse, but of a MAY or by a client library", items: gate.worse },
    { title: "Lost their verdict: skipped, not run or gone", items: gate.lost },
    { title: "Fixed", items: gate.fixed },
    { title: "New: no verdict in the baseline", items: gate.fresh },
    { title: "Fail as before, in another way", items: gate.otherwise },
  ];
  return sections.filter(({ items }) => items.length > 0);
}

/** "failed: 1 regression"; what else a reader has to know follows. */
function gateHeadline({ verdict, regressions, lost, flaky, summary }: Gate): string {
  const counted = (count: number, what: string) => (count === 0 ? [] : [`${count} ${what}`]);
  const troubles = summary.errors.length + summary.troubles.length;
  const parts = [
    regressions.length === 1 ? "1 regression" : `${regressions.length} regressions`,
    ...counted(troubles, "of our own trouble or the machine's"),
    ...counted(lost.length, "lost their verdict"),
    ...counted(flaky.length, "flaky"),
  ];
  return `${VERDICTS[verdict]}: ${parts.join(", ")}`;
}

/** Counts of what changed, as of `diff`. */
function countsOf({ diff, summary }: Gate): string {
  const changed = Object.entries(diff.counts).map(([name, count]) => `${count} ${name}`);
  return `${changed.join(", ")}; of the run: ${countsText(summary.counts)}`;
}

export function renderGate(gate: Gate, options: ConsoleOptions): string {
  const paint = createColors(options.colour);
  const { summary, diff } = gate;
  const names = (names: readonly string[]) => names.map(tameLine).join(", ") || "none";
  const lines = [
    `${names(diff.before.deployments)} -> ${names(diff.after.deployments)}`,
    ...diff.notes.map((note) => `note: ${tameLine(note)}`),
  ];
  if (gate.regressions.length > 0) lines.push("", paint.bold("regressions"));
  for (const judged of gate.regressions) {
    if (judged.finding !== undefined)
      lines.push(...failureBlock(judged.finding, summary, options, paint.dim));
    lines.push(paint.dim(`    was       ${judged.change.before ?? "absent"}`));
  }
  for (const { title, items } of sectionsOf(gate)) {
    lines.push("", paint.bold(title.toLowerCase()));
    for (const judged of items) {
      const { id, level, outcomes, why } = rowOf(judged);
      lines.push(`  ${id}  ${level}  ${outcomes}  ${why}`.trimEnd());
    }
  }
  if (summary.errors.length > 0) {
    lines.push("", paint.bold("errors: trouble of ours or of the machine, no verdict"));
    for (const finding of summary.errors) {
      const { id, level, reason } = describeFinding(finding, options);
      lines.push(`  ${id}  ${level}  ${clip(reason ?? "")}`);
    }
  }
  for (const trouble of summary.troubles)
    lines.push("", `trouble: ${tame(trouble).replaceAll("\n", "\n    ")}`);
  lines.push("", countsOf(gate), `gate: ${gateHeadline(gate)}`);
  return `${lines.join("\n")}\n`;
}

/** For the summary of a job or one comment on a pull request. */
export function gateMarkdown(gate: Gate, options: RenderOptions): string {
  const { summary, diff } = gate;
  const names = (names: readonly string[]) => names.map(inline).join(", ") || "none";
  const lines = [
    `# Crucible: ${gateHeadline(gate)}`,
    "",
    `${names(diff.before.deployments)} against ${names(diff.after.deployments)}`,
    "",
    ...numbers(summary),
    "",
    `Checks: ${countsOf(gate)}`,
    ...diff.notes.flatMap((note) => ["", inline(note)]),
  ];
  if (summary.troubles.length > 0) {
    lines.push("", "## Trouble of the run itself", "");
    for (const trouble of summary.troubles) lines.push(...fenced(tame(trouble)), "");
  }
  if (gate.regressions.length > 0) lines.push("", "## Regressions", "");
  for (const { finding } of gate.regressions)
    if (finding !== undefined) lines.push(...details(finding, options));
  if (summary.errors.length > 0) {
    lines.push("", "## Errors", "", "| requirement | level | deployment | why |");
    lines.push("| --- | --- | --- | --- |");
    for (const finding of summary.errors.slice(0, ROWS)) {
      const { id, level, reason } = describeFinding(finding, options);
      const why = inline(clip(reason ?? ""));
      lines.push(`| ${inline(id)} | ${level} | ${inline(finding.result.deployment)} | ${why} |`);
    }
    lines.push(...restOf(summary.errors.length));
  }
  for (const { title, items } of sectionsOf(gate)) {
    lines.push("", `<details><summary>${title} (${items.length})</summary>`, "");
    lines.push("| requirement | level | deployment | before and after | why |");
    lines.push("| --- | --- | --- | --- | --- |");
    for (const judged of items.slice(0, ROWS)) {
      const { id, level, deployment, outcomes, why } = rowOf(judged);
      lines.push(
        `| ${inline(id)} | ${level} | ${inline(deployment)} | ${outcomes} | ${inline(why)} |`,
      );
    }
    lines.push(...restOf(items.length), "", "</details>");
  }
  const passed = summary.unexpectedPasses;
  if (passed.length > 0) {
    lines.push("", "## Unexpected passes: delete these entries of the manifest", "");
    for (const finding of passed) {
      const { id, reason } = describeFinding(finding, options);
      lines.push(`- ${inline(id)}: ${inline(reason ?? "")}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** For `--json`. */
export function gateData(gate: Gate, options: RenderOptions): Record<string, unknown> {
  const { diff, summary, verdict, exitCode } = gate;
  const list = (items: readonly Judged[]) =>
    items.map((judged) => {
      const { id, level, deployment, check, why } = rowOf(judged);
      const { before, after } = judged.change;
      return { requirement: id, level, deployment, check, before, after, reason: why };
    });
  const side = ({ path, deployments }: Gate["diff"]["before"]) => ({
    path: tameLine(path),
    deployments: deployments.map(tameLine),
  });
  return {
    verdict,
    exitCode,
    baseline: side(diff.before),
    run: side(diff.after),
    counts: diff.counts,
    outcomes: summary.counts,
    levels: summary.levels,
    regressions: list(gate.regressions),
    worse: list(gate.worse),
    flaky: list(gate.flaky),
    fixed: list(gate.fixed),
    new: list(gate.fresh),
    lost: list(gate.lost),
    changedReason: list(gate.otherwise),
    errors: summary.errors.map((finding) => {
      const { id, level, check, reason } = describeFinding(finding, options);
      return { requirement: id, level, check, reason };
    }),
    unexpectedPasses: summary.unexpectedPasses.map((finding) => {
      const { id, check, reason } = describeFinding(finding, options);
      return { requirement: id, check, reason };
    }),
    noted: summary.noted.flatMap((finding) =>
      notesOf(finding, options).map((note) => ({
        requirement: tameLine(finding.result.requirement),
        note,
      })),
    ),
    notes: diff.notes.map(tameLine),
    troubles: summary.troubles.map(tame),
  };
}

/** Reasons of changes are withheld where they have to be already. */
function rowOf({ change }: Judged) {
  const { requirement, level, deployment, check, before, after, reasonBefore, reasonAfter } =
    change;
  return {
    id: tameLine(requirement),
    level,
    deployment: tameLine(deployment),
    check: tameLine(check),
    outcomes: `${before ?? "absent"} → ${after ?? "absent"}`,
    why: clip((after === undefined ? reasonBefore : reasonAfter) ?? ""),
  };
}

function restOf(count: number): readonly string[] {
  return count <= ROWS ? [] : ["", `… and ${count - ROWS} more`];
}
