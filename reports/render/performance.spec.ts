import { expect, test } from "vitest";
import type { Measurement } from "#harness/results/measurement";
import { performanceMarkdown, performanceText } from "./performance.ts";

const figure = (subject: string, rooms: number, values: readonly number[]): Measurement => ({
  name: "M1 first list",
  subject,
  rooms,
  unit: "ms",
  values,
});

const measurements = [
  figure("sliding sync", 20, [30, 10, 20]),
  figure("sliding sync", 200, [40]),
  figure("/v3/sync", 20, [50]),
];

test("a row has the medians of a series by size, and how they grow", () => {
  const [header, v3, sliding] = performanceText(measurements).trim().split("\n").slice(1);

  expect(header?.trim().split(/ +/)).toEqual(["20", "200", "growth"]);
  expect(v3?.trim().split(/ {2,}/)).toEqual(["M1 first list", "/v3/sync", "ms", "50.0", "-", "-"]);
  expect(sliding?.trim().split(/ {2,}/).slice(3)).toEqual(["20.0", "40.0", "x2.00"]);
});

test("many samples also have a slow end", () => {
  const values = Array.from({ length: 20 }, (_, at) => at + 1);

  expect(performanceMarkdown([figure("sliding sync", 20, values)])).toContain(
    "| M1 first list | sliding sync, p95 | ms | 20.0 | - |",
  );
});
