/** What is looked at whenever a federation has come to rest. */
import type { CheckerVerdict, JournalRecord } from "#chaos/journal/record";
import { JournalView } from "#chaos/journal/view";
import { type Checker, Looking } from "./checker.ts";
import { noLostEvent } from "./no-lost-event.ts";
import { participationAgreed } from "./participation-agreed.ts";
import { stateConverged } from "./state-converged.ts";
import { stateOracle } from "./state-oracle.ts";

export const CHECKERS: readonly Checker[] = [
  participationAgreed,
  stateConverged,
  stateOracle,
  noLostEvent,
];

/** Never throws: trouble of ours makes the verdict unknown. */
export function judge(checker: Checker, view: JournalView, epoch: number): CheckerVerdict {
  const looking = new Looking();
  try {
    checker.look(view, epoch, looking);
  } catch (error) {
    const what = `the checker broke: ${error instanceof Error ? error.message : String(error)}`;
    looking.find({ outcome: "unknown", what });
  }
  return looking.verdict(checker.name);
}

/**
 * The verdicts on one epoch of a journal.
 *
 * @param names of the checkers to ask; absent: all
 */
export function judgeAll(
  records: readonly JournalRecord[],
  epoch: number,
  names?: readonly string[],
): readonly CheckerVerdict[] {
  const view = new JournalView(records);
  const asked = CHECKERS.filter(({ name }) => names === undefined || names.includes(name));
  return asked.map((checker) => judge(checker, view, epoch));
}
