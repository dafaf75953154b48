import { expect, test } from "vitest";
import { missingText } from "./hints.ts";

test("tells what to do about what a user can do something about, and only then", () => {
  expect(missingText(["federation"])).toBe("federation");
  expect(missingText(["federation", "sfu"])).toBe("federation, sfu; see --sfu");
  expect(missingText(["media"])).toMatch(/^media; .*npm install --include=optional/);
});
