import type { RecordOf } from "#chaos/journal/view";
import { type Checker, some } from "./checker.ts";

export const idempotentTxn: Checker = {
  name: "idempotent-txn",
  statement:
    "a request that is sent again with its transaction id gives the event id of the first time",
  requirement: "CS.txn.idempotent",
  look(view, epoch, looking) {
    looking.because("nothing was sent twice with one transaction id");
    const { first } = view.span(epoch);
    const byTxn = new Map<string, RecordOf<"step">[]>();
    for (const step of view.until("step", epoch)) {
      if (step.txn === undefined) continue;
      // It is of a device and a path.
      const key = JSON.stringify([step.by, step.room, step.op, step.txn]);
      byTxn.set(key, [...(byTxn.get(key) ?? []), step]);
    }
    for (const steps of byTxn.values()) {
      const last = steps.at(-1);
      const answers = steps.flatMap(answersOf);
      if (last === undefined || last.seq < first || answers.length < 2) continue;
      looking.at();
      const different = [...new Set(answers)];
      if (different.length === 1) continue;
      looking.find({
        outcome: "fail",
        matter: "server",
        requirement: "CS.txn.idempotent",
        what: `${view.label(last.server)} made ${some("event", different)} of transaction ${last.txn} of ${last.by}`,
        ...(last.room === undefined ? {} : { room: last.room }),
        servers: [last.server],
        events: different,
      });
    }
  },
};

/** A change of a profile makes an event in each room, and its answer names none. */
function answersOf({ answers, events = [] }: RecordOf<"step">): readonly string[] {
  return answers ?? (events.length === 1 ? events : []);
}
