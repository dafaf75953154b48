/** What is looked at whenever a federation has come to rest. */
import type { CheckerVerdict, JournalRecord } from "#chaos/journal/record";
import { JournalView } from "#chaos/journal/view";
import { allReadable } from "./all-readable.ts";
import { type Checker, Looking } from "./checker.ts";
import { deviceLists } from "./device-lists.ts";
import { idempotentTxn } from "./idempotent-txn.ts";
import { membershipWalk } from "./membership-walk.ts";
import { noLostEvent } from "./no-lost-event.ts";
import { noResurrection } from "./no-resurrection.ts";
import { noStateReset } from "./no-state-reset.ts";
import { participationAgreed } from "./participation-agreed.ts";
import { backoffBounded, extremitiesBounded, restartSame } from "./recovery.ts";
import { rejectedAbsent } from "./rejected-absent.ts";
import { sessionsCoherent } from "./sessions-coherent.ts";
import { softFailedHidden } from "./soft-failed-hidden.ts";
import { stateConverged } from "./state-converged.ts";
import { stateOracle } from "./state-oracle.ts";
import { syncEqualsState } from "./sync-equals-state.ts";
import { timelineUnique } from "./timeline-unique.ts";
import { toDeviceOnce } from "./to-device-once.ts";

/** Server against server first, then against the oracle. docs/checkers.md tells what each can not see. */
export const CHECKERS: readonly Checker[] = [
  participationAgreed,
  stateConverged,
  stateOracle,
  noLostEvent,
  noStateReset,
  noResurrection,
  membershipWalk,
  syncEqualsState,
  timelineUnique,
  toDeviceOnce,
  deviceLists,
  softFailedHidden,
  rejectedAbsent,
  backoffBounded,
  extremitiesBounded,
  idempotentTxn,
  restartSame,
  allReadable,
  sessionsCoherent,
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
