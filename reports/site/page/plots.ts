/** What runs measured: performance by size of the account, how long servers took to agree again, and how fast calls were. */
import type { SiteCall, SitePlot, SiteRecovery } from "#reports/site/data";
import { data } from "./data.ts";
import { bdi, h, svg } from "./dom.ts";

const BOX = { wide: 340, high: 210, left: 56, right: 14, top: 12, bottom: 34 };
/** That an axis covers. */
const LEAST_DECADES = 1.2;
const SHAPES = ["circle", "square", "diamond", "triangle"] as const;
const TONES = 8;

export async function plotsPage(): Promise<readonly HTMLElement[]> {
  const { performance, recovery, calls } = await data.plots();
  return [
    h("h1", { tabindex: -1 }, "Measured"),
    h("p", { class: "lead" }, "Medians, both axes logarithmic; a figure is no verdict."),
    ...(performance.length === 0
      ? [
          h(
            "p",
            {},
            "No run has measurements: ",
            h("code", {}, "crucible run --perf"),
            " makes them.",
          ),
        ]
      : [h("div", { class: "plots" }, ...performance.map(panel))]),
    ...recoverySection(recovery),
    ...callSection(calls),
  ];
}

function panel({ title, unit, x, lines }: SitePlot): HTMLElement {
  const xs = lines.flatMap(({ points }) => points.map(([at]) => at));
  const ys = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const across = scale(xs, BOX.left, BOX.wide - BOX.right);
  const up = scale(ys, BOX.high - BOX.bottom, BOX.top);
  const sizes = [...new Set(xs)].sort((a, b) => a - b);
  const ends = [...new Set([Math.min(...ys), Math.max(...ys)])];
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${BOX.wide} ${BOX.high}`, role: "img", "aria-label": `${title} in ${unit}` },
    ...sizes.map((size) =>
      svg("text", { x: across(size), y: BOX.high - 18, "text-anchor": "middle" }, String(size)),
    ),
    svg("text", { x: BOX.wide - BOX.right, y: BOX.high - 3, "text-anchor": "end" }, x),
    ...ends.map((value) =>
      svg("text", { x: BOX.left - 6, y: up(value) + 4, "text-anchor": "end" }, figure(value)),
    ),
    svg("path", {
      class: "axis",
      d: `M${BOX.left} ${BOX.top}V${BOX.high - BOX.bottom}H${BOX.wide - BOX.right}`,
    }),
    ...lines.map(({ points }, at) =>
      svg(
        "g",
        { class: `line s${at % TONES}` },
        svg("polyline", { points: points.map(([a, b]) => `${across(a)},${up(b)}`).join(" ") }),
        ...points.map(([a, b]) => dot(at, across(a), up(b))),
      ),
    ),
  );
  const legend = lines.map(({ name, points }, at) => {
    const sign = svg(
      "svg",
      { viewBox: "0 0 12 12", class: `sign line s${at % TONES}` },
      dot(at, 6, 6),
    );
    const last = points.at(-1)?.[1];
    return h("li", {}, sign, " ", bdi(name), last === undefined ? "" : `: ${figure(last)} ${unit}`);
  });
  return h(
    "figure",
    {},
    h("figcaption", {}, h("b", {}, bdi(title)), ` (${unit})`),
    picture,
    h("ul", {}, ...legend),
  );
}

function dot(at: number, x: number, y: number): SVGElement {
  const shape = SHAPES[at % SHAPES.length] ?? "circle";
  const paths = {
    circle: `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0`,
    square: `M${x - 3.5} ${y - 3.5}h7v7h-7z`,
    diamond: `M${x} ${y - 5}l5 5l-5 5l-5 -5z`,
    triangle: `M${x} ${y - 5}l4.5 8h-9z`,
  };
  return svg("path", { class: "dot", d: paths[shape] });
}

function scale(values: readonly number[], from: number, to: number): (value: number) => number {
  const logs = values.map((value) => Math.log10(Math.max(value, 1e-3)));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const missing = Math.max(0, LEAST_DECADES - (high - low)) / 2;
  const [begin, end] = [low - missing, high + missing];
  return (value) =>
    Math.round(from + ((Math.log10(Math.max(value, 1e-3)) - begin) / (end - begin)) * (to - from));
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

function recoverySection(recovery: readonly SiteRecovery[]): readonly HTMLElement[] {
  if (recovery.length === 0) return [];
  const most = Math.max(1, ...recovery.map(({ medianMs }) => medianMs ?? 0));
  const rows = recovery.map(({ deployment, mode, count, medianMs, never }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, bdi(deployment)),
      h("td", {}, bdi(mode)),
      h("td", {}, String(count)),
      h("td", { class: never > 0 ? "fail" : "" }, never > 0 ? `${never} never` : "all"),
      time(medianMs, most),
    ),
  );
  const heads = ["deployment", "afterwards", "recoveries", "came to an end", "median"];
  return [
    h("h2", {}, "Recovery after faults"),
    h("p", { class: "lead" }, "From the end of the last fault until all servers agreed."),
    table("recovery", heads, rows),
  ];
}

function callSection(calls: readonly SiteCall[]): readonly HTMLElement[] {
  if (calls.length === 0) return [];
  const most = Math.max(1, ...calls.map(({ medianMs }) => medianMs));
  const rows = calls.map(({ deployment, name, subject, count, medianMs, slowestMs }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, bdi(subject)),
      h("td", {}, bdi(name)),
      h("td", {}, bdi(deployment)),
      h("td", {}, String(count)),
      h("td", { class: "time" }, `${slowestMs} ms`),
      time(medianMs, most),
    ),
  );
  const heads = ["check", "what", "deployment", "times", "slowest", "median"];
  return [
    h("h2", {}, "Calls"),
    h(
      "p",
      { class: "lead" },
      "From when two are in a call until the one hears the other, and from when one leaves until the other hears it no more. Each check tells another story: compare it with itself.",
    ),
    table("calls", heads, rows),
  ];
}

/** A cell with a bar. */
function time(ms: number | null, most: number): HTMLElement {
  const bar = h("i", { class: "span" });
  bar.style.width = `${Math.round(((ms ?? 0) / most) * 100)}%`;
  return h("td", { class: "time" }, bar, ms === null ? "none" : `${ms} ms`);
}

function table(label: string, heads: readonly string[], rows: readonly HTMLElement[]): HTMLElement {
  return h(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...rows),
    ),
  );
}
