import { expect, test } from "vitest";
import { compareVersions, isInRange } from "./versions.ts";

test("orders numerically, candidates before their release", () => {
  const sorted = ["1.9.0", "1.163.0rc1", "1.163.0", "1.114.0", "1.163.2"].sort(compareVersions);
  expect(sorted).toEqual(["1.9.0", "1.114.0", "1.163.0rc1", "1.163.0", "1.163.2"]);
});

test.each([
  ["1.150.0", ">=1.150", true],
  ["1.149.9", ">=1.150", false],
  ["1.155.1", ">=1.150 <1.160", true],
  ["1.160.0", ">=1.150 <1.160", false],
  ["1.114.0", "1.114", true],
])("%s in %s is %s", (version, range, isIn) => {
  expect(isInRange(version, range)).toBe(isIn);
});
