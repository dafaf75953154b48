import { expect, test } from "vitest";
import type { Measurement } from "#harness/results/measurement";
import { performanceSvg } from "./performance-plot.ts";

const figure = (subject: string, rooms: number, values: readonly number[]): Measurement => ({
  name: "M1 first list",
  subject,
  rooms,
  unit: "ms",
  values,
});

test("each subject is a line through its medians, the larger the higher", () => {
  const svg = performanceSvg(
    [
      figure("sliding sync", 20, [10, 20, 900]),
      figure("sliding sync", 200, [40]),
      figure("/v3/sync", 20, [50]),
    ],
    "a <server>",
  );

  const [old, sliding] = [...svg.matchAll(/points="([^"]*)"/g)].map(([, points = ""]) =>
    points.split(" ").map((point) => point.split(",").map(Number)),
  );
  expect(old).toHaveLength(1);
  const [small = [], large = []] = sliding ?? [];
  expect(small[0]).toBeLessThan(large[0] ?? Number.NaN);
  expect(small[1]).toBeGreaterThan(large[1] ?? Number.NaN);
  expect(svg).toContain("a &#60;server&#62;");
});

test("values that are all the same, and zero, are still numbers on the page", () => {
  const svg = performanceSvg([figure("a", 20, [5]), figure("b", 20, [0])], "");

  expect(svg).not.toMatch(/NaN|Infinity/);
});
