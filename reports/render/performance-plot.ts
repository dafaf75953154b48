/** What a run measured, as one picture: a panel for each figure, a line for each subject, both axes logarithmic. */
import { type Measurement, median } from "#harness/results/measurement";
import { figure, series, sizesOf } from "./performance.ts";

const PANEL = { width: 300, height: 200 };
const PLOT = { left: 52, top: 34, width: 228, height: 130 };
const COLUMNS = 3;
const HEADER = 60;
/** That an axis covers. */
const MIN_DECADES = 1.2;
/** Told apart also by those who do not see all colours. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

type Point = readonly [rooms: number, value: number];

export function performanceSvg(measurements: readonly Measurement[], title: string): string {
  const subjects = [...new Set(measurements.map(({ subject }) => subject))].sort();
  const sizes = sizesOf(measurements);
  const panels = [...Map.groupBy(series(measurements), ([first]) => titleOf(first))];
  const height = HEADER + Math.ceil(panels.length / COLUMNS) * PANEL.height;
  const width = COLUMNS * PANEL.width;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11" fill="#222">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(12, 22, `Medians by rooms of the account: ${title}`, 'font-size="15"'),
    ...subjects.map((subject, at) => {
      const x = 12 + at * 210;
      const mark = `<rect x="${x}" y="36" width="12" height="12" fill="${colour(at)}"/>`;
      return mark + text(x + 18, 46, subject);
    }),
    ...panels.map(([name, lines], at) => {
      const [x, y] = [at % COLUMNS, Math.floor(at / COLUMNS)];
      const place = `translate(${x * PANEL.width} ${HEADER + y * PANEL.height})`;
      return `<g transform="${place}">${panel(name, lines, subjects, sizes)}</g>`;
    }),
    "</svg>",
  ].join("\n")}\n`;
}

function titleOf(measurement: Measurement | undefined): string {
  return measurement === undefined ? "" : `${measurement.name} (${measurement.unit})`;
}

function panel(
  name: string,
  lines: readonly (readonly Measurement[])[],
  subjects: readonly string[],
  sizes: readonly number[],
): string {
  const drawn = lines.map((own) => ({ subject: own[0]?.subject ?? "", points: pointsOf(own) }));
  const values = drawn.flatMap(({ points }) => points.map(([, value]) => value));
  const x = scale(sizes, PLOT.left, PLOT.left + PLOT.width);
  const y = scale(values, PLOT.top + PLOT.height, PLOT.top);
  const { left, top, width, height } = PLOT;
  const ends = [...new Set([Math.min(...values), Math.max(...values)])];
  return [
    text(left, 20, name, 'font-weight="bold"'),
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="none" stroke="#bbb"/>`,
    ...sizes.map((size) => text(x(size), top + height + 16, String(size), 'text-anchor="middle"')),
    ...ends.map((value) => text(left - 5, y(value) + 4, figure(value), 'text-anchor="end"')),
    ...drawn.map(({ subject, points }) => {
      const paint = colour(subjects.indexOf(subject));
      const places = points.map(([rooms, value]) => [x(rooms).toFixed(1), y(value).toFixed(1)]);
      const path = places.map((place) => place.join(",")).join(" ");
      const dots = places.map(
        ([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${paint}"/>`,
      );
      return `<polyline points="${path}" fill="none" stroke="${paint}" stroke-width="2"/>${dots.join("")}`;
    }),
  ].join("");
}

/** Medians by rooms, ascending. Nothing can be drawn of zero. */
function pointsOf(own: readonly Measurement[]): readonly Point[] {
  return [...Map.groupBy(own, ({ rooms }) => rooms)]
    .map(([rooms, same]): Point => [rooms, median(same.flatMap(({ values }) => values))])
    .filter(([, value]) => value > 0)
    .sort(([a], [b]) => a - b);
}

/** Logarithmic, with some room at both ends. Values that hardly differ stay close together. */
function scale(values: readonly number[], from: number, to: number): (value: number) => number {
  const logs = values.map(Math.log10);
  const [lowest, highest] = [Math.min(...logs), Math.max(...logs)];
  const margin = Math.max(0.1, (MIN_DECADES - (highest - lowest)) / 2);
  const [low, high] = [lowest - margin, highest + margin];
  return (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from);
}

function colour(at: number): string {
  return COLOURS[at % COLOURS.length] ?? "#000";
}

function text(x: number, y: number, content: string, attributes = ""): string {
  const safe = content.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${safe}</text>`;
}
