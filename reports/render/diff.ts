import type { Change, Diff } from "#reports/baseline/diff";
import { TRANSITIONS } from "#reports/baseline/diff";
import { tameLine } from "#reports/finding";
import { clip } from "./words.ts";

/** A diff as text: what was compared, what changed, one check a paragraph, then the counts. */
export function renderDiff({ before, after, changes, counts, notes }: Diff): string {
  const [old, current] = [before, after].map(({ deployments }) => deployments.join(", ") || "none");
  return [
    `${tameLine(old ?? "")} -> ${tameLine(current ?? "")}`,
    ...notes.map((note) => `note: ${tameLine(note)}`),
    ...changes.filter(({ transition }) => transition !== "unchanged").flatMap(paragraph),
    TRANSITIONS.map((transition) => `${counts[transition]} ${transition}`).join(", "),
  ].join("\n");
}

/** For `--json`. */
export function diffData({ before, after, changes, regressions, counts, notes }: Diff) {
  const side = ({ path, deployments }: Diff["before"]) => ({
    path: tameLine(path),
    deployments: deployments.map(tameLine),
  });
  return {
    before: side(before),
    after: side(after),
    changes: changes.filter(({ transition }) => transition !== "unchanged").map(tamed),
    regressions: regressions.map(tamed),
    counts,
    notes: notes.map(tameLine),
  };
}

function tamed(change: Change): Change {
  const entries = Object.entries(change).map(([key, value]) => [key, tameLine(value)]);
  return Object.fromEntries(entries) as unknown as Change;
}

function paragraph(change: Change): string[] {
  const { transition, requirement, check, level, before, after } = change;
  const outcomes = `${before ?? "absent"} -> ${after ?? "absent"}`;
  const head = `${transition.padEnd(14)} ${level.padEnd(6)} ${tameLine(requirement)}  ${outcomes}  ${tameLine(check)}`;
  return [head, ...reasons(change).map((text) => `    ${clip(text)}`)];
}

function reasons({ transition, reasonBefore, reasonAfter }: Change): readonly string[] {
  switch (transition) {
    case "changed-reason":
      // Expected failures carry the manifest's reason on both sides: how they fail is in the evidence.
      if (reasonBefore === reasonAfter) return [];
      return [`before: ${reasonBefore ?? ""}`, `after: ${reasonAfter ?? ""}`];
    case "regressed":
    case "flaky":
    case "new":
    case "changed":
      return reasonAfter === undefined ? [] : [reasonAfter];
    case "fixed":
    case "gone":
    case "unchanged":
      return [];
  }
}
