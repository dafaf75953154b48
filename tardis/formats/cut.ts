/** A part of a large run as a replay: a window of events, with what it takes to judge them by the rules as before. */
import type { JsonObject } from "#protocol/events/event";
import { historyOf } from "#tardis/model/room-of-run";
import type { Run } from "#tardis/model/run";
import { withMeta } from "./write.ts";

export interface Window {
  /** Row that has to be in it. */
  readonly row: number;
  /** How many events, about. */
  readonly size: number;
  /** The command that gets all of it. */
  readonly all: string;
}

/** How much of the window lies ahead of the row. */
const AHEAD = 0.75;

/** The run without what is not in the window; its meta record says what is missing, as `truncated`. */
export function cutRun(run: Run, { row, size, all }: Window): Run {
  const { pdus } = run;
  const count = Math.min(size, pdus.length);
  const first = Math.max(0, Math.min(row - Math.floor(count * AHEAD), pdus.length - count));
  const end = first + count;
  const before = statesBefore(run, first, end);
  const aside = citedRows(run, first, end, before);
  const isKept = (at: number) => (at >= first && at < end) || aside.has(at);
  const kept = new Set(pdus.flatMap(({ eventId }, at) => (isKept(at) ? eventId : [])));
  const from = first === 0 ? Number.NEGATIVE_INFINITY : (pdus[first]?.seq ?? 0);
  const until = pdus[end]?.seq ?? Number.POSITIVE_INFINITY;
  const truncated = {
    kept: kept.size,
    total: pdus.length,
    all,
    before: Object.fromEntries(before),
    aside: [...aside].sort((a, b) => a - b).flatMap((at) => pdus[at]?.eventId ?? []),
  };
  const records = run.records.filter(
    ({ seq, body }) => isOf(body, kept) ?? (seq >= from && seq < until),
  );
  return withMeta({ ...run, records }, { truncated });
}

/** Undefined for what is kept for its time. */
function isOf(body: JsonObject, kept: ReadonlySet<string>): boolean | undefined {
  switch (body.t) {
    case "pdu":
    case "arrive":
      return kept.has(String(body.event_id));
    // Who there was, what was broken, and what failed.
    case "meta":
    case "server":
    case "cast":
    case "fault":
      return true;
    case "verdict":
      return body.outcome === "fail" ? true : undefined;
    case "step":
      return body.ok === false && body.op === undefined ? true : undefined;
    default:
      return undefined;
  }
}

/** Of the events that follow what is cut: the state before them, as event ids. */
function statesBefore(
  run: Run,
  first: number,
  end: number,
): ReadonlyMap<string, readonly string[]> {
  const { offsets, targets } = run.graph.edges.prev;
  const states = new Map<string, readonly string[]>();
  for (const room of run.rooms) {
    const rows = [...run.pdus.keys()].slice(first, end).filter((row) => {
      const above = targets.subarray(offsets[row], offsets[row + 1]);
      return run.pdus[row]?.event.roomId === room.id && above.some((at) => at >= 0 && at < first);
    });
    if (rows.length === 0) continue;
    const history = historyOf(run, room);
    for (const row of rows) {
      const id = run.pdus[row]?.eventId ?? "";
      const replayed = history.get(id);
      if (replayed !== undefined) states.set(id, Object.values(history.named(replayed.before)));
    }
  }
  return states;
}

/** Rows outside of the window that those in it, or the states before them, stand on by what they cite. */
function citedRows(
  run: Run,
  first: number,
  end: number,
  states: ReadonlyMap<string, readonly string[]>,
): ReadonlySet<number> {
  const { offsets, targets } = run.graph.edges.auth;
  const rows = new Map(run.pdus.map(({ eventId }, row) => [eventId, row]));
  const stack = [...run.pdus.keys()].slice(first, end);
  const aside = new Set<number>();
  const add = (row: number) => {
    if (row < 0 || (row >= first && row < end) || aside.has(row)) return;
    aside.add(row);
    stack.push(row);
  };
  for (const id of [...states.values()].flat()) add(rows.get(id) ?? -1);
  for (let row = stack.pop(); row !== undefined; row = stack.pop())
    for (const cited of targets.subarray(offsets[row], offsets[row + 1])) add(cited);
  return aside;
}
