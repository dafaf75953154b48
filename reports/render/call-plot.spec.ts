import { expect, test } from "vitest";
import type { CallFigure } from "#harness/results/call-figures";
import { callFiguresMarkdown, callFiguresText, callPlot } from "./call-plot.ts";

const figure = (values: readonly number[], more: Partial<CallFigure> = {}): CallFigure => ({
  name: "join to first audio",
  subject: "RTC.media.plain, same homeserver",
  values,
  ...more,
});

test("each figure of each check is a panel, with a row a run and a dot a time", () => {
  const svg = callPlot([
    { run: "old", figures: [figure([100, 400]), figure([50], { name: "leave to silent" })] },
    { run: "new", figures: [figure([200, 800, 900])] },
  ]);
  const dots = [...svg.matchAll(/<circle cx="([\d.]+)%" cy="(\d+)"/g)].map(([, x, y]) => [
    Number(x),
    Number(y),
  ]);
  expect(dots).toHaveLength(6);
  const [first = [], second = [], third = []] = dots;
  expect(second[0]).toBeGreaterThan(first[0] ?? Number.NaN);
  // Both runs are on one axis: 200 is half way between 0 and 400.
  expect((third[0] ?? 0) - 2).toBeCloseTo(((second[0] ?? 0) - 2) / 2, 1);
  expect(third[1]).toBeGreaterThan(first[1] ?? Number.NaN);
  expect(svg.match(/class="median"/g)).toHaveLength(3);
  expect(svg).toContain("3 times, median 800");
});

test("nothing, zero and many runs are pictures too", () => {
  const many = Array.from({ length: 30 }, (_, at) => ({
    run: `run ${at}`,
    figures: [figure([0])],
  }));
  for (const runs of [[], many]) expect(callPlot(runs)).not.toMatch(/NaN|Infinity|undefined/);
  expect(callPlot(many)).toContain("10 runs are left out");
});

test("whatever others wrote is text", () => {
  const evil = "<script>`|\u202e\u001b[2J".concat("x".repeat(1_000_000));
  const runs = [{ run: evil, figures: [figure([1], { subject: evil })] }];
  const told = [callPlot(runs), callFiguresText(runs), callFiguresMarkdown(runs)];
  for (const text of told) {
    expect(text).not.toMatch(/\u202e|\u001b/);
    expect(text.length).toBeLessThan(10_000);
  }
  expect(told[0]).not.toContain("<script");
  // Within inline code, which nothing in it ends.
  expect(told[2]?.replace(/`[^`]*`/g, "")).not.toContain("<script");
});
