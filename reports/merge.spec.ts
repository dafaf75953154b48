import { expect, test } from "vitest";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { mergeRuns } from "./merge.ts";
import { summarise } from "./summarise.ts";

function run(
  path: string,
  deployment: string,
  outcomes: Readonly<Record<string, Outcome>>,
  more: Partial<StoredRun> = {},
): StoredRun {
  const results = Object.entries(outcomes).map(
    ([requirement, outcome]): CheckResult => ({
      kind: "check",
      deployment,
      suite: "core",
      requirement,
      level: "MUST",
      check: "c",
      outcome,
      durationMs: 1,
    }),
  );
  const evidence = results.map(({ requirement }) => ({
    deployment,
    requirement,
    check: "c",
    message: path,
    exchanges: [],
  }));
  return {
    path,
    header: undefined,
    results,
    evidence,
    pages: new Map(),
    isComplete: true,
    isStrict: false,
    troubles: [],
    ...more,
  };
}

function summaryOf(...runs: StoredRun[]) {
  return summarise({ ...mergeRuns(runs), requirements: new Map() });
}

test("shards of one run are one deployment", () => {
  const { deployments, levels } = summaryOf(
    run("1", "d", { "CS.a.a": "pass" }),
    run("2", "d", { "CS.a.b": "fail" }),
  );
  expect(deployments.map(({ name }) => name)).toEqual(["d"]);
  expect(levels).toEqual([{ level: "MUST", met: 1, exercised: 2, total: 2 }]);
});

test("two runs of the same checks are told apart, each with its own evidence and numbers", () => {
  const summary = summaryOf(
    run("1", "d", { "CS.a.a": "pass" }),
    run("2", "d", { "CS.a.a": "fail" }),
  );
  expect(summary.deployments.map(({ name, levels }) => [name, levels[0]?.met])).toEqual([
    ["d", 1],
    ["d (run 2)", 0],
  ]);
  expect(summary.levels).toEqual([{ level: "MUST", met: 1, exercised: 2, total: 2 }]);
  expect(summary.regressions.map(({ evidence }) => evidence?.message)).toEqual(["2"]);
});

test("trouble of one run is trouble of all, and says whose it is", () => {
  const { troubles, verdict, exitCode } = summaryOf(
    run("1", "d", { "CS.a.a": "pass" }),
    run("2", "e", {}, { troubles: ["hs1 did not start"] }),
  );
  expect(troubles).toEqual(["2: hs1 did not start"]);
  expect({ verdict, exitCode }).toEqual({ verdict: "error", exitCode: 3 });
});
