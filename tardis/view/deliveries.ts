/** How events came from their own server to others: when, how long it took, what stopped them on the way, and whether a nudge came first. */
import { domainOf } from "#protocol/auth/auth-event";
import { shown } from "#tardis/explain/shown";
import { ABSENT } from "#tardis/model/recording";
import type { Arrival, NumberedRecord, Pdu, Run } from "#tardis/model/run";
import { type FaultSpan, faultSpans, faultText } from "./fault-spans.ts";
import type { DeliveryView, StopView } from "./servers-messages.ts";

/** Of one delivery. */
const MOST_STOPS = 8;
/** Kinds that let nothing through; others make it late, or are not known to us. */
const STOPPING: ReadonlySet<string> = new Set(["netsplit", "drop", "stop", "kill"]);
/** What brings the past of a room, and not what has just been said. */
const OF_THE_PAST: ReadonlySet<string> = new Set(["send_join", "backfill", "state", "state_ids"]);

interface Exchanged {
  readonly seq: number;
  readonly body: NumberedRecord["body"];
}

/**
 * Of the events of some rows, to each server of `servers` but their own, by row.
 *
 * @param servers of Run.servers
 * @param rows ascending
 */
export function deliveriesOf(
  run: Run,
  servers: readonly number[],
  rows: readonly number[],
): readonly DeliveryView[] {
  const spans = faultSpans(run);
  const exchanges = exchangesOf(run, rows);
  const arrivals = firstArrivals(run, rows);
  const requests = requestsFor(run, rows);
  const nudges = nudgesOf(run);
  return rows.flatMap((row) => {
    const pdu = run.pdus[row];
    if (pdu === undefined) return [];
    const origin = domainOf(pdu.event.sender);
    const from = run.servers.findIndex(({ name }) => name === origin);
    const made = arrivals.get(`${from} ${row}`);
    const room = pdu.event.roomId;
    const { madeAt, isClaimed } = makingOf(pdu, made, requests.get(row));
    return servers.flatMap((server): readonly DeliveryView[] => {
      const to = run.servers[server]?.name ?? "";
      if (server === from) return [];
      const came = arrivals.get(`${server} ${row}`);
      const own = exchanges.get(row) ?? [];
      const [since, until] = [made?.seq ?? pdu.seq, came?.seq ?? Number.POSITIVE_INFINITY];
      const nudge = nudges.find(
        (one) => one.room === room && one.seq > since && one.seq < until && one.row !== row,
      );
      const isPast = came !== undefined && OF_THE_PAST.has(came.via);
      return [
        {
          row,
          from,
          to: server,
          madeAt,
          isClaimed,
          sentAt: came === undefined ? undefined : sentAt(own, came, to),
          cameAt: came?.at,
          seq: came?.seq,
          ms: came === undefined || isPast ? undefined : came.at - madeAt,
          via: came === undefined ? undefined : shown(came.via),
          isNudge: nudges.some((one) => one.row === row),
          nudge: came === undefined ? undefined : nudge?.seq,
          stops: isPast ? [] : stopsOf(run, spans, own, { origin, to, since, until }),
        },
      ];
    });
  });
}

/**
 * A deduced arrival has the time at which somebody first saw the event. Who asked for it in between two moments has it made in
 * between, whatever time it claims.
 */
function makingOf(
  { event: { originServerTs: claimed } }: Pdu,
  made: Arrival | undefined,
  request: readonly [began: number, answered: number] | undefined,
): { readonly madeAt: number; readonly isClaimed: boolean } {
  if (made !== undefined && !made.isDeduced) return { madeAt: made.at, isClaimed: false };
  if (request === undefined) return { madeAt: claimed, isClaimed: true };
  const [began, answered] = request;
  return { madeAt: Math.min(Math.max(claimed, began), answered), isClaimed: false };
}

/** By row, when a step of the recording asked for it, and was answered. */
function requestsFor(
  run: Run,
  rows: readonly number[],
): ReadonlyMap<number, readonly [began: number, answered: number]> {
  const wanted = new Map(rows.map((row) => [run.pdus[row]?.eventId, row]));
  return new Map(
    run.records.flatMap(({ at, body: { t, began, events } }) => {
      if (t !== "step" || typeof began !== "number" || !Array.isArray(events)) return [];
      return events.flatMap((id) => {
        const row = typeof id === "string" ? wanted.get(id) : undefined;
        return row === undefined ? [] : [[row, [began, at]] as const];
      });
    }),
  );
}

