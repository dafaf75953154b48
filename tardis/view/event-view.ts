/** One event in full: what it is, whether its id is right, what it refers to, and when servers had it. */
import type { RoomHistory } from "#protocol/state/room-history";
import { shown, visible } from "#tardis/explain/shown";
import { matter } from "#tardis/explain/wording";
import { checkIds } from "#tardis/model/check-ids";
import { EDGE_KINDS, type EdgeKind } from "#tardis/model/graph";
import { writeJson } from "#tardis/model/json";
import type { Run } from "#tardis/model/run";
import type { EventView } from "./messages.ts";
import { shortOf } from "./short.ts";
import { timeText } from "./time-text.ts";

const MOST_LETTERS = 200_000;
const MOST_LINKS = 200;
const KIND_WORDS: Readonly<Record<EdgeKind, string>> = {
  prev: "follows",
  auth: "cites",
  prev_state: "follows the state of",
  prev_auth: "follows the citations of",
};

export function eventView(
  run: Run,
  row: number,
  history: RoomHistory,
  rowOf: (id: string) => number,
): EventView {
  const pdu = run.pdus[row];
  if (pdu === undefined) throw new Error(`there is no row ${row}`);
  const { event, eventId, json } = pdu;
  const replayed = history.get(eventId);
  const rejection = replayed?.rejection;
  return {
    summary: `${shown(event.sender)}'s ${matter(event)}`,
    id: visible(eventId),
    idCheck: idCheckOf(run, row),
    verdict:
      rejection === undefined
        ? `allowed by the rules of room version ${history.graph.version.id}`
        : `rejected by the rule ${rejection.rule}: ${visible(rejection.why)}`,
    json: jsonText(json),
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
  };
}

function idCheckOf(run: Run, row: number): string {
  const pdus = run.pdus.slice(row, row + 1);
  const { calculated, matching, differing } = checkIds({ ...run, pdus });
  const [other] = differing;
  if (other !== undefined) return `does not match: its content has the id ${other.calculated}`;
  if (matching > 0) return "matches its content";
  return calculated > 0 ? "calculated from its content" : "can not be checked";
}

/** Indented, with the digits that were read: written in one line first, and parted outside of texts. */
function jsonText(json: unknown): string {
  let depth = 0;
  const line = writeJson(json);
  const cut = line.length > MOST_LETTERS ? line.slice(0, MOST_LETTERS) : line;
  const indented = cut.replace(/"(?:[^"\\]|\\.)*"?|\[\]|\{\}|[{}[\],:]/g, (part) => {
    switch (part) {
      case "{":
      case "[":
        depth++;
        return `${part}\n${"  ".repeat(depth)}`;
      case "}":
      case "]":
        depth = Math.max(0, depth - 1);
        return `\n${"  ".repeat(depth)}${part}`;
      case ",":
        return `,\n${"  ".repeat(depth)}`;
      case ":":
        return ": ";
      default:
        return part;
    }
  });
  const shownLines = indented.split("\n").map(visible).join("\n");
  return line.length > MOST_LETTERS
    ? `${shownLines}\n… ${line.length - MOST_LETTERS} more letters are not shown`
    : shownLines;
}

function linksOf(run: Run, row: number, rowOf: (id: string) => number): EventView["links"] {
  const links: { kind: string; row: number; text: string }[] = [];
  for (const kind of Object.keys(EDGE_KINDS) as EdgeKind[]) {
    const { offsets, targets } = run.graph.edges[kind];
    for (let edge = offsets[row] ?? 0; edge < (offsets[row + 1] ?? 0); edge++) {
      const target = targets[edge] ?? 0;
      const id = target >= 0 ? run.pdus[target]?.eventId : run.gaps[-1 - target]?.eventId;
      if (id === undefined || links.length >= MOST_LINKS) continue;
      links.push({ kind: KIND_WORDS[kind], row: rowOf(id), text: shortOf(run, target, id) });
    }
  }
  return links;
}
