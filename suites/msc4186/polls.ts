/** Long-polls: a request that waits while something happens, and how long each took. */
import { awakeMs } from "#harness/awake";
import type { SlidingConnection, Synced } from "#harness/clients/sliding-sync/connection";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import type { Mutant } from "#harness/world/check";
import { expectThat, fail } from "#harness/world/expect";
import { inBothDialects, type Sync } from "./sync.ts";

/** Of polls that something has to end. So long that their end is told from an answer at once on a busy machine, too. */
export const POLL_MS = 20_000;
/** Within which an answer that is due has to come. */
export const PROMPT_MS = 5_000;
/** In which a request gets to the server, and waits there. */
const SETTLE_MS = 500;

/** A server that takes longer than prompt answers may take, where requests have this text. */
export function answersLate(contains: string): Mutant {
  const action = { kind: "delay" as const, ms: PROMPT_MS + 2_000 };
  return inBothDialects("answers late", { contains }, { phase: "processed", action });
}

/** A server that holds no request that has this text. */
export function answersAtOnce(contains: string): Mutant {
  const action = { kind: "answer" as const, status: 200, body: { pos: "1", rooms: {} } };
  return inBothDialects("answers at once", { contains }, { phase: "before", action });
}

/**
 * Polls while something is done, which has to end the poll. The answer is processed.
 *
 * @param what names what is done, for the message
 */
export async function wokenBy(
  { world }: Sync,
  connection: SlidingConnection,
  request: SlidingRequest,
  what: string,
  act: () => Promise<unknown>,
): Promise<Synced> {
  await connection.drain(request);
  const scale = connection.session.context.timeoutScale;
  const poll = connection.start(request, { timeoutMs: POLL_MS * scale });
  await world.quietPeriod(SETTLE_MS);
  const from = awakeMs();
  await act();
  const http = await poll.answer;
  const tookMs = Math.round(awakeMs() - from);
  if (http === undefined) fail("an answer", "none");
  const boundMs = PROMPT_MS * scale;
  expectThat(tookMs <= boundMs, `an answer within ${boundMs} ms of ${what}`, `${tookMs} ms`, http);
  return connection.process(request, http);
}

/** Asks with a long timeout for what is there already, so that the answer is due at once. */
export async function atOnce(
  connection: SlidingConnection,
  request: SlidingRequest,
): Promise<Synced> {
  const scale = connection.session.context.timeoutScale;
  const synced = await connection.sync(request, { timeoutMs: POLL_MS * scale });
  const [tookMs, boundMs] = [Math.round(synced.http.durationMs), PROMPT_MS * scale];
  expectThat(tookMs <= boundMs, `an answer within ${boundMs} ms`, `${tookMs} ms`, synced.http);
  return synced;
}