/** By row, exchanges that carried it, or should have. */
function exchangesOf(run: Run, rows: readonly number[]): ReadonlyMap<number, Exchanged[]> {
  const wanted = new Map(rows.map((row) => [run.pdus[row]?.eventId ?? "", row]));
  const found = new Map<number, Exchanged[]>();
  for (const { seq, body } of run.records) {
    if (body.t !== "http" || !Array.isArray(body.events)) continue;
    for (const id of new Set(body.events)) {
      const row = typeof id === "string" ? wanted.get(id) : undefined;
      if (row === undefined) continue;
      const list = found.get(row);
      if (list === undefined) found.set(row, [{ seq, body }]);
      else list.push({ seq, body });
    }
  }
  return found;
}

/** By `server row`, when it first was there. */
function firstArrivals(run: Run, rows: readonly number[]): ReadonlyMap<string, Arrival> {
  const wanted = new Set(rows);
  const found = new Map<string, Arrival>();
  for (const arrival of run.arrivals) {
    const { row, server, verdict } = arrival;
    if (row === undefined || verdict === ABSENT || !wanted.has(row)) continue;
    const key = `${server} ${row}`;
    if (!found.has(key)) found.set(key, arrival);
  }
  return found;
}

/** Events by which servers were made to tell each other what they have. */
function nudgesOf({ records, pdus }: Run) {
  const rows = new Map(pdus.map(({ eventId }, row) => [eventId, row]));
  return records.flatMap(({ seq, body }) => {
    if (body.t !== "step" || body.op !== "nudge" || !Array.isArray(body.events)) return [];
    return body.events.flatMap((id) => {
      const row = rows.get(String(id));
      const pdu = pdus[row ?? -1];
      return row === undefined || pdu === undefined
        ? []
        : [{ row, room: pdu.event.roomId, seq: Math.min(seq, pdu.seq) }];
    });
  });
}

/** When the exchange began that brought it: recordings differ in which end `at` of an exchange is, but tell how long it took. */
function sentAt(exchanges: readonly Exchanged[], came: Arrival, to: string): number | undefined {
  const brought = exchanges
    .filter(({ body }) => {
      if (body.blocked === true || typeof body.ms !== "number") return false;
      const isPushed = body.to === to && (came.from === undefined || body.from === came.from);
      const isAsked = body.from === to && (came.from === undefined || body.to === came.from);
      return came.via === "send" ? isPushed : isPushed || isAsked;
    })
    .sort((a, b) => Math.abs(a.seq - came.seq) - Math.abs(b.seq - came.seq));
  const ms = brought[0]?.body.ms;
  return typeof ms === "number" ? came.at - ms : undefined;
}

interface Way {
  readonly origin: string;
  readonly to: string;
  /** Records between which it was on its way. */
  readonly since: number;
  readonly until: number;
}

/** Exchanges that were stopped; without such, the faults of its way that let nothing through when it was made. */
function stopsOf(
  run: Run,
  spans: readonly FaultSpan[],
  exchanges: readonly Exchanged[],
  { origin, to, since, until }: Way,
): readonly StopView[] {
  const about = (from: string, seq: number) =>
    spans.filter(
      ({ fault, until: end = Number.POSITIVE_INFINITY }) =>
        fault.seq <= seq &&
        seq <= end &&
        (fault.links.some(([one, other]) => one === from && other === to) ||
          fault.servers.some((name) => name === from || name === to) ||
          (fault.links.length === 0 && fault.servers.length === 0)),
    );
  const numberOf = (name: string) => run.servers.findIndex((server) => server.name === name);
  const seen = exchanges.flatMap(({ seq, body }): readonly StopView[] => {
    const { blocked, from, to: end, status } = body;
    // What it was sent, or what it asked for.
    const other = end === to ? from : from === to ? end : undefined;
    if (blocked !== true || typeof other !== "string" || seq > until) return [];
    const faults = about(other, seq).map(({ fault }) => faultText(fault));
    const answer =
      status === undefined ? "no answer came" : `it was answered ${shown(`${status}`)}`;
    return [
      {
        seq,
        from: numberOf(other),
        by: faults.length > 0 ? faults.join(" and ") : `no fault that is told; ${answer}`,
        isSeen: true,
      },
    ];
  });
  if (seen.length > 0) return seen.slice(0, MOST_STOPS);
  return about(origin, since)
    .filter(({ fault }) => STOPPING.has(fault.kind))
    .slice(0, MOST_STOPS)
    .map(({ fault }) => ({
      seq: since,
      from: numberOf(origin),
      by: faultText(fault),
      isSeen: false,
    }));
}
