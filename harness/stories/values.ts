/** What a story's texts stand for once it is told: `${bob.user}`, `${room}`, `${m1.event}`, or a value that was kept. */
import { HarnessError } from "#harness/errors";
import { isObject } from "#harness/match/json";
import type { Telling } from "./telling.ts";

const REFERENCE = /\$\{([a-z][a-z0-9-]*)(?:\.([a-z]+))?\}/g;

/** A copy with all references filled in; a text that is one reference becomes what it stands for. */
export function filledIn(telling: Telling, value: unknown): unknown {
  if (typeof value === "string") {
    const whole = [...value.matchAll(REFERENCE)];
    const [only] = whole;
    if (only !== undefined && only[0] === value) return meaningOf(telling, only[1] ?? "", only[2]);
    return value.replaceAll(REFERENCE, (_, name: string, part?: string) =>
      String(meaningOf(telling, name, part)),
    );
  }
  if (Array.isArray(value)) return value.map((each) => filledIn(telling, each));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      String(filledIn(telling, key)),
      filledIn(telling, each),
    ]),
  );
}

function meaningOf(telling: Telling, name: string, part: string | undefined): unknown {
  const device = telling.devices.get(name);
  if (device !== undefined && part === "user") return device.session.userId;
  if (device !== undefined && part === "device") return device.session.deviceId;
  const message = telling.messages.get(name);
  if (message !== undefined && part === "event") return message.sent.eventId;
  if (message !== undefined && part === "session") return message.sent.sessionId;
  if (part === undefined && telling.rooms.has(name)) return telling.rooms.get(name);
  if (part === undefined && telling.values.has(name)) return telling.values.get(name);
  throw new HarnessError("BAD_FILE", {
    what: `\${${name}${part === undefined ? "" : `.${part}`}} stands for nothing at this place of the story`,
    next: "devices have user and device, messages have event and session; rooms and kept values stand alone",
  });
}
