import { expect, test } from "vitest";
import { idle, requireBreakable } from "./mutants.ts";

test("a gateway that loses one of 200 has proven nothing where fewer were sent", () => {
  expect(idle("lose-to-device", { count: 199 })).toContain("lost nothing: 199 messages");
  expect(idle("lose-to-device", { count: 200 })).toBeUndefined();
  expect(idle("hide-ban", { count: 0 })).toBeUndefined();
  expect(idle(undefined, { count: 0 })).toBeUndefined();
});

test("what breaks auth services needs some", () => {
  expect(() => requireBreakable("keep-device", false)).toThrow("no server has an auth service");
  expect(() => requireBreakable("keep-device", true)).not.toThrow();
  expect(() => requireBreakable("hide-ban", false)).not.toThrow();
});
