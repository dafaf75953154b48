/** What checks of presence share: where it is set, and how others are told of it. */
import { path } from "#harness/http/client";
import { eventsAt, type JsonObject } from "#harness/match/json";
import { expectThat } from "#harness/world/expect";
import type { Account, Session } from "#harness/world/session";

export const STATES = ["online", "unavailable", "offline"];

export function statusOf(account: Account): string {
  return path`/_matrix/client/v3/presence/${account.userId}/status`;
}

/** The latest presence of a user in a /sync body. */
export function presenceOf(account: Account, body: JsonObject): JsonObject | undefined {
  return eventsAt(body, "presence", "events").findLast(
    ({ type, sender }) => type === "m.presence" && sender === account.userId,
  )?.content;
}

/** Syncs until the presence of a user comes with all these keys; returns the token after it. */
export async function untilPresence(
  reader: Session,
  since: string | undefined,
  account: Account,
  expected: JsonObject = {},
  mark = "incremental",
): Promise<string> {
  const what = `presence of ${account.userId} with ${JSON.stringify(expected)}`;
  const fits = (body: JsonObject) => {
    const content = presenceOf(account, body);
    if (content === undefined) return undefined;
    expectThat(STATES.includes(String(content.presence)), `one of ${STATES.join()}`, content);
    return Object.entries(expected).every(([key, value]) => content[key] === value) || undefined;
  };
  const options = { query: { "org.example.mark": mark }, deadlineMs: 5_000 };
  return (await reader.syncUntil(since, what, fits, options)).since;
}
