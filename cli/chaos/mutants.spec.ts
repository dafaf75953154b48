import { expect, test } from "vitest";
import { idle } from "./mutants.ts";

test("a gateway that loses one of 200 has proven nothing where fewer were sent", () => {
  expect(idle("lose-to-device", { count: 199 })).toContain("lost nothing: 199 messages");
  expect(idle("lose-to-device", { count: 200 })).toBeUndefined();
  expect(idle("hide-ban", { count: 0 })).toBeUndefined();
  expect(idle(undefined, { count: 0 })).toBeUndefined();
});
