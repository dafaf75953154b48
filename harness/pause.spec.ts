import { expect, test } from "vitest";
import { pauseMs } from "./pause.ts";

test("pauses grow with what has been waited, between two bounds", () => {
  expect([0, 400, 2_000, 4_000, 60_000].map((waited) => pauseMs(waited, 20, 1 / 20))).toEqual([
    20, 20, 100, 200, 200,
  ]);
});
