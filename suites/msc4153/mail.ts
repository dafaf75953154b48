/** What checks of to-device messages share: numbered messages, and what a device gets of them in which answers. */

import type { HttpResponse } from "#harness/http/client";
import { path } from "#harness/http/client";
import { at, eventsAt, type JsonObject } from "#harness/match/json";
import type { Mutant } from "#harness/world/check";
import { ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

export const NOTE = "org.matrix-crucible.note";
export const SEND_TO_DEVICE = { method: "PUT", path: "/_matrix/client/v3/sendToDevice/**" };
export const SYNC = { method: "GET", path: "/_matrix/client/v3/sync" };
const EVENTS = "/to_device/events";
/** Servers that lost each other meet again within this time, and a check fails by it before its deadline. */
const COLLECT_MS = 20_000;

/** A mutant's own message, which nobody has sent. */
const FORGED = { type: NOTE, sender: "@mallory:hs1", content: { text: "forged" } };

/** Ways to lose, to double and to make up messages in what devices get. */
export const LOSES_FIRST: Mutant = altersAnswer("loses a message", SYNC, {
  remove: [`${EVENTS}/0`],
});
export const MAKES_ONE_UP: Mutant = altersAnswer("delivers one more message", SYNC, {
  set: { [`${EVENTS}/-`]: FORGED },
});

export function numbered(count: number, first = 0): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${first + index}`);
}

/** Sends a message; the answer is the check's to judge. */
export function sendTo(
  sender: Session,
  messages: JsonObject,
  {
    type = NOTE,
    transaction = sender.context.nextName("txn"),
  }: { type?: string; transaction?: string } = {},
): Promise<HttpResponse> {
  return sender.put(path`/_matrix/client/v3/sendToDevice/${type}/${transaction}`, { messages });
}

/** Messages to one device, one after the other. */
export async function post(
  sender: Session,
  recipient: Pick<Session, "userId" | "deviceId">,
  texts: readonly string[],
): Promise<void> {
  for (const text of texts) {
    ok(await sendTo(sender, { [recipient.userId]: { [recipient.deviceId]: { text } } }));
  }
}

/** A message that the server has taken, and whose sender got no answer: it can be sent again. */
export async function unanswered(world: World) {
  const [alice, bob] = await world.users("alice", "bob");
  const since = await alice.syncToken();
  const transaction = world.name("txn");
  const match = { method: "PUT", path: `/_matrix/client/v3/sendToDevice/*/${transaction}` };
  const send = () =>
    sendTo(bob, { [alice.userId]: { [alice.deviceId]: { text: "once" } } }, { transaction });

  const lost = await world.fault(match, "processed", { kind: "reset" }, 1);
  await send().catch(() => undefined);
  await lost.end();
  return { alice, bob, since, sendAgain: async () => ok(await send()) };
}

/** Texts of the messages in an answer of /sync. */
export function textsIn(body: unknown): readonly unknown[] {
  return eventsAt(body, "to_device", "events")
    .filter(({ type }) => type === NOTE)
    .map(({ content }) => at(content, "text"));
}

export interface Delivery {
  /** Texts of each answer that had some. */
  readonly pages: readonly (readonly unknown[])[];
  readonly texts: readonly unknown[];
  /** Token after the last of them, which acknowledges them all. */
  readonly since: string;
}

/** Syncs on until the last message has come, acknowledging what came before. */
export async function collect(
  session: Session,
  since: string | undefined,
  last: string,
): Promise<Delivery> {
  const what = `the to-device message ${last}`;
  const isLast = (body: JsonObject) => (textsIn(body).includes(last) ? true : undefined);
  const { since: after, bodies } = await session.syncUntil(since, what, isLast, {
    deadlineMs: COLLECT_MS,
    instead: (answers) => JSON.stringify(answers.flatMap(textsIn)),
  });
  const pages = bodies.map(textsIn).filter((texts) => texts.length > 0);
  return { pages, texts: pages.flat(), since: after };
}

/** What is left for a device after a token: what came before a last message that is sent now. */
export async function leftAfter(
  sender: Session,
  recipient: Session,
  since: string | undefined,
): Promise<readonly unknown[]> {
  const last = sender.context.nextName("last");
  await post(sender, recipient, [last]);
  const { texts } = await collect(recipient, since, last);
  return texts.filter((text) => text !== last);
}
