/** What checks of to-device messages share: numbered messages, and what a device gets of them in which answers. */

import { CheckFailure } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { path } from "#harness/http/client";
import { at, eventsAt, type JsonObject } from "#harness/match/json";
import type { Mutant } from "#harness/world/check";
import { ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { RuleHandle, World } from "#harness/world/world";

export const NOTE = "org.matrix-crucible.note";
export const SEND_TO_DEVICE = { method: "PUT", path: "/_matrix/client/v3/sendToDevice/**" };
export const SYNC = { method: "GET", path: "/_matrix/client/v3/sync" };
const EVENTS = "/to_device/events";
const PAGES_AT_MOST = 40;
const LONG_POLL_MS = 2_000;

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

/** The server does what this transaction asks for, and its sender never hears of it. */
export function losesAnswer(world: World, transaction: string): Promise<RuleHandle> {
  const match = { method: "PUT", path: `/_matrix/client/v3/sendToDevice/*/${transaction}` };
  return world.fault(match, "processed", { kind: "reset" }, 1);
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
  const pages: (readonly unknown[])[] = [];
  let token = since;
  for (let count = 0; count < PAGES_AT_MOST; count++) {
    const timeoutMs = token === undefined ? 0 : LONG_POLL_MS;
    const body = await session.sync({ since: token, timeoutMs });
    token = body.next_batch;
    const texts = textsIn(body);
    if (texts.length > 0) pages.push(texts);
    if (texts.includes(last)) return { pages, texts: pages.flat(), since: token };
  }
  throw new CheckFailure(
    `the to-device message ${last} in ${PAGES_AT_MOST} answers of /sync of ${session.deviceId}`,
    JSON.stringify(pages.flat()),
  );
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
