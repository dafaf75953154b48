import { expect, test } from "vitest";
import { type Figure, figureData, figureLine } from "./figure.ts";

const FIGURE: Figure = {
  name: "start to first verdict",
  value: 4.5,
  unit: "s",
  peer: { name: "bare start", value: 2 },
};

test("a figure stands beside its peer, with the ratio", () => {
  expect(figureLine(FIGURE)).toMatch(
    /^start to first verdict +4\.500 s +bare start: 2\.000 s {2}ratio 2\.25$/,
  );
  expect(figureData(FIGURE)).toMatchObject({ value: 4.5, ratio: 2.25 });
  expect(figureData({ name: "checks", value: 3, unit: "1/s" })).not.toHaveProperty("ratio");
});
