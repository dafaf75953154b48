import type { JournalView, RecordOf } from "#chaos/journal/view";
import { operationsOf } from "#scenarios/plan";
import type { Checker, Looking } from "./checker.ts";

export const toDeviceOnce: Checker = {
  name: "to-device-once",
  statement:
    "a to-device message comes exactly once to its device, in the order in which its sender sent it",
  requirement: "FED.txn.to-device-once",
  look(view, epoch, looking) {
    lookForDoubles(view, epoch, looking);
    lookForLosses(view, epoch, looking);
    lookForDisorder(view, epoch, looking);
  },
};

type Message = RecordOf<"to-device">;

function lookForDoubles(view: JournalView, epoch: number, looking: Looking): void {
  const { first } = view.span(epoch);
  const seen = new Set<string>();
  for (const { seq, server, user, device, sender, content } of view.until("to-device", epoch)) {
    const key = JSON.stringify([user, device, sender, content]);
    const isAgain = seen.has(key);
    seen.add(key);
    if (seq < first) continue;
    looking.at();
    if (!isAgain) continue;
    looking.find({
      outcome: "fail",
      matter: "server",
      requirement: "FED.txn.to-device-once",
      what: `${content} of ${sender} comes again to ${device} of ${user}`,
      servers: [server],
    });
  }
}

/** Acknowledged messages of the plan, with the user whom they are for. */
function sent(
  view: JournalView,
  epoch: number,
): readonly { readonly step: RecordOf<"step">; readonly target: string }[] {
  const plan = view.all("plan")[0]?.plan;
  const targets = new Map(
    (plan === undefined ? [] : operationsOf(plan)).flatMap((one) =>
      one.op === "to-device" ? [[one.id, view.users.get(one.target) ?? ""] as const] : [],
    ),
  );
  return view.until("step", epoch).flatMap((step) => {
    const target = targets.get(step.step);
    return step.op === "to-device" && step.outcome === "ok" && target ? [{ step, target }] : [];
  });
}

function lookForLosses(view: JournalView, epoch: number, looking: Looking): void {
  const come = new Set(
    view
      .until("to-device", epoch)
      .map(({ user, sender, content }) => `${user} ${sender} ${content}`),
  );
  const syncing = new Set(view.until("sync", epoch).map(({ user }) => user));
  const { first } = view.span(epoch);
  for (const { step, target } of sent(view, epoch)) {
    if (step.seq < first || !syncing.has(target)) continue;
    looking.at();
    if (come.has(`${target} ${step.by} ${step.step}`)) continue;
    looking.find({
      outcome: "reported",
      matter: "server",
      requirement: "FED.txn.to-device-durable",
      what: `${step.step} of ${step.by} was acknowledged and has not come to ${target}`,
      servers: [step.server],
    });
  }
}

/** Of two messages, the second one of which was sent when the first one had been acknowledged. */
function lookForDisorder(view: JournalView, epoch: number, looking: Looking): void {
  const { first } = view.span(epoch);
  const steps = new Map(sent(view, epoch).map(({ step }) => [`${step.by} ${step.step}`, step]));
  const last = new Map<string, Message>();
  for (const message of view.until("to-device", epoch)) {
    const { seq, user, device, sender, content } = message;
    const queue = `${sender} ${user} ${device}`;
    const before = last.get(queue);
    last.set(queue, message);
    if (before === undefined || before.content === content || seq < first) continue;
    const [earlier, later] = [
      steps.get(`${sender} ${content}`),
      steps.get(`${sender} ${before.content}`),
    ];
    if (earlier === undefined || later === undefined || earlier.at > later.began) continue;
    looking.find({
      outcome: "reported",
      matter: "server",
      requirement: "FED.txn.to-device-durable",
      what: `${content} of ${sender} comes to ${device} of ${user} after ${before.content}, which was sent later`,
      servers: [message.server],
    });
  }
}
