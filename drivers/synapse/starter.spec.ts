import { expect, test } from "vitest";
import { argumentsOf, hasWrongTime } from "./starter.ts";

test("sets the clocks of all servers but the first, and says how far", () => {
  const asEver = argumentsOf("hs1", []);
  expect(asEver).toHaveLength(2);
  expect(argumentsOf("hs1", ["clock-ahead"])).toEqual(asEver);
  expect(argumentsOf("hs2", ["rate-limits"])).toEqual(asEver);
  expect(argumentsOf("hs2", ["clock-ahead"]).at(-1)).toBe("30");
  expect(argumentsOf("hs3", ["clock-behind"]).at(-1)).toBe("-30");
  expect(["hs1", "hs2"].map((role) => hasWrongTime(role, ["clock-ahead"]))).toEqual([false, true]);
});
