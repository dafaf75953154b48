/** What each server had at the moment of a row, when it came to it, and what others had that it had not. */
import { shown } from "#tardis/explain/shown";
import { extremitiesIn, HAS, knowledgeOf, recordedServers } from "#tardis/model/knowledge";
import type { Run } from "#tardis/model/run";
import { deliveriesOf } from "./deliveries.ts";
import { until } from "./moments.ts";
import { parcelsOf } from "./parcels.ts";
import type { LackView, ServersView } from "./servers-messages.ts";

const MOST_MISSING = 200;
/** Servers of which each is compared with each. */
const MOST_COMPARED = 10;
const MOST_LACKING = 20;
/** Rows above the cursor, and below it, that are told one by one. */
const ABOVE = 14;
const BELOW = 3;

export function serversView(run: Run, row: number): ServersView {
  const seq = until(run, row);
  const numbers = recordedServers(run);
  const known = numbers.map((server) => knowledgeOf(run, server, seq));
  const first = Math.max(0, row - ABOVE);
  const last = Math.min(run.pdus.length - 1, row + BELOW);
  const rows = Array.from({ length: Math.max(0, last + 1 - first) }, (_, at) => first + at);
  return {
    servers: numbers.map((server, at) => {
      const own = known[at] ?? new Uint8Array(0);
      const missing: number[] = [];
      let has = 0;
      for (let at = 0; at <= row; at++) {
        if ((own[at] ?? 0) & HAS) has++;
        else if (missing.length < MOST_MISSING) missing.push(at);
      }
      const name = shown(run.servers[server]?.name ?? "");
      const extremities = extremitiesIn(run, own);
      return { name, number: server, has, missing, extremities, arrived: arrivedAt(run, server) };
    }),
    range: [first, last],
    deliveries: deliveriesOf(run, numbers, rows),
    parcels: parcelsOf(run, rows),
    lacks: lacksOf(known.slice(0, MOST_COMPARED), row),
    compared: Math.min(MOST_COMPARED, numbers.length),
  };
}

function arrivedAt(run: Run, server: number): Float64Array {
  const arrived = new Float64Array(run.pdus.length).fill(-1);
  for (const arrival of run.arrivals) {
    if (arrival.server !== server || arrival.row === undefined) continue;
    if ((arrived[arrival.row] ?? -1) < 0) arrived[arrival.row] = arrival.seq;
  }
  return arrived;
}

/** @param known by server, what it had by row */
function lacksOf(known: readonly Uint8Array[], row: number): readonly LackView[] {
  return known.flatMap((own, has) =>
    known.flatMap((others, lacks): readonly LackView[] => {
      let count = 0;
      const rows: number[] = [];
      for (let at = row; at >= 0; at--) {
        if (((own[at] ?? 0) & HAS) === 0 || ((others[at] ?? 0) & HAS) !== 0) continue;
        if (++count <= MOST_LACKING) rows.unshift(at);
      }
      return count === 0 ? [] : [{ has, lacks, count, rows }];
    }),
  );
}
