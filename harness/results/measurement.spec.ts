import { expect, test } from "vitest";
import { quantile } from "./measurement.ts";

test("a quantile is one of the values", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(quantile(values, 0.5)).toBe(51);
  expect(quantile(values, 0.99)).toBe(100);
  expect(quantile([], 0.5)).toBeNaN();
});
