/** What checks of to-device messages share: the messages, and what a device gets of them. */
import { eventsAt } from "#harness/match/json";
import type { Session } from "#harness/world/session";

const SYNC = "/_matrix/client/v3/sync";

/** Texts of the to-device messages that a device has, from its first to this one. */
export async function toDeviceUntil(alice: Session, last: string): Promise<readonly unknown[]> {
  const { bodies } = await alice.syncUntil(undefined, `the to-device message ${last}`, (body) =>
    eventsAt(body, "to_device", "events").find(({ content }) => content.text === last),
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
      type: "org.matrix-crucible.note",
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
              type: "org.matrix-crucible.note",
              sender: "@mallory:other",
              content: { text },
            })),
          },
        },
      },
    },
  ],
};
