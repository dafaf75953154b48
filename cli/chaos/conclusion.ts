/** What a run is worth: whether what it promised has happened, and its exit code. */
import { inSplit } from "#chaos/generate/kinds";
import type { CheckerSummary, FaultSummary } from "./report.ts";

export interface Promised {
  /** Kinds that were asked for. */
  readonly chosen: readonly string[];
  /** Those that the plan has in its first epochs. */
  readonly planned: ReadonlySet<string>;
  /** How many epochs those are. */
  readonly epochs: number;
}

/** What was done of it. */
export interface Done {
  /** Epochs of the first story from the seed. */
  readonly epochs: number;
  readonly faults: readonly FaultSummary[];
  /** Kinds that the deployment can not do. */
  readonly unable: ReadonlySet<string>;
  /** People had their hands in it, so that what was planned may not have come to act. */
  readonly isByHand: boolean;
}

/** One line for each kind that did not come to act. */
export interface Coverage {
  /** There was time enough for it. */
  readonly broken: readonly string[];
  readonly notReached: readonly string[];
}

export function coverageOf({ chosen, planned, epochs }: Promised, done: Done): Coverage {
  const broken: string[] = [];
  const notReached: string[] = [];
  for (const kind of chosen) {
    // What comes in a split comes.
    const same = done.faults.filter(({ fault }) => fault === kind || fault === inSplit(kind));
    if (same.some(({ fired }) => fired > 0) || done.unable.has(kind)) continue;
    const how = same.length > 0 ? "was in force and never acted" : "was never in force";
    if (planned.has(kind) && done.isByHand)
      notReached.push(`${kind} ${how}, in a run that people had their hands in`);
    else if (planned.has(kind) && done.epochs >= epochs) broken.push(`${kind} ${how}`);
    else if (planned.has(kind))
      notReached.push(
        `${kind} ${how}: ${done.epochs} of the ${epochs} epochs that have all faults`,
      );
    else notReached.push(`${kind} ${how}: no part of the first ${epochs} epochs`);
  }
  return { broken, notReached };
}

/** One line for each checker that does not know, which is no pass. */
export function unknowns(checkers: readonly CheckerSummary[]): readonly string[] {
  return checkers.flatMap(({ checker, outcome, reason }) =>
    outcome === "unknown" ? [`${checker} is unknown: ${reason ?? "it does not say why"}`] : [],
  );
}

/** A failure of a server is told whatever else there was; what we do not know is ours to find out. */
export function exitCodeOf(run: {
  readonly isInterrupted: boolean;
  readonly hasFailed: boolean;
  readonly troubles: readonly string[];
}): number {
  if (run.isInterrupted) return 130;
  if (run.hasFailed) return 1;
  return run.troubles.length > 0 ? 3 : 0;
}
