/** What a server had at a moment of the recording. */
import { ABSENT } from "./recording.ts";
import type { Run } from "./run.ts";

/** Bits of a row. */
export const HAS = 1;
export const REJECTED = 2;
export const SOFT_FAILED = 4;
export const OUTLIER = 8;

const VERDICTS: ReadonlyMap<string, number> = new Map([
  ["rejected", REJECTED],
  ["soft_failed", SOFT_FAILED],
  ["outlier", OUTLIER],
]);

/**
 * By row, what the server has: nothing, or HAS and what it made of the event when it came last.
 *
 * @param server of Run.servers
 * @param seq up to and with this record
 */
export function knowledgeOf({ arrivals, pdus }: Run, server: number, seq: number): Uint8Array {
  const known = new Uint8Array(pdus.length);
  for (const arrival of arrivals) {
    if (arrival.seq > seq) break;
    if (arrival.server !== server || arrival.row === undefined) continue;
    const isThere = arrival.verdict !== ABSENT;
    known[arrival.row] = isThere ? HAS | (VERDICTS.get(arrival.verdict) ?? 0) : 0;
  }
  return known;
}

/** Whether these rows, and all that is known to be above them, are known to the server. */
export function areWhole({ graph }: Run, known: Uint8Array, rows: readonly number[]): boolean {
  const { offsets, targets } = graph.edges.prev;
  const seen = new Uint8Array(known.length);
  const stack = [...rows];
  for (let row = stack.pop(); row !== undefined; row = stack.pop()) {
    if (known[row] === 0) return false;
    for (let at = offsets[row] ?? 0; at < (offsets[row + 1] ?? 0); at++) {
      const previous = targets[at] ?? -1;
      if (previous < 0 || seen[previous] === 1) continue;
      seen[previous] = 1;
      stack.push(previous);
    }
  }
  return true;
}

/** Servers of which it is known what came to them, by their place in Run.servers. */
export function recordedServers({ arrivals }: Run): readonly number[] {
  return [...new Set(arrivals.map(({ server }) => server))].sort((a, b) => a - b);
}

/** Rows that a next event of this server would follow: what it took, and has nothing above that it took. */
export function extremitiesIn({ graph, cut, pdus }: Run, known: Uint8Array): readonly number[] {
  const { offsets, targets } = graph.edges.prev;
  const isFollowed = new Uint8Array(known.length);
  if (cut.aside.size > 0) {
    for (const [row, { eventId }] of pdus.entries())
      if (cut.aside.has(eventId)) isFollowed[row] = 1;
  }
  for (let row = 0; row < known.length; row++) {
    if (known[row] !== HAS) continue;
    for (let at = offsets[row] ?? 0; at < (offsets[row + 1] ?? 0); at++) {
      const previous = targets[at] ?? -1;
      if (previous >= 0) isFollowed[previous] = 1;
    }
  }
  const rows: number[] = [];
  for (let row = 0; row < known.length; row++) {
    if (known[row] === HAS && isFollowed[row] === 0) rows.push(row);
  }
  return rows;
}
