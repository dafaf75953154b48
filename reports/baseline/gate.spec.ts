import { describe, expect, test } from "vitest";
import type { Requirement } from "#harness/requirements/requirement";
import { type CheckResult, IN_ALL_ANSWERS, type Outcome } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { gateData, gateMarkdown, renderGate } from "#reports/render/gate";
import { gate } from "./gate.ts";

const DEPLOYMENT = "synapse@1.164.0/one/sqlite";
const QUIET = { disclose: false };

function requirement(id: string, sensitive = false): Requirement {
  const texts = { source: "spec §1", statement: `rule of ${id}`, check: "c" };
  return { id, suite: "core", level: "MUST", basis: "text", needs: [], sensitive, ...texts };
}

type Outcomes = Readonly<Record<string, Outcome>>;

function run(outcomes: Outcomes, more: Partial<StoredRun> = {}, name = DEPLOYMENT): StoredRun {
  const results = Object.entries(outcomes).map(
    ([id, outcome]): CheckResult => ({
      kind: "check",
      deployment: name,
      suite: "core",
      requirement: id,
      level: "MUST",
      check: "the server does",
      outcome,
      durationMs: 1,
      ...(outcome === "pass" ? {} : { reason: `${id} is ${outcome}` }),
    }),
  );
  const [implementation = "", version = ""] = name.split("/")[0]?.split("@") ?? [];
  const servers = [{ role: "hs1", implementation, version, driver: "process:synapse" }];
  return {
    path: "run",
    header: {
      kind: "run",
      harness: "0",
      requirements: "h1",
      seed: 1,
      deployments: [{ name, topology: "one", servers }],
    },
    results,
    evidence: [],
    pages: new Map(),
    isComplete: true,
    isStrict: false,
    troubles: [],
    ...more,
  };
}

const IDS = ["CS.a.regressed", "CS.a.fixed", "CS.a.new", "CS.a.flaky", "CS.a.error", "CS.a.known"];
const REQUIREMENTS = new Map(IDS.map((id) => [id, requirement(id)]));

const BASE = run(
  {
    "CS.a.regressed": "pass",
    "CS.a.fixed": "fail",
    "CS.a.flaky": "pass",
    "CS.a.error": "pass",
    "CS.a.known": "fail",
  },
  { path: "base.jsonl" },
  "synapse@1.163.2/one/sqlite",
);
const AFTER: Outcomes = {
  "CS.a.regressed": "fail",
  "CS.a.fixed": "pass",
  "CS.a.new": "fail",
  "CS.a.flaky": "flaky",
  "CS.a.error": "error",
  "CS.a.known": "fail",
};

function gateOf(after: StoredRun | readonly StoredRun[], more = {}, before = BASE) {
  const runs = [after].flat();
  return gate({ baselines: [before], runs, requirements: REQUIREMENTS, ...more });
}

function without(...ids: string[]): StoredRun {
  return run(Object.fromEntries(Object.entries(AFTER).filter(([id]) => !ids.includes(id))));
}

describe("one regression, one fix, one new requirement, one flaky and one error", () => {
  const other = run(AFTER);
  const header = other.header && { ...other.header, requirements: "h2" };
  const judged = gateOf({ ...other, header });

  test("fail by the regression, and tell each of the others as what it is", () => {
    const changes = (items: typeof judged.regressions) =>
      items.map(({ change }) => [change.requirement, change.before, change.after]);
    expect({ verdict: judged.verdict, exitCode: judged.exitCode }).toEqual({
      verdict: "failed",
      exitCode: 1,
    });
    expect(changes(judged.regressions)).toEqual([["CS.a.regressed", "pass", "fail"]]);
    expect(changes(judged.fixed)).toEqual([["CS.a.fixed", "fail", "pass"]]);
    expect(changes(judged.fresh)).toEqual([["CS.a.new", undefined, "fail"]]);
    expect(changes(judged.flaky)).toEqual([["CS.a.flaky", "pass", "flaky"]]);
    expect(judged.summary.errors.map(({ result }) => result.requirement)).toEqual(["CS.a.error"]);
    expect([judged.lost, judged.worse, judged.otherwise]).toEqual([[], [], []]);
  });

  test("on the console", () => {
    expect(renderGate(judged, { ...QUIET, colour: false })).toBe(`\
synapse@1.163.2/one/sqlite -> synapse@1.164.0/one/sqlite
note: the requirement sets differ (h1 and h2): what only one has is new or gone

regressions

  CS.a.regressed  MUST  spec §1
    rule      rule of CS.a.regressed
    check     the server does
    reason    CS.a.regressed is fail
    more      npm run -s crucible -- explain CS.a.regressed; the exchanges are in run/trace
    was       pass

flaky: comes and goes, no verdict
  CS.a.flaky  MUST  pass → flaky  CS.a.flaky is flaky

fixed
  CS.a.fixed  MUST  fail → pass

new: no verdict in the baseline
  CS.a.new  MUST  absent → fail  CS.a.new is fail

errors: trouble of ours or of the machine, no verdict
  CS.a.error  MUST  CS.a.error is error

1 regressed, 1 flaky, 1 fixed, 1 new, 0 gone, 1 changed, 0 changed-reason, 1 unchanged; of the run: 1 pass, 3 fail, 1 error, 1 flaky
gate: failed: 1 regression, 1 of our own trouble or the machine's, 1 flaky
`);
  });

  test("in Markdown and as JSON", () => {
    const markdown = gateMarkdown(judged, QUIET);
    expect(markdown.split("\n")[0]).toBe(
      "# Crucible: failed: 1 regression, 1 of our own trouble or the machine's, 1 flaky",
    );
    for (const title of ["## Regressions", "## Errors", "Flaky: comes and goes", "Fixed (1)"])
      expect(markdown).toContain(title);
    const only = (id: string) => [expect.objectContaining({ requirement: id })];
    expect(gateData(judged, QUIET)).toMatchObject({
      verdict: "failed",
      exitCode: 1,
      regressions: only("CS.a.regressed"),
      fixed: only("CS.a.fixed"),
      new: only("CS.a.new"),
      flaky: only("CS.a.flaky"),
      errors: only("CS.a.error"),
      lost: [],
    });
  });

  test.each([
    ["trouble alone", without("CS.a.regressed"), {}, "error", 3],
    ["neither", without("CS.a.regressed", "CS.a.error"), {}, "ok", 0],
    ["what is flaky, when strict", without("CS.a.error"), { strict: true }, "failed", 1],
    ["nothing that ran", run({ "CS.a.known": "skip" }), {}, "nothing-ran", 4],
    ["no check at all", run({}), {}, "nothing-ran", 4],
    ["a run that was killed", { ...BASE, troubles: ["killed"] }, {}, "error", 3],
  ] as const)("end as they should with %s", (_, after, more, verdict, exitCode) => {
    expect(gateOf(after, more)).toMatchObject({ verdict, exitCode });
  });
});

