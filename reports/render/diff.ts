import type { Diff } from "#reports/baseline/diff";
import { TRANSITIONS } from "#reports/baseline/diff";
import { tame } from "#reports/finding";

/** A diff as text: what changed, one line a check, then the counts. */
export function renderDiff({ changes, counts }: Diff): string {
  const lines = changes
    .filter(({ transition }) => transition !== "unchanged")
    .map(({ transition, requirement, check, level, before, after }) => {
      const outcomes = [before ?? "absent", after ?? "absent"].join(" -> ");
      return `${transition.padEnd(9)} ${level.padEnd(6)} ${tame(requirement)}  ${outcomes}  ${tame(check)}`;
    });
  return [
    ...lines,
    TRANSITIONS.map((transition) => `${counts[transition]} ${transition}`).join(", "),
  ].join("\n");
}
