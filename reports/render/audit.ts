/** An audit: for a person, for a file, for a program. */
import { createColors } from "picocolors";
import type { Audit } from "#reports/audit/audit";
import type { AuditedCheck, Seen } from "#reports/audit/check";
import type { AuditRow } from "#reports/audit/proof";
import { tame, tameLine } from "#reports/finding";
import { fenced, inline } from "./markdown.ts";
import { clip } from "./words.ts";

const SLOWEST = 10;
/** Longest list; the rest is counted. */
const ROWS = 100;

const VERDICTS: Readonly<Record<Audit["verdict"], string>> = {
  stable: "stable",
  unstable: "unstable",
  error: "no unstable verdict, but errors",
  "nothing-compared": "no check has two verdicts, so nothing was compared",
};

const NO_MUTANTS =
  "Whether each check can fail was not looked at: name a run of `crucible mutants` with --mutants.";

interface Section {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Everything but the table of suites, in the order in which it matters. */
function sectionsOf(audit: Audit): readonly Section[] {
  const check = ({ requirement, check }: { requirement: string; check: string }) => [
    tameLine(requirement),
    tameLine(check),
  ];
  const place = audit.deployments.length > 1 ? ["deployment"] : [];
  const on = ({ deployment }: AuditedCheck) => (place.length > 0 ? [tameLine(deployment)] : []);
  const sections = [
    {
      title: "Unstable",
      head: ["requirement", "check", ...place, "outcomes", "the rarest in", "why"],
      rows: audit.unstable.map((one) => [
        ...[...check(one), ...on(one), timesText(one.verdicts)],
        ...[rarestOf(one.verdicts), whyOf(one.verdicts)],
      ]),
    },
    {
      title: "Errors: trouble of ours or of the machine, no verdict",
      head: ["requirement", "check", ...place, "errors", "verdicts", "why"],
      rows: audit.withErrors.map((one) => [
        ...[...check(one), ...on(one), timesText(one.errors), timesText(one.verdicts) || "none"],
        whyOf(one.errors),
      ]),
    },
    {
      title: "Never failed under any mutant",
      head: ["requirement", "check", "why"],
      rows: (audit.unproven ?? []).map((one) => [...check(one), clip(one.why)]),
    },
    {
      title: "Slowest",
      head: ["requirement", "check", ...place, "median", "longest"],
      rows: audit.slowest
        .slice(0, SLOWEST)
        .map((one) => [...check(one), ...on(one), seconds(one.medianMs), seconds(one.maxMs)]),
    },
  ];
  return sections.filter(({ rows }) => rows.length > 0);
}

export function renderAudit(audit: Audit, options: { readonly colour: boolean }): string {
  const paint = createColors(options.colour);
  const lines = [
    `${audit.runs.length} runs of ${audit.deployments.map(tameLine).join(", ") || "nothing"}`,
    ...audit.notes.map((note) => `note: ${note}`),
  ];
  for (const { title, head, rows } of sectionsOf(audit)) {
    lines.push("", paint.bold(title.toLowerCase()));
    for (const [id = "", name = "", ...cells] of rows.slice(0, ROWS)) {
      lines.push(`  ${id}  ${name}`);
      const told = cells.flatMap((cell, at) => (cell === "" ? [] : `${head[at + 2]}: ${cell}`));
      lines.push(paint.dim(`    ${told.join("; ")}`));
    }
    lines.push(...restOf(rows.length).map((rest) => `  ${rest}`));
  }
  for (const trouble of audit.troubles)
    lines.push("", `trouble: ${tame(trouble).replaceAll("\n", "\n    ")}`);
  lines.push("", ...columns(tableCells(audit)));
  if (audit.unproven === undefined) lines.push("", NO_MUTANTS);
  lines.push("", `audit: ${headlineOf(audit)}`);
  return `${lines.join("\n")}\n`;
}

export function auditMarkdown(audit: Audit): string {
  const [head = [], ...rows] = tableCells(audit);
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const lines = [
    `# Crucible audit: ${headlineOf(audit)}`,
    "",
    `${audit.runs.length} runs of ${audit.deployments.map(inline).join(", ") || "nothing"}`,
    ...audit.notes.flatMap((note) => ["", note]),
    "",
    row(head),
    row(head.map((_, at) => (at === 0 ? "---" : "---:"))),
    ...rows.map(([suite = "", ...cells]) => row([inline(suite), ...cells])),
  ];
  if (audit.unproven === undefined) lines.push("", NO_MUTANTS);
  if (audit.troubles.length > 0) lines.push("", "## Trouble of the runs themselves", "");
  for (const trouble of audit.troubles) lines.push(...fenced(tame(trouble)), "");
  for (const { title, head, rows } of sectionsOf(audit)) {
    lines.push("", `## ${title}`, "", row(head), row(head.map(() => "---")));
    for (const cells of rows.slice(0, ROWS)) lines.push(row(cells.map(inline)));
    lines.push(...restOf(rows.length).flatMap((rest) => ["", rest]));
  }
  return `${lines.join("\n")}\n`;
}

/** For `--json`, and `audit.json`: everything, also what the others cut. */
export function auditData(audit: Audit): Record<string, unknown> {
  const { verdict, exitCode, notes, table, unproven } = audit;
  const seen = (all: readonly Seen[]) =>
    all.map(({ outcome, count, runs, reason }) => ({
      ...{ outcome, count, runs: runs.map(tameLine) },
      ...(reason === undefined ? {} : { reason: tame(reason) }),
    }));
  return {
    verdict,
    exitCode,
    runs: audit.runs.map(tameLine),
    deployments: audit.deployments.map(tameLine),
    notes,
    troubles: audit.troubles.map(tame),
    suites: table.map((row) => ({ ...row, suite: tameLine(row.suite) })),
    checks: audit.checks.map((one) => ({
      ...one,
      deployment: tameLine(one.deployment),
      suite: tameLine(one.suite),
      requirement: tameLine(one.requirement),
      check: tameLine(one.check),
      verdicts: seen(one.verdicts),
      errors: seen(one.errors),
    })),
    unproven:
      unproven?.map(({ suite, requirement, check, why }) => ({
        suite: tameLine(suite),
        requirement: tameLine(requirement),
        check: tameLine(check),
        why: tame(why),
      })) ?? null,
  };
}

/** "unstable: 2 of 480 checks over 20 runs". */
function headlineOf({ verdict, table, troubles }: Audit): string {
  const all = table.at(-1);
  if (all === undefined) return VERDICTS[verdict];
  const counted = (count: number, what: string) => (count === 0 ? [] : [`${count} ${what}`]);
  const parts = [
    `${all.unstable} of ${all.checks} checks unstable`,
    ...counted(all.withErrors, "with errors"),
    ...counted(troubles.length, "troubles of runs"),
    ...counted(all.proof?.alive ?? 0, "mutants alive"),
    ...counted(all.proof?.undecided ?? 0, "mutants without a verdict"),
    ...counted(all.proof?.unproven ?? 0, "never failed under any mutant"),
  ];
  return `${VERDICTS[verdict]}: ${parts.join(", ")}`;
}

function tableCells({ table }: Audit): readonly (readonly string[])[] {
  const hasProof = table.some(({ proof }) => proof !== undefined);
  const head = [
    "suite",
    "checks",
    "stable",
    "unstable",
    "skipped",
    "judged once",
    "no verdict",
    "fewest verdicts",
  ];
  const proofHead = ["mutants killed", "moot", "alive", "undecided", "checks never failed"];
  const cells = (row: AuditRow) => {
    const { killed = 0, moot = 0, alive = 0, undecided = 0, unproven = 0 } = row.proof ?? {};
    return [
      tameLine(row.suite),
      ...[row.checks, row.stable, row.unstable, row.skipped, row.once, row.none, row.fewest].map(
        String,
      ),
      String(row.withErrors),
      ...(hasProof ? [killed, moot, alive, undecided, unproven].map(String) : []),
      seconds(row.maxMedianMs),
      seconds(row.maxMs),
    ];
  };
  const last = ["slowest median", "longest"];
  return [[...head, "with errors", ...(hasProof ? proofHead : []), ...last], ...table.map(cells)];
}

/** Cells of a table below each other, for a terminal. */
function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const width = (at: number) => Math.max(...rows.map((row) => row[at]?.length ?? 0));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(width(at)) : cell.padStart(width(at))))
      .join("  "),
  );
}

function timesText(seen: readonly Seen[]): string {
  return seen.map(({ outcome, count }) => `${outcome} ${count}×`).join(", ");
}

function rarestOf(verdicts: readonly Seen[]): string {
  const runs = (verdicts.at(-1)?.runs ?? []).map(tameLine);
  return runs.length > 3 ? `${runs.slice(0, 3).join(", ")} and more` : runs.join(", ");
}

function whyOf(seen: readonly Seen[]): string {
  return clip(seen.find(({ reason }) => reason !== undefined)?.reason ?? "");
}

function restOf(count: number): readonly string[] {
  return count > ROWS ? [`${count - ROWS} more are in the JSON`] : [];
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? "" : `${(ms / 1000).toFixed(1)} s`;
}
