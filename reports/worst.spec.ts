import { expect, test } from "vitest";
import { worstOf } from "./worst.ts";

test("a failure outweighs everything, and what did not apply nothing", () => {
  expect(worstOf(["pass", "fail", "error"])).toBe("fail");
  expect(worstOf(["pass", "xfail"])).toBe("xfail");
  expect(worstOf(["skip", "pass", "not-run"])).toBe("pass");
  expect(worstOf([])).toBeUndefined();
});
