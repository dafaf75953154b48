/** Deliveries in time: a line down for each server, and across where events came; the tables beside it say the same. */
import { letterOf, toneOf } from "#tardis/render/display-list";
import type { LoadedView } from "#tardis/view/messages";
import type { ParcelView, ServersView } from "#tardis/view/servers-messages";

const NS = "http://www.w3.org/2000/svg";
const WIDE = 340;
const TOP = 24;
const STEP = 12;
/** Where the way of a key is drawn: below its event, and how far beside a server's line where it does not leave the server. */
const KEY_BELOW = 6;
const KEY_HOOK = 30;

/** Something that happens at a place down the picture. */
interface Mark {
  readonly seq: number;
  readonly row: number;
  readonly column: number;
  /** Column from which something was stopped; undefined: it came. */
  readonly stoppedFrom: number | undefined;
}

/**
 * From the server that had an event first to each other one; cut off by a cross where it was stopped, and where it has never come.
 *
 * @param until record that comes after the moment
 */
export function serversPicture(view: ServersView, loaded: LoadedView, until: number): SVGElement {
  const { servers } = view;
  const marks = marksOf(view);
  const high = marks.length * STEP + 30;
  const svg = svgOf("svg", {
    viewBox: `0 0 ${WIDE} ${high}`,
    "aria-hidden": "true",
    class: "space",
  });
  const x = (column: number) => ((column + 0.5) * WIDE) / servers.length;
  for (const [column, { number }] of servers.entries()) {
    svg.append(svgOf("line", { x1: x(column), x2: x(column), y1: 14, y2: high, class: "axis" }));
    svg.append(textOf(letterOf(number), { x: x(column) - 4, y: 10 }));
  }
  const firsts = new Map<number, { x: number; y: number }>();
  const stopped = new Set<string>();
  const cut = (start: { x: number; y: number }, end: { x: number; y: number }) => {
    const half = { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 };
    svg.append(lineOf(start, half, "lost"));
    svg.append(textOf("×", { x: half.x - 4, y: half.y + 4, class: "lost" }));
  };
  for (const [at, { row, column, seq, stoppedFrom }] of marks.entries()) {
    const point = { x: x(column), y: TOP + at * STEP };
    const first = firsts.get(row);
    if (stoppedFrom !== undefined) {
      cut(first ?? { x: x(stoppedFrom), y: point.y }, point);
      stopped.add(`${row} ${column}`);
      continue;
    }
    const tone = `${toneOf(loaded.rows.server[row] ?? 0)}${seq >= until ? " later" : ""}`;
    if (first === undefined) firsts.set(row, point);
    else svg.append(lineOf(first, point, tone));
    const r = first === undefined ? 4 : 3;
    svg.append(svgOf("circle", { cx: point.x, cy: point.y, r, class: tone }));
  }
  for (const [row, first] of firsts) {
    for (const [column, { arrived }] of servers.entries()) {
      if ((arrived[row] ?? -1) >= 0 || stopped.has(`${row} ${column}`)) continue;
      cut(first, { x: x(column), y: first.y + 16 });
    }
  }
  for (const parcel of view.parcels) drawKey(svg, parcel, firsts.get(parcel.row), columnOf, x);
  return svg;

  function columnOf(number: number): number {
    return servers.findIndex((server) => server.number === number);
  }
}

/** From the sender's server to that of the device, below the event whose key it is; within one server, a hook beside its line. */
function drawKey(
  svg: SVGElement,
  { fromServer, toServer, isLost }: ParcelView,
  first: { readonly y: number } | undefined,
  columnOf: (number: number) => number,
  x: (column: number) => number,
): void {
  const [from, to] = [columnOf(fromServer), columnOf(toServer)];
  if (first === undefined || from < 0 || to < 0) return;
  const y = first.y + KEY_BELOW;
  const end = from === to ? x(to) + KEY_HOOK : x(to);
  const name = isLost ? "key lost" : "key";
  svg.append(lineOf({ x: x(from), y }, { x: isLost ? (x(from) + end) / 2 : end, y }, name));
  const mark = isLost ? "×" : "k";
  svg.append(textOf(mark, { x: (x(from) + end) / 2 - 4, y: y + 4, class: name }));
}

function marksOf({ servers, deliveries, range: [from, to] }: ServersView): readonly Mark[] {
  const marks: Mark[] = [];
  for (let row = from; row <= to; row++) {
    for (const [column, { arrived }] of servers.entries()) {
      const seq = arrived[row] ?? -1;
      if (seq >= 0) marks.push({ row, column, seq, stoppedFrom: undefined });
    }
  }
  const columnOf = (number: number) => servers.findIndex((server) => server.number === number);
  for (const { row, to: end, stops } of deliveries) {
    for (const { seq, from: start } of stops) {
      // What was stopped as it was made stands below where it was made.
      const mark = { row, column: columnOf(end), seq: seq + 0.5 };
      marks.push({ ...mark, stoppedFrom: Math.max(0, columnOf(start)) });
    }
  }
  return marks.sort((a, b) => a.seq - b.seq);
}

function lineOf(
  start: { readonly x: number; readonly y: number },
  end: { readonly x: number; readonly y: number },
  className: string,
): SVGElement {
  return svgOf("line", { x1: start.x, y1: start.y, x2: end.x, y2: end.y, class: className });
}

function textOf(text: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = svgOf("text", attributes);
  element.append(text);
  return element;
}

function svgOf(tag: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS(NS, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
