/** What a story may want to go wrong. */
import { CheckFailure, HarnessError, type HarnessErrorCode } from "#harness/errors";

/** The server's answer did not come, or the client's process went. */
const LOST: readonly HarnessErrorCode[] = ["HS_NO_ANSWER", "INTERRUPTED"];

/** A request was refused, or got no answer, or who made it is gone. */
export function isTrouble(error: unknown): error is Error {
  return (
    error instanceof CheckFailure || (error instanceof HarnessError && LOST.includes(error.code))
  );
}
