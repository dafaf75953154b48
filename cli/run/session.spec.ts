import { expect, test } from "vitest";
import type { Requirement } from "#harness/requirements/requirement";
import { IN_ALL_ANSWERS } from "#harness/results/outcome";
import type { CheckReport, RecordChoice } from "#harness/world/run-info";
import type { Selected } from "./select.ts";
import { Verdicts } from "./session.ts";

const requirement = (id: string, more: Partial<Requirement> = {}) =>
  ({ id, suite: "x", level: "MUST", needs: [], ...more }) as unknown as Requirement;

function verdicts(record: RecordChoice, ...requirements: readonly Requirement[]): Verdicts {
  const plan = { requirements, checks: [], topology: { name: "one" } };
  return new Verdicts({ plan, servers: new Map() } as unknown as Selected, 1, record);
}

function report(id: string, title: string, broken: readonly string[]): CheckReport {
  return {
    requirement: id,
    title,
    repetition: 1,
    outcome: "pass",
    durationMs: 1,
    exchanges: [],
    notes: [],
    violations: broken.map((requirement) => ({ requirement, message: `seen in ${title}` })),
  };
}

test("a rule that other checks saw broken fails once, whichever of them ended first", () => {
  const reports = [report("A.a.a", "one", ["B.b.b"]), report("A.a.a", "two", ["B.b.b", "B.b.b"])];
  for (const order of [reports, reports.toReversed()]) {
    const all = verdicts("none", requirement("A.a.a"), requirement("B.b.b"));
    for (const each of order) all.add(each, 1);
    const [first, ...others] = all.violations();
    expect(others).toEqual([]);
    expect(first?.result).toMatchObject({
      requirement: "B.b.b",
      check: IN_ALL_ANSWERS,
      outcome: "fail",
      reason: "seen in one (seen by A.a.a one)",
    });
  }
});

test("of a sensitive rule only the evidence tells more", () => {
  const all = verdicts("none", requirement("A.a.a"), requirement("B.b.b", { sensitive: true }));
  all.add(report("A.a.a", "one", ["B.b.b"]), 1);
  const [only] = all.violations();
  expect(only?.result.reason).toContain("withheld");
  expect(only?.evidence.message).toContain("seen in one");
});

test("a rule that is not part of the run has no result", () => {
  const all = verdicts("none", requirement("A.a.a"));
  all.add(report("A.a.a", "one", ["B.b.b"]), 1);
  expect(all.violations()).toEqual([]);
});

test("a check about calls keeps what its picture is made of, also when it passes", () => {
  const call = { check: "A.a.a.1" } as unknown as NonNullable<CheckReport["call"]>;
  const all = verdicts("none", requirement("A.a.a", { suite: "msc4143" }), requirement("B.b.b"));
  const [ofCall, other] = ["A.a.a", "B.b.b"].map(
    (id) => all.add({ ...report(id, "one", []), call }, 1).evidence,
  );
  expect(ofCall?.call).toBe(call);
  expect(other).toBeUndefined();
});

test("pictures are made of failures, or of all checks about calls", () => {
  const call = { check: "A.a.a.1" } as unknown as NonNullable<CheckReport["call"]>;
  const pictures = (record: "failures" | "all" | "none") => {
    const all = verdicts(record, requirement("A.a.a", { suite: "msc4143" }), requirement("B.b.b"));
    const outcomes = ["pass", "fail", "error", "skip"] as const;
    return ["A.a.a", "B.b.b"].flatMap((id) =>
      outcomes.map(
        (outcome) => all.add({ ...report(id, outcome, []), outcome, call }, 1).evidence?.picture,
      ),
    );
  };
  const [one, two, three] = [1, 2, 3].map((number) => `replay/A.a.a-${number}.call.svg`);
  const others = [undefined, undefined, undefined, undefined];
  expect(pictures("failures")).toEqual([undefined, one, two, undefined, ...others]);
  expect(pictures("all")).toEqual([one, two, three, undefined, ...others]);
  expect(pictures("none")).toEqual([undefined, undefined, undefined, undefined, ...others]);
});
