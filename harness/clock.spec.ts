import { expect, test } from "vitest";
import { clock } from "./clock.ts";

test("now is wall time, elapsed only grows", () => {
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1000);
  const before = clock.elapsed();
  expect(clock.elapsed()).toBeGreaterThanOrEqual(before);
  expect(before).toBeLessThan(clock.now());
});
