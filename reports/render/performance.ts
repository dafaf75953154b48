/** What a run measured, as a table: medians by the size of the account. */
import { type Measurement, quantile } from "#harness/results/measurement";

interface Row {
  readonly name: string;
  readonly subject: string;
  readonly unit: string;
  /** By size of the account, ascending as `sizes`; a dash: not measured. */
  readonly cells: readonly string[];
  /** The largest account's median by the smallest's. */
  readonly growth: string;
}

interface PerformanceTable {
  readonly sizes: readonly number[];
  readonly rows: readonly Row[];
}

/** Samples from which on the slowest tell something. */
const MANY = 10;
const NOTHING = "-";

/** Measurements that are of the same thing but for the size of the account. */
export function series(measurements: readonly Measurement[]): readonly (readonly Measurement[])[] {
  const groups = Map.groupBy(
    measurements,
    ({ name, subject, unit }) => `${name}|${unit}|${subject}`,
  );
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, own]) => own);
}

export function sizesOf(measurements: readonly Measurement[]): readonly number[] {
  return [...new Set(measurements.map(({ rooms }) => rooms))].sort((a, b) => a - b);
}

function performanceTable(measurements: readonly Measurement[]): PerformanceTable {
  const sizes = sizesOf(measurements);
  const rows = series(measurements).flatMap((own): Row[] => {
    const [first] = own;
    if (first === undefined) return [];
    const { name, subject, unit } = first;
    const row = (label: string, share: number): Row => {
      const values = sizes.map((size) => {
        const values = own.filter(({ rooms }) => rooms === size).flatMap(({ values }) => values);
        return values.length === 0 ? undefined : quantile(values, share);
      });
      return { name, subject: label, unit, cells: values.map(figure), growth: growthOf(values) };
    };
    const areMany = unit === "ms" && own.some(({ values }) => values.length >= MANY);
    return [row(subject, 0.5), ...(areMany ? [row(`${subject}, p95`, 0.95)] : [])];
  });
  return { sizes, rows };
}

const HEAD = "median by rooms of the account, through the gateway; no verdict";

/** For a terminal. */
export function performanceText(measurements: readonly Measurement[]): string {
  const { sizes, rows } = performanceTable(measurements);
  const lines = [
    ["", "", "", ...sizes.map(String), "growth"],
    ...rows.map(({ name, subject, unit, cells, growth }) => [
      name,
      subject,
      unit,
      ...cells,
      growth,
    ]),
  ];
  const widths = [0, 1, 2, ...sizes.map((_, at) => at + 3), sizes.length + 3].map((column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  const aligned = lines.map((line) =>
    line
      .map((cell, at) => (at < 3 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  "),
  );
  return ["", `performance: ${HEAD}`, ...aligned.map((line) => `  ${line}`)].join("\n");
}

/** For `summary.md`. */
export function performanceMarkdown(measurements: readonly Measurement[]): string {
  const { sizes, rows } = performanceTable(measurements);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    "",
    "## Performance",
    "",
    `The ${HEAD}. Each value: perf.json. ![plot](perf.svg)`,
    "",
    line(["figure", "of", "unit", ...sizes.map(String), "growth"]),
    line(["---", "---", "---", ...sizes.map(() => "---:"), "---:"]),
    ...rows.map(({ name, subject, unit, cells, growth }) =>
      line([name, subject, unit, ...cells, growth]),
    ),
    "",
  ].join("\n");
}

function growthOf(values: readonly (number | undefined)[]): string {
  const [first, last] = [values[0], values.at(-1)];
  if (values.length < 2 || first === undefined || last === undefined || first === 0) return NOTHING;
  return `x${figure(last / first)}`;
}

export function figure(value: number | undefined): string {
  if (value === undefined) return NOTHING;
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}
