/** What each server had at the moment of a row, and when it came to it. */
import { shown } from "#tardis/explain/shown";
import { extremitiesIn, HAS, knowledgeOf, recordedServers } from "#tardis/model/knowledge";
import type { Run } from "#tardis/model/run";
import type { ServerView } from "./messages.ts";
import { until } from "./moments.ts";

const MOST_MISSING = 200;

export function serverViews(run: Run, row: number): readonly ServerView[] {
  const seq = until(run, row);
  return recordedServers(run).map((server) => {
    const known = knowledgeOf(run, server, seq);
    const missing: number[] = [];
    let has = 0;
    for (let at = 0; at <= row; at++) {
      if ((known[at] ?? 0) & HAS) has++;
      else if (missing.length < MOST_MISSING) missing.push(at);
    }
    const arrived = new Float64Array(run.pdus.length).fill(-1);
    for (const arrival of run.arrivals) {
      if (arrival.server !== server || arrival.row === undefined) continue;
      if ((arrived[arrival.row] ?? -1) < 0) arrived[arrival.row] = arrival.seq;
    }
    const name = shown(run.servers[server]?.name ?? "");
    return { name, has, missing, extremities: extremitiesIn(run, known), arrived };
  });
}
