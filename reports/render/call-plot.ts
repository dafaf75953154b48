/** How fast calls come and go, as small multiples: a panel for each figure, a row for each run, a dot for each time. */
import { CALL_FIGURES, type CallFigure } from "#harness/results/call-figures";
import { quantile } from "#harness/results/measurement";
import { tameLine } from "#reports/finding";
import { escaped, grid, label, opening, plain, type Scale, safe, x } from "./call-shapes.ts";

/** Of one run. */
export interface RunFigures {
  /** Its deployment, and what tells it apart. */
  readonly run: string;
  readonly figures: readonly CallFigure[];
}

/** For programs that read a report: figures come from files that anybody may have written. */
export function callFiguresData(runs: readonly RunFigures[]): readonly RunFigures[] {
  return runs.map(({ run, figures }) => ({
    run: tameLine(run),
    figures: figures.map((one) => ({ ...one, subject: tameLine(one.subject) })),
  }));
}

interface Row {
  readonly run: string;
  readonly values: readonly number[];
}

const ROW = 34;
const HEAD = 52;
const FOOT = 12;
const TOP = 44;
/** More runs than anybody compares by eye. */
const MOST_RUNS = 20;

/** Panels that have values, in the order of the figures. */
function panelsOf(runs: readonly RunFigures[]): readonly (readonly [string, readonly Row[]])[] {
  const subjects = [
    ...new Set(runs.flatMap(({ figures }) => figures.map(({ subject }) => subject))),
  ];
  return CALL_FIGURES.flatMap((name) =>
    subjects.toSorted().map((subject) => {
      const rows = runs.slice(0, MOST_RUNS).flatMap(({ run, figures }) => {
        const values = figures
          .filter((one) => one.name === name && one.subject === subject)
          .flatMap((one) => one.values);
        return values.length === 0 ? [] : [{ run, values }];
      });
      return [`${name}, ${subject}`, rows] as const;
    }),
  ).filter(([, rows]) => rows.length > 0);
}

export function callPlot(runs: readonly RunFigures[]): string {
  const panels = panelsOf(runs);
  let y = TOP;
  const drawn = panels.flatMap(([name, rows]) => {
    const top = y;
    y += HEAD + rows.length * ROW + FOOT;
    return panel(name, rows, top);
  });
  const left = Math.max(0, runs.length - MOST_RUNS);
  return `${[
    ...opening("Calls: times until members hear each other, and no longer", y + 24),
    '<rect width="100%" height="100%" class="paper"/>',
    label(2, 24, "Calls, in milliseconds", "h"),
    ...drawn,
    label(
      2,
      y + 8,
      left > 0 ? `${left} runs are left out` : "a dot for each time; the line is the median",
      "soft small",
    ),
    "</svg>",
  ].join("\n")}\n`;
}

/** From nothing on: a bar twice as far is twice as long. */
function panel(name: string, rows: readonly Row[], top: number): readonly string[] {
  const highest = Math.max(1, ...rows.flatMap(({ values }) => values));
  const every = roundUp(highest / 4);
  const scale: Scale = { from: 0, to: Math.ceil(highest / every) * every };
  const axis = top + 34;
  const bottom = axis + 8 + rows.length * ROW;
  return [
    label(2, top + 14, safe(name), "who"),
    ...Array.from({ length: Math.round(scale.to / every) + 1 }, (_, at) => {
      const place = x(scale, at * every);
      return (
        grid(place, axis + 4, bottom) +
        label(
          place,
          axis,
          String(at * every),
          `soft small ${at === 0 ? "" : place > 97 ? "end" : "middle"}`,
        )
      );
    }),
    ...rows.flatMap(({ run, values }, at) => {
      const y = axis + 14 + at * ROW;
      const middle = x(scale, quantile(values, 0.5)).toFixed(2);
      return [
        label(
          2,
          y + 4,
          `${safe(run, 34)} <tspan class="soft">${escaped(summaryOf(values))}</tspan>`,
          "small",
        ),
        ...values.map(
          (value) =>
            `<circle cx="${x(scale, value).toFixed(2)}%" cy="${y + 14}" r="4" class="plot" opacity=".6"><title>${figure(value)} ms</title></circle>`,
        ),
        `<line x1="${middle}%" x2="${middle}%" y1="${y + 8}" y2="${y + 20}" class="median"/>`,
      ];
    }),
  ];
}

function summaryOf(values: readonly number[]): string {
  const times = values.length === 1 ? "once" : `${values.length} times`;
  return `${times}, median ${figure(quantile(values, 0.5))}`;
}

function figure(value: number): string {
  return value.toFixed(0);
}

/** To 1, 2 or 5 of a decade. */
function roundUp(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return ([1, 2, 5, 10].find((each) => each * decade >= value) ?? 10) * decade;
}

/** The same for a terminal. */
export function callFiguresText(runs: readonly RunFigures[]): string {
  const rows = panelsOf(runs).flatMap(([name, own]) =>
    own.map(({ run, values }) => `  ${plain(name)}  ${plain(run, 80)}  ${numbersOf(values)}`),
  );
  return ["", "calls: no verdict", ...rows].join("\n");
}

/** And for Markdown. @param plot file of the picture, as seen from there, if there is one */
export function callFiguresMarkdown(runs: readonly RunFigures[], plot?: string): string {
  const cell = (text: string) => `\`${tameLine(text).replace(/[`|]/g, " ") || " "}\``;
  return [
    "",
    "## Calls",
    "",
    `Milliseconds, no verdict.${plot === undefined ? "" : ` ![plot](<${plot}>)`}`,
    "",
    "| figure | run | times | median | p95 |",
    "| --- | --- | ---: | ---: | ---: |",
    ...panelsOf(runs).flatMap(([name, own]) =>
      own.map(
        ({ run, values }) =>
          `| ${cell(name)} | ${cell(run)} | ${values.length} | ${figure(quantile(values, 0.5))} | ${figure(quantile(values, 0.95))} |`,
      ),
    ),
    "",
  ].join("\n");
}

function numbersOf(values: readonly number[]): string {
  return `${summaryOf(values)} ms, p95 ${figure(quantile(values, 0.95))} ms`;
}
