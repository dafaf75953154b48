import { expect, test } from "vitest";
import type { CheckerVerdict, Finding } from "#chaos/journal/record";
import { Tally } from "./report.ts";
import type { Story } from "./storyteller.ts";

function storyWith(...verdicts: readonly CheckerVerdict[]): Story {
  const recovery = { mode: "nudged" as const, fromHealMs: 500 };
  return {
    plan: { steps: [] },
    told: { epochs: [{ number: 1, verdicts, recovery }], faults: [], skipped: [] },
    records: [],
  } as unknown as Story;
}

test("of many findings those that decide are told first", () => {
  const reported = Array.from(
    { length: 20 },
    (_, n): Finding => ({ outcome: "reported", what: `${n}` }),
  );
  const fail: Finding = { outcome: "fail", what: "it was lost" };
  const tally = new Tally();
  tally.add(
    storyWith({
      checker: "all-readable",
      outcome: "fail",
      looked: 21,
      findings: [...reported, fail],
    }),
  );

  const [summary] = tally.summary().checkers;
  expect(summary?.findings).toHaveLength(10);
  expect(summary?.findings[0]).toEqual(fail);
});
