/** A recall for a person and for a program. What servers said is quoted, so nothing of it may act as a part of the report. */
import { createColors } from "picocolors";
import { tameLine } from "#reports/finding";
import type { BugVerdict, Recall, SuiteRecall, Verdict } from "#reports/recall/judge";
import { html } from "./markdown.ts";
import { clip } from "./words.ts";

/** Longest reason in a line or a cell; the report of the run has all of it. */
const REASON = 240;
/** Longest list of checks in a cell; the rest is counted. */
const CHECKS = 4;

export function renderRecall(recall: Recall, options: { readonly colour: boolean }): string {
  const colour = createColors(options.colour);
  const paint: Readonly<Record<Verdict, (text: string) => string>> = {
    caught: colour.green,
    missed: colour.yellow,
    "false-alarm": colour.red,
    unsupported: colour.dim,
    error: colour.magenta,
    "not-run": colour.dim,
  };
  const width = Math.max(0, ...recall.bugs.map(({ bug }) => bug.id.length));
  const lines = recall.bugs.flatMap((one) => {
    const { id, affected, fixed } = one.bug;
    const head = `${paint[one.verdict](one.verdict.padEnd(11))} ${id.padEnd(width)} ${affected} -> ${fixed}`;
    return [head, ...tellingOf(one).map((line) => `            ${line}`)];
  });
  const rows = [...recall.suites, recall.total];
  const longest = Math.max(...rows.map(({ suite }) => suite.length));
  return [
    ...lines,
    "",
    ...rows.map((row) => `${row.suite.padEnd(longest)}  ${recallText(row)}`),
    countsText(recall),
    "",
  ].join("\n");
}

export function recallMarkdown(recall: Recall): string {
  const suites = [...recall.suites, recall.total].map(
    (row) =>
      `| ${row.suite} | ${row.caught} | ${row.runnable} | ${percent(row)} | ${row.falseAlarms} |`,
  );
  const bugs = recall.bugs.map((one) => {
    const { id, symptom, fix, fixed_in, affected, fixed } = one.bug;
    const cells = [
      id,
      plain(symptom),
      plain(`${fix}, ${fixed_in}`),
      `${affected}, ${fixed}`,
      one.verdict,
      cellOf(one),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    `${countsText(recall)}.`,
    "",
    "| Suite | Caught | Of | Recall | False alarms |",
    "| --- | --- | --- | --- | --- |",
    ...suites,
    "",
    "| Bug | Symptom | Fix | Affected and fixed release that ran | Verdict | Requirement and check, or why not |",
    "| --- | --- | --- | --- | --- | --- |",
    ...bugs,
    "",
  ].join("\n");
}

export function recallData(recall: Recall): unknown {
  const { bugs, ...rest } = recall;
  return {
    ...rest,
    bugs: bugs.map(({ bug, verdict, why, checks }) => {
      const { id, suite, affected, fixed } = bug;
      const told = checks.map((one) => ({
        ...one,
        check: tameLine(one.check),
        why: tameLine(one.why),
      }));
      return { bug: id, suite, affected, fixed, verdict, why: tameLine(why), checks: told };
    }),
  };
}

function tellingOf(one: BugVerdict): readonly string[] {
  const { bug, verdict, why, checks } = one;
  const telling = checks.filter((check) => check.verdict === verdict);
  const stale = bug.missed !== undefined && verdict === "caught";
  return [
    ...(verdict === "caught" ? [] : [clip(why, REASON)]),
    ...telling.map(({ requirement, check }) => `${requirement}: ${clip(check, REASON)}`),
    ...(verdict === "missed" && bug.missed === undefined
      ? ["add a check that sees it, or tell under `missed` why there is none"]
      : []),
    ...(stale ? ["it is caught: take away its `missed`"] : []),
  ];
}

function cellOf({ verdict, why, checks }: BugVerdict): string {
  if (verdict !== "caught") return plain(why);
  const telling = checks.filter((check) => check.verdict === verdict);
  const shown = telling
    .slice(0, CHECKS)
    .map(({ requirement, check }) => `\`${requirement}\`: ${plain(check)}`);
  const rest = telling.length - shown.length;
  return [...shown, ...(rest > 0 ? [`${rest} more`] : [])].join("; ");
}

function recallText(row: SuiteRecall): string {
  const alarms = row.falseAlarms === 0 ? "" : `, ${row.falseAlarms} false alarms`;
  return `${row.caught} of ${row.runnable} caught (${percent(row)})${alarms}`;
}

function percent({ caught, runnable }: SuiteRecall): string {
  return runnable === 0 ? "none can run" : `${Math.floor((100 * caught) / runnable)} %`;
}

function countsText({ bugs, counts }: Recall): string {
  const parts = Object.entries(counts).filter(([, count]) => count > 0);
  return `${bugs.length} bugs: ${parts.map(([verdict, count]) => `${count} ${verdict}`).join(", ")}`;
}

function plain(text: string): string {
  return html(clip(text, REASON));
}
