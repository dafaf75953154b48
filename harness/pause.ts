/** How long to wait between two questions of the same thing: at least so long, then a part of what has been waited already. */
const MOST_MS = 200;

/**
 * What comes soon is found soon, and what takes long is not kept from it by hundreds of questions.
 *
 * @param waitedMs since the first question
 * @param part for example 1/20: found late by a twentieth at most
 */
export function pauseMs(waitedMs: number, leastMs: number, part: number): number {
  return Math.max(leastMs, Math.min(MOST_MS, waitedMs * part));
}