test("what lost its verdict is told, and fails when strict", () => {
  const after = run({ "CS.a.known": "fail", "CS.a.regressed": "skip", "CS.a.flaky": "not-run" });
  const { verdict, lost } = gateOf(after);
  expect(lost.map(({ change }) => [change.requirement, change.after])).toEqual([
    ["CS.a.error", undefined],
    ["CS.a.fixed", undefined],
    ["CS.a.flaky", "not-run"],
    ["CS.a.regressed", "skip"],
  ]);
  expect(verdict).toBe("ok");
  expect(gateOf(after, { strict: true })).toMatchObject({ verdict: "failed", exitCode: 1 });
});

test("a baseline that says nothing, or is of something else, is refused", () => {
  const known = run({ "CS.a.known": "fail" });
  const against = (before: StoredRun) => () => gateOf(known, {}, before);
  expect(against({ ...BASE, results: [] })).toThrow(/the baseline base.jsonl has no check/);
  expect(against(run({ "CS.a.known": "error" }))).toThrow(/has no verdict[\s\S]*update-baseline/);
  expect(against(run({ "CS.b.other": "pass" }))).toThrow(/no check in common/);
  const foreign = run({ "CS.a.known": "pass" }, {}, "dendrite@0.14/one/sqlite");
  expect(against(foreign)).toThrow(/of dendrite, the run of synapse[\s\S]*--allow-mismatch/);
  expect(against({ ...BASE, header: undefined })).toThrow(/does not say what was run/);
});

describe("shards", () => {
  const [all] = [Object.entries(AFTER)];
  const shards = [1, 2].map((index) =>
    run(Object.fromEntries(all.filter((_, at) => at % 2 === index - 1)), {
      path: `shard-${index}`,
      shard: { index, count: 2 },
    }),
  );

  test("together are the run", () => {
    const whole = gateOf(run(AFTER));
    const parts = gateOf(shards);
    expect(parts.diff.counts).toEqual(whole.diff.counts);
    expect(parts.summary.levels).toEqual(whole.summary.levels);
    expect(parts.exitCode).toBe(whole.exitCode);
  });

  test("what several saw broken is one failure", () => {
    const [one, two] = shards.map((shard) => {
      const [first] = shard.results;
      const seen = first && { ...first, outcome: "fail" as const, check: IN_ALL_ANSWERS };
      return {
        ...shard,
        results: [...shard.results, ...(seen ? [{ ...seen, requirement: "CS.a.known" }] : [])],
      };
    });
    if (one === undefined || two === undefined) throw new TypeError("two shards");
    const { summary } = gateOf([one, two]);
    expect(summary.deployments.map(({ name }) => name)).toEqual([DEPLOYMENT]);
    expect(summary.counts.fail).toBe(4);
  });

  test("that lack one are no whole run", () => {
    const { verdict, summary } = gateOf(shards.slice(1));
    expect(summary.troubles).toEqual(["shard 1/2 is missing: name its run too"]);
    expect(verdict).toBe("error");
  });
});

test("servers that did not start are trouble, not a wrong comparison", () => {
  const dead = { ...run({ "CS.a.known": "error" }), header: undefined, troubles: ["no start"] };
  expect(gateOf(dead)).toMatchObject({ verdict: "error", exitCode: 3, regressions: [] });
});
