/** How long answers may take, and what is said of a server that takes longer: a verdict with a reason, not a deadline. */
import { CheckFailure, HarnessError } from "#harness/errors";
import { type HttpResponse, withQuery } from "#harness/http/client";
import type { Session, SessionContext } from "#harness/world/session";
import type { Call } from "./dialect.ts";

/** A server that serves other requests has not answered one of sliding sync, or too late. */
export class NoAnswer extends CheckFailure {
  /** The same, told by what the answer was to bring. */
  awaiting(what: string): NoAnswer {
    return new NoAnswer(what, this.actual, this.exchange);
  }
}

/**
 * Time past their timeouts that a check spends on answers, all in all. Less than half of a check's deadline, so that this
 * reason comes first.
 */
const PATIENCE_MS = 20_000;
/** Past its timeout; an answer that takes no longer is not late. More than a busy machine needs. */
const LATE_MS = 5_000;
const ALIVE_MS = 5_000;

/** Of the checks that have had late answers: by how much, together. */
const lateness = new WeakMap<SessionContext, number>();

/**
 * Sends a request that the server may hold for `pollMs`.
 *
 * @throws NoAnswer when no whole answer comes, or the answers so far were too late, and the server is alive
 * @throws HarnessError HS_NO_ANSWER when it is not, or the signal ended the request
 */
export async function sendPatiently(
  session: Session,
  { path, query, body }: Call,
  pollMs: number,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  const { context } = session;
  const patienceMs = PATIENCE_MS * context.timeoutScale;
  const timeoutMs = pollMs + patienceMs;
  const expected = `an answer to sliding sync within ${timeoutMs} ms, ${pollMs} of them for news`;
  let response: HttpResponse;
  try {
    response = await session.request("POST", path, { query, body, timeoutMs, signal });
  } catch (error) {
    const isUnanswered = error instanceof HarnessError && error.code === "HS_NO_ANSWER";
    if (!isUnanswered || signal?.aborted || !(await isAlive(session))) throw error;
    const sent = `POST ${withQuery(path, query)}\n${JSON.stringify(body)}`;
    throw new NoAnswer(expected, `${error.what}; the server answers others`, sent);
  }
  const lateMs = Math.round(response.durationMs) - pollMs;
  if (lateMs <= LATE_MS * context.timeoutScale) return response;
  const totalMs = (lateness.get(context) ?? 0) + lateMs;
  lateness.set(context, totalMs);
  if (totalMs <= patienceMs) return response;
  const actual = `answers that were late by ${totalMs} ms, the last one by ${lateMs} ms`;
  throw new NoAnswer(
    `answers that are together late by at most ${patienceMs} ms`,
    actual,
    response.describe(),
  );
}

async function isAlive(session: Session): Promise<boolean> {
  const timeoutMs = ALIVE_MS * session.context.timeoutScale;
  try {
    await session.request("GET", "/_matrix/client/versions", { timeoutMs });
    return true;
  } catch (error) {
    if (error instanceof HarnessError && error.code === "HS_NO_ANSWER") return false;
    throw error;
  }
}
