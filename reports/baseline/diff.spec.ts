import { expect, test } from "vitest";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { diffRuns, type Transition } from "./diff.ts";

function run(
  outcomes: Readonly<Record<string, Outcome>>,
  deployment = "a",
  topology = "two",
  requirements = "h",
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
      durationMs: 0,
    }),
  );
  const deployments = [{ name: deployment, topology, servers: [] }];
  return {
    path: "p",
    header: { kind: "run", harness: "0", requirements, seed: 1, deployments },
    results,
    evidence: [],
    isComplete: true,
  };
}

test.each<[Outcome | undefined, Outcome | undefined, Transition]>([
  ["pass", "fail", "regressed"],
  ["pass", "xfail", "regressed"],
  ["pass", "flaky", "regressed"],
  ["fail", "pass", "fixed"],
  ["xfail", "xpass", "fixed"],
  ["fail", "xfail", "unchanged"],
  ["pass", "xpass", "unchanged"],
  ["pass", "error", "changed"],
  ["fail", "skip", "changed"],
  ["fail", undefined, "gone"],
  [undefined, "fail", "new"],
  [undefined, "pass", "new"],
])("%s to %s is %s", (before, after, transition) => {
  const side = (outcome: Outcome | undefined) =>
    run({ "CS.z.z": "pass", ...(outcome === undefined ? {} : { "CS.a.b": outcome }) });
  const { changes } = diffRuns(side(before), side(after));
  expect(changes.find(({ requirement }) => requirement === "CS.a.b")?.transition).toBe(transition);
});

test("runs of one deployment each are compared whatever they are called", () => {
  const { counts } = diffRuns(
    run({ "CS.a.b": "pass" }, "synapse@1/process"),
    run({ "CS.a.b": "pass" }, "synapse@2/docker"),
  );
  expect(counts).toMatchObject({ unchanged: 1, new: 0, gone: 0 });
});

test("what can not be compared is refused, unless it is asked for", () => {
  const one = run({ "CS.a.b": "pass" }, "a", "one");
  const two = run({ "CS.a.b": "pass" });
  expect(() => diffRuns(one, two)).toThrow(/topologies differ/);
  expect(() => diffRuns(run({}, "a", "two", "other"), two)).toThrow(/requirement sets differ/);
  expect(diffRuns(one, two, { allowMismatch: true }).counts.unchanged).toBe(1);
});
