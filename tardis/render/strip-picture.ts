/** The whole run in a line: events of each server, faults as bands, failures and what was found as marks. */
import { density } from "#tardis/layout/density";
import type { LoadedView } from "#tardis/view/messages";
import { type Shape, toneOf } from "./display-list.ts";

const MARGIN = 14;
const MOST_SERIES = 6;
/** Pixels of a letter, about. */
const LETTER = 7;
const MOST_LETTERS = 48;

export interface StripSize {
  readonly wide: number;
  readonly rows: number;
}

export function stripX(row: number, { wide, rows }: StripSize): number {
  return MARGIN + (row / Math.max(1, rows - 1)) * (wide - 2 * MARGIN);
}

export function stripRow(x: number, { wide, rows }: StripSize): number {
  const share = (x - MARGIN) / Math.max(1, wide - 2 * MARGIN);
  return Math.round(Math.max(0, Math.min(1, share)) * Math.max(0, rows - 1));
}

/** @param range the only rows that are shown elsewhere */
export function stripShapes(
  loaded: LoadedView,
  hits: ReadonlySet<number>,
  range: readonly [number, number] | undefined,
  size: StripSize,
): readonly Shape[] {
  const x = (row: number) => stripX(row, size);
  const shapes: Shape[] = [];
  let free = 0;
  for (const { text, from, to, isLink } of loaded.faults) {
    const wide = Math.max(3, x(to) - x(from));
    const [fill, opacity] = isLink ? (["fail", 0.2] as const) : (["warn", 0.3] as const);
    shapes.push({ kind: "rect", x: x(from), y: 6, wide, high: 44, fill, opacity });
    // The text of another one stands there.
    if (x(from) < free) continue;
    const words = text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text;
    const left = Math.max(MARGIN, Math.min(x(from), size.wide - MARGIN - words.length * LETTER));
    shapes.push({ kind: "text", x: left, y: 63, runs: [{ text: words, tone: "ink-2" }] });
    free = left + words.length * LETTER;
  }
  shapes.push(...eventShapes(loaded, size));
  for (const row of hits) {
    shapes.push({ kind: "rect", x: x(row) - 1, y: 2, wide: 2, high: 6, fill: "warn" });
  }
  for (const { row, isOk } of loaded.steps) {
    if (isOk !== false) continue;
    shapes.push({ kind: "rect", x: x(row) - 2, y: 44, wide: 4, high: 8, fill: "fail" });
  }
  if (range !== undefined) {
    const [from, to] = range.map(x);
    const outside = { kind: "rect", y: 0, high: 74, fill: "paper", opacity: 0.75 } as const;
    shapes.push({ ...outside, x: 0, wide: (from ?? 0) - 4 });
    shapes.push({ ...outside, x: (to ?? 0) + 4, wide: size.wide - (to ?? 0) - 4 });
  }
  return shapes;
}

function eventShapes({ rows, servers }: LoadedView, { wide }: StripSize): readonly Shape[] {
  const series = Math.min(MOST_SERIES, Math.max(1, servers.length));
  const width = wide - 2 * MARGIN;
  const buckets = Math.max(1, Math.min(rows.size, Math.floor(width / 4)));
  const seriesOf = rows.server.map((server) => Math.min(server, series - 1));
  const { counts } = density(seriesOf, [], { series, buckets });
  const most = counts.reduce((one, other) => Math.max(one, other), 1);
  const last = Math.max(1, rows.size <= buckets ? rows.size - 1 : buckets);
  const gap = 36 / series;
  const shapes: Shape[] = [];
  for (let bucket = 0; bucket < buckets; bucket++) {
    for (let one = 0; one < series; one++) {
      const count = counts[bucket * series + one] ?? 0;
      if (count === 0) continue;
      const [x, y] = [MARGIN + (bucket / last) * width, 14 + one * gap];
      shapes.push({ kind: "circle", x, y, r: 1.6 + 1.6 * (count / most), fill: toneOf(one) });
    }
  }
  return shapes;
}
