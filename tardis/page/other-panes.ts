/** What each server had. */
import { letterOf, toneOf } from "#tardis/render/display-list";
import type { LoadedView, ServerView } from "#tardis/view/messages";
import { textAt } from "#tardis/view/row-columns";
import { bdi, button, h } from "./dom.ts";

const SPAN = 14;
const NS = "http://www.w3.org/2000/svg";

/** A column for each server, a row for each event about the cursor: a dot where it came, a ring where it has not yet. */
export function serversPane(
  servers: readonly ServerView[],
  loaded: LoadedView,
  row: number,
  go: (row: number) => void,
): readonly Node[] {
  const title = h("h2", {}, h("span", {}, "servers"));
  if (servers.length === 0) {
    return [title, h("p", { class: "hint" }, "the file does not say what arrived where")];
  }
  const head = h("tr", {}, h("th", { scope: "col" }, "event"));
  for (const [at, { name }] of servers.entries()) {
    head.append(h("th", { scope: "col" }, `${letterOf(loaded.recorded[at] ?? at)} `, bdi(name)));
  }
  const body = h("tbody");
  const from = Math.max(0, row - SPAN);
  const shortAt = (at: number) => (at < loaded.rows.size ? textAt(loaded.rows.shorts, at) : "");
  const seq = loaded.rows.seq[row + 1] ?? Number.POSITIVE_INFINITY;
  for (let at = from; at <= Math.min(loaded.rows.size - 1, row + 3); at++) {
    const line = h("tr", { class: at === row ? "now" : "" });
    const event = button(shortAt(at), () => go(at), { class: "mono id" });
    line.append(h("td", {}, `${at + 1} `, event));
    for (const { arrived } of servers) {
      const here = arrived[at] ?? -1;
      const word = here < 0 ? "never" : here >= seq ? "later" : `● ${here}`;
      line.append(h("td", { class: here < 0 ? "fail" : here >= seq ? "was" : "" }, word));
    }
    body.append(line);
  }
  const parts: Node[] = [
    title,
    picture(servers, loaded, from, Math.min(loaded.rows.size - 1, row + 3), seq),
  ];
  parts.push(h("table", { class: "servers" }, h("thead", {}, head), body));
  for (const { name, has, missing, extremities } of servers) {
    const list = h(
      "p",
      {},
      h("b", {}, bdi(name)),
      `: has ${has}, without ${row + 1 - has}; next it would follow `,
    );
    for (const at of extremities) {
      list.append(
        button(shortAt(at), () => go(at), { class: "mono id" }),
        " ",
      );
    }
    if (missing.length > 0) list.append("; missing here: ");
    for (const at of missing.slice(-20)) {
      list.append(
        button(shortAt(at), () => go(at), { class: "mono id" }),
        " ",
      );
    }
    parts.push(list);
  }
  return parts;
}

/** Deliveries as lines down in time, from the server that had an event first; cut off where it has not come. */
function picture(
  servers: readonly ServerView[],
  loaded: LoadedView,
  from: number,
  to: number,
  until: number,
): SVGElement {
  const width = 340;
  const marks = [];
  for (let row = from; row <= to; row++) {
    for (const [column, { arrived }] of servers.entries()) {
      const seq = arrived[row] ?? -1;
      if (seq >= 0) marks.push({ row, column, seq });
    }
  }
  marks.sort((a, b) => a.seq - b.seq);
  const height = marks.length * 12 + 30;
  const svg = svgOf("svg", {
    viewBox: `0 0 ${width} ${height}`,
    "aria-hidden": "true",
    class: "space",
  });
  const x = (column: number) => ((column + 0.5) * width) / servers.length;
  for (const column of servers.keys()) {
    svg.append(svgOf("line", { x1: x(column), x2: x(column), y1: 14, y2: height, class: "axis" }));
    const letter = svgOf("text", { x: x(column) - 4, y: 10 });
    letter.append(letterOf(loaded.recorded[column] ?? column));
    svg.append(letter);
  }
  const firsts = new Map<number, { x: number; y: number }>();
  for (const [at, { row, column, seq }] of marks.entries()) {
    const point = { x: x(column), y: 24 + at * 12 };
    const tone = `${toneOf(loaded.rows.server[row] ?? 0)}${seq >= until ? " later" : ""}`;
    const first = firsts.get(row);
    if (first === undefined) firsts.set(row, point);
    else {
      svg.append(
        svgOf("line", { x1: first.x, y1: first.y, x2: point.x, y2: point.y, class: tone }),
      );
    }
    svg.append(
      svgOf("circle", { cx: point.x, cy: point.y, r: first === undefined ? 4 : 3, class: tone }),
    );
  }
  for (const [row, first] of firsts) {
    for (const [column, { arrived }] of servers.entries()) {
      if ((arrived[row] ?? -1) >= 0) continue;
      const half = { x: (first.x + x(column)) / 2, y: first.y + 8 };
      svg.append(
        svgOf("line", { x1: first.x, y1: first.y, x2: half.x, y2: half.y, class: "lost" }),
      );
      const cross = svgOf("text", { x: half.x - 4, y: half.y + 4, class: "lost" });
      cross.append("×");
      svg.append(cross);
    }
  }
  return svg;
}

function svgOf(tag: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS(NS, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
