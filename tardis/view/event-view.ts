/** One event in full: what it is, whether its id is right, what refers to what, when servers had it, and in whose state it is. */
import type { RoomHistory } from "#protocol/state/room-history";
import { shown, visible } from "#tardis/explain/shown";
import { matter } from "#tardis/explain/wording";
import { EDGE_KINDS, type EdgeKind, type Edges } from "#tardis/model/graph";
import type { Run } from "#tardis/model/run";
import { eventChecks } from "./event-checks.ts";
import { jsonParts } from "./json-parts.ts";
import type { EventView } from "./messages.ts";
import { shortOf } from "./short.ts";
import { dateText, timeText } from "./time-text.ts";

const MOST_LINKS = 200;
/** What an event does to others, and they to it. */
const KIND_WORDS: Readonly<Record<EdgeKind, readonly [string, string]>> = {
  prev: ["follows", "is followed by"],
  auth: ["cites", "is cited as auth event by"],
  prev_state: ["follows the state of", "its state is followed by"],
  prev_auth: ["follows the citations of", "its citations are followed by"],
};

export function eventView(
  run: Run,
  row: number,
  history: RoomHistory,
  rowOf: (id: string) => number,
  inStates: EventView["inStates"],
): EventView {
  const pdu = run.pdus[row];
  if (pdu === undefined) throw new Error(`there is no row ${row}`);
  const { event, eventId, json } = pdu;
  const replayed = history.get(eventId);
  const rejection = replayed?.rejection;
  const { version } = history.graph;
  const sent = dateText(event.originServerTs);
  return {
    summary: `${shown(event.sender)}'s ${matter(event)}, sent ${sent} by the sender's clock, at depth ${event.depth}`,
    id: visible(eventId),
    checks: eventChecks(run, pdu, version),
    verdict:
      rejection === undefined
        ? `allowed by the rules of room version ${version.id}`
        : `rejected by the rule ${rejection.rule}: ${visible(rejection.why)}`,
    json: jsonParts(json, rowOf),
    links: linksOf(run, row, rowOf),
    arrivals: run.arrivals
      .filter((arrival) => arrival.row === row)
      .slice(0, MOST_LINKS)
      .map(({ server, via, from, verdict, isDeduced, reason, at }) => ({
        server: shown(run.servers[server]?.name ?? ""),
        text:
          `${timeText(at, true)} ${shown(via)}` +
          `${from === undefined ? "" : ` from ${shown(from)}`}, ${shown(verdict)}` +
          `${isDeduced ? " (deduced)" : ""}${reason === undefined ? "" : `: ${shown(reason)}`}`,
      })),
    inStates,
  };
}

function linksOf(run: Run, row: number, rowOf: (id: string) => number): EventView["links"] {
  const kinds = Object.keys(EDGE_KINDS) as EdgeKind[];
  return kinds.flatMap((kind) => {
    const { offsets, targets } = run.graph.edges[kind];
    const own = [...targets.subarray(offsets[row], offsets[row + 1])].flatMap((target) => {
      const id = target >= 0 ? run.pdus[target]?.eventId : run.gaps[-1 - target]?.eventId;
      return id === undefined ? [] : [{ row: rowOf(id), text: shortOf(run, target, id) }];
    });
    const others = referringTo(run.graph.edges[kind], row).map((from) => ({
      row: from,
      text: shortOf(run, from, run.pdus[from]?.eventId ?? ""),
    }));
    const [to, back] = KIND_WORDS[kind];
    return [
      { kind: to, events: own.slice(0, MOST_LINKS), count: own.length },
      { kind: back, events: others.slice(0, MOST_LINKS), count: others.length },
    ].filter(({ count }) => count > 0);
  });
}

function referringTo({ offsets, targets }: Edges, row: number): readonly number[] {
  const rows: number[] = [];
  for (let from = row + 1; from + 1 < offsets.length; from++) {
    for (let edge = offsets[from] ?? 0; edge < (offsets[from + 1] ?? 0); edge++) {
      if (targets[edge] !== row) continue;
      rows.push(from);
      break;
    }
  }
  return rows;
}
