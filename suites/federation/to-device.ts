/** What checks of to-device messages share: the messages, and what a device gets of them. */
import { path } from "#harness/http/client";
import { eventsAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";

const SYNC = "/_matrix/client/v3/sync";
const NOTE = "org.matrix-crucible.note";

/** Texts of the to-device messages that a device has, from its first to this one. */
export async function toDeviceUntil(
  alice: Session,
  last: string,
  deadlineMs = 10_000,
): Promise<readonly unknown[]> {
  const { bodies } = await alice.syncUntil(
    undefined,
    `the to-device message ${last}`,
    (body) => eventsAt(body, "to_device", "events").find(({ content }) => content.text === last),
    { deadlineMs },
  );
  return bodies.flatMap((body) =>
    eventsAt(body, "to_device", "events").map(({ content }) => content.text),
  );
}

export function toDevice(sender: string, recipient: string, device: string, text: string) {
  return {
    edu_type: "m.direct_to_device",
    content: {
      sender,
      type: NOTE,
      message_id: `id-${text}`,
      messages: { [recipient]: { [device]: { text } } },
    },
  };
}

export const SHOWS_TWO = {
  name: "delivers something else as well",
  rules: [
    {
      match: { path: SYNC },
      phase: "processed" as const,
      action: {
        kind: "rewrite" as const,
        set: {
          "/to_device": {
            events: ["once", "once", "last"].map((text) => ({
              type: NOTE,
              sender: "@mallory:other",
              content: { text },
            })),
          },
        },
      },
    },
  ],
};

/** Sends a to-device message of a local user through the client API. */
export async function sendToDevice(
  sender: Session,
  recipient: string,
  device: string,
  text: string,
): Promise<void> {
  const target = path`/_matrix/client/v3/sendToDevice/${NOTE}/${sender.context.nextName("txn")}`;
  ok(await sender.put(target, { messages: { [recipient]: { [device]: { text } } } }));
}
