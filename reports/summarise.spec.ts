import { expect, test } from "vitest";
import type { CheckResult, Level, Outcome } from "#harness/results/outcome";
import { summarise } from "./summarise.ts";

function result(
  outcome: Outcome,
  level: Level = "MUST",
  requirement = "CS.a.b",
  check: string = outcome,
): CheckResult {
  return {
    kind: "check",
    deployment: "d",
    suite: "core",
    requirement,
    level,
    check,
    outcome,
    durationMs: 1,
  };
}

function verdictOf(results: readonly CheckResult[], strict = false) {
  const summary = summarise({
    path: "p",
    header: undefined,
    results,
    evidence: [],
    requirements: new Map(),
    strict,
  });
  return `${summary.verdict} ${summary.exitCode}`;
}

test.each<[string, CheckResult[], string, string]>([
  ["nothing", [], "nothing-ran 4", "nothing-ran 4"],
  ["only skips", [result("skip"), result("not-run")], "nothing-ran 4", "nothing-ran 4"],
  ["a pass", [result("pass")], "ok 0", "ok 0"],
  ["a missed MUST", [result("pass"), result("fail")], "failed 1", "failed 1"],
  ["a missed SHOULD", [result("fail", "SHOULD")], "ok 0", "failed 1"],
  ["a missed MAY", [result("fail", "MAY")], "ok 0", "ok 0"],
  ["an expected failure", [result("xfail")], "ok 0", "ok 0"],
  ["an unexpected pass", [result("xpass")], "ok 0", "failed 1"],
  ["a flaky check", [result("flaky")], "ok 0", "ok 0"],
  ["an error", [result("pass"), result("error")], "error 3", "error 3"],
  ["an error and a missed MUST", [result("error"), result("fail")], "failed 1", "failed 1"],
  ["an error alone", [result("error")], "error 3", "error 3"],
])("%s", (_, results, plain, strict) => {
  expect(verdictOf(results)).toBe(plain);
  expect(verdictOf(results, true)).toBe(strict);
});

test("what a client library misses is told, counted apart, and decides nothing about servers", () => {
  const ofClient = { ...result("fail", "MUST", "MSC4153.a"), party: "client" as const };
  const results = [result("pass"), ofClient];
  const summary = summarise({
    path: "p",
    header: undefined,
    results,
    evidence: [],
    requirements: new Map(),
    strict: true,
  });

  expect(summary).toMatchObject({
    verdict: "ok",
    regressions: [],
    nonStrict: [],
    clientFailures: [{ result: ofClient }],
    levels: [{ level: "MUST", met: 1, exercised: 1, total: 1 }],
    clientLevels: [{ level: "MUST", met: 0, exercised: 1, total: 1 }],
  });
});

test("a requirement with several checks takes the worst", () => {
  const results = [
    result("pass", "MUST", "CS.a.b", "one"),
    result("fail", "MUST", "CS.a.b", "two"),
    result("pass", "MUST", "CS.a.c"),
    result("skip", "MUST", "CS.a.d"),
    result("flaky", "SHOULD", "CS.a.e"),
  ];
  const { levels, counts } = summarise({
    path: "p",
    header: undefined,
    results,
    evidence: [],
    requirements: new Map(),
  });
  expect(levels).toEqual([
    { level: "MUST", met: 1, exercised: 2, total: 3 },
    { level: "SHOULD", met: 0, exercised: 1, total: 1 },
  ]);
  expect(counts).toMatchObject({ pass: 2, fail: 1, skip: 1, flaky: 1, error: 0 });
});

test("the order in which checks ended makes no difference", () => {
  const results = [
    result("fail", "MUST", "CS.b.b"),
    result("pass", "MUST", "CS.a.b"),
    result("fail", "MUST", "CS.a.b"),
    result("skip", "SHOULD", "CS.c.c"),
  ];
  const of = (ordered: readonly CheckResult[]) =>
    summarise({
      path: "p",
      header: undefined,
      results: ordered,
      evidence: [],
      requirements: new Map(),
    });
  expect(of(results)).toEqual(of(results.toReversed()));
});
