/** What checks about account data share, push rules among it: parts of /sync, and syncs that wait for a change. */
import { awakeMs } from "#harness/awake";
import type { HttpResponse } from "#harness/http/client";
import { eventsAt, type JsonObject, textAt } from "#harness/match/json";
import { fail, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { WHOAMI } from "./accounts.ts";

/** A sync that is woken answers well before. */
const LONG_POLL_MS = 10_000;

/** Content of account data in a /sync body: of the joined room when one is given, else global. */
export function accountData(
  body: JsonObject,
  type: string,
  roomId?: string,
): JsonObject | undefined {
  const section = roomId === undefined ? [] : ["rooms", "join", roomId];
  const events = eventsAt(body, ...section, "account_data", "events");
  return events.findLast((event) => event.type === type)?.content;
}

/**
 * Makes a change while a sync of `waiting` is open, and returns the answer to the change.
 *
 * @param what completes "expected …" in the failure when the sync runs into its timeout.
 * @param shows whether a /sync body has the change.
 */
export async function changeWakes(
  waiting: Session,
  what: string,
  shows: (body: JsonObject) => boolean,
  change: () => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const timeoutMs = LONG_POLL_MS * waiting.context.timeoutScale;
  let since = await waiting.syncToken();
  const wait = async () => {
    const deadline = awakeMs() + timeoutMs;
    for (;;) {
      const response = await waiting.syncResponse({ since, timeoutMs });
      const body = ok(response);
      if (awakeMs() >= deadline) {
        fail(`${what} in a waiting sync before its timeout`, "the sync timed out", response);
      }
      if (shows(body)) return;
      since = textAt(body, "next_batch");
    }
  };
  const act = async () => {
    // Asked after the sync, so once this has its answer the sync is most likely waiting.
    ok(await waiting.get(WHOAMI));
    return change();
  };
  const [, response] = await Promise.all([wait(), act()]);
  return response;
}
