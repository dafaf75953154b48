import { describe, expect, test } from "vitest";
import type { Requirement } from "#harness/requirements/requirement";
import { keyOf, type MutatedCheck, mergeMutants } from "#harness/results/mutants-run";
import { type CheckResult, IN_ALL_ANSWERS, type Outcome } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { auditData, auditMarkdown, renderAudit } from "#reports/render/audit";
import { audit } from "./audit.ts";

const requirement = (id: string, sensitive = false) =>
  [id, { id, suite: "core", sensitive } as Requirement] as const;
const REQUIREMENTS = new Map([requirement("CS.a"), requirement("CS.b"), requirement("CS.c", true)]);

function result(requirement: string, outcome: Outcome, more: Partial<CheckResult> = {}) {
  const common = { kind: "check", deployment: "hs@1/one", suite: "core", level: "MUST" } as const;
  return { ...common, requirement, check: "the server does", outcome, durationMs: 10, ...more };
}

function run(path: string, results: readonly CheckResult[], troubles: readonly string[] = []) {
  const rest = { evidence: [], pages: new Map(), isComplete: true, isStrict: false };
  return { path, header: undefined, results, troubles, ...rest } satisfies StoredRun;
}

/** Runs of one check, with these outcomes. */
const runsOf = (...outcomes: readonly Outcome[]) =>
  outcomes.map((outcome, index) => run(`r${index}`, [result("CS.a", outcome)]));

const audited = (runs: readonly StoredRun[], mutants?: readonly MutatedCheck[]) =>
  audit({ runs, requirements: REQUIREMENTS, mutants: mutants && mergeMutants([mutants]) });

function mutated(requirement: string, ...verdicts: MutatedCheck["mutants"][number]["verdict"][]) {
  const mutants = verdicts.map((verdict) => ({ name: `is ${verdict}`, verdict }));
  return { requirement, check: "the server does", mutants, isSkipped: false };
}

describe("a verdict is stable", () => {
  test.each<readonly [readonly Outcome[], string, number]>([
    [["pass", "pass"], "stable", 0],
    [["fail", "fail"], "stable", 0],
    [["pass", "fail", "pass"], "unstable", 1],
    [["pass", "skip"], "unstable", 1],
    [["xfail", "xpass"], "unstable", 1],
    [["flaky", "flaky"], "unstable", 1],
    [["pass", "error", "pass"], "stable", 3],
    [["pass", "error", "fail"], "unstable", 1],
    [["error", "error"], "none", 3],
    [["skip", "skip"], "skipped", 4],
    [["pass"], "once", 4],
    [["pass", "not-run", "pass"], "stable", 3],
  ])("%j: %s", (outcomes, stability, exitCode) => {
    const { checks, exitCode: code } = audited(runsOf(...outcomes));

    expect(checks).toMatchObject([{ stability }]);
    expect(code).toBe(exitCode);
  });

  test("also of one run that repeats its checks", () => {
    const repeated = (number: number, outcome: Outcome) =>
      result("CS.a", outcome, { check: `the server does (${number})` });
    const { unstable } = audited([run("r", [repeated(1, "pass"), repeated(2, "fail")])]);

    expect(unstable).toMatchObject([{ check: "the server does", verdicts: [{}, {}] }]);
  });

  test("but not of a rule that only some runs saw broken", () => {
    const rule = result("CS.b", "fail", { check: IN_ALL_ANSWERS });
    const runs = [run("r0", [result("CS.a", "pass"), rule]), run("r1", [result("CS.a", "pass")])];

    expect(audited(runs).unstable).toMatchObject([
      { requirement: "CS.b", verdicts: [{ outcome: "fail" }, { outcome: "pass", runs: ["r1"] }] },
    ]);
  });

  test("nor of one that a run could not see broken, which tried less", () => {
    const rule = result("CS.b", "fail", { check: IN_ALL_ANSWERS });
    const all = [result("CS.a", "pass"), result("CS.c", "pass")];
    const runs = [run("r0", [...all, rule]), run("r1", [result("CS.a", "pass")])];

    expect(audited(runs).unstable).toEqual([]);
  });

  test("and not of one that no run was whole enough to see kept", () => {
    const rule = result("CS.b", "fail", { check: IN_ALL_ANSWERS });
    const killed = { ...run("r1", [result("CS.a", "pass")]), troubles: ["it was killed"] };

    expect(audited([run("r0", [result("CS.a", "pass"), rule]), killed]).unstable).toEqual([]);
  });

  test("and runs that had trouble are told, as errors", () => {
    const [first, second] = runsOf("pass", "pass");
    const runs = [first, { ...second, troubles: ["it was killed"] }] as StoredRun[];

    expect(audited(runs)).toMatchObject({ exitCode: 3, troubles: ["r1: it was killed"] });
  });

  test("each deployment for itself", () => {
    const other = result("CS.a", "fail", { deployment: "hs@2/one" });
    const runs = [0, 1].map((index) => run(`r${index}`, [result("CS.a", "pass"), other]));

    expect(audited(runs)).toMatchObject({ exitCode: 0, checks: [{}, {}] });
  });
});

test("times are those of verdicts: an error has waited for its deadline", () => {
  const timed = (outcome: Outcome, durationMs: number) => result("CS.a", outcome, { durationMs });
  const runs = [
    timed("pass", 10),
    timed("pass", 30),
    timed("pass", 20),
    timed("error", 60_000),
  ].map((one, index) => run(`r${index}`, [one]));

  expect(audited(runs).slowest).toMatchObject([{ medianMs: 20, maxMs: 30 }]);
});

describe("a check is proven able to fail", () => {
  const runs = [0, 1].map((index) =>
    run(
      `r${index}`,
      ["CS.a", "CS.b"].map((id) => result(id, "pass")),
    ),
  );

  test.each<readonly [string, readonly MutatedCheck[], readonly (readonly [string, string])[]]>([
    ["by one mutant of several", [mutated("CS.a", "survived", "killed")], []],
    ["by a server that breaks the rule itself", [mutated("CS.a", "moot")], []],
    ["not by one that lives", [mutated("CS.a", "survived")], [["CS.a", "survived: is survived"]]],
    ["not without one", [mutated("CS.a")], [["CS.a", "it has no mutant"]]],
    [
      "not where it was skipped",
      [{ ...mutated("CS.a"), isSkipped: true }],
      [["CS.a", "the runs of mutants skipped it"]],
    ],
    ["not where it was not tried", [], [["CS.a", "the runs of mutants do not have it"]]],
  ])("%s", (_, mutants, expected) => {
    const { unproven = [] } = audited(runs, [...mutants, mutated("CS.b", "killed")]);

    expect(unproven.map(({ requirement, why }) => [requirement, why])).toEqual(expected);
  });

  test("or nobody looked", () => {
    const found = audited(runs);

    expect(found.unproven).toBeUndefined();
    expect(renderAudit(found, { colour: false })).toContain("was not looked at");
  });

  test("and the best of several runs of mutants counts", () => {
    const both = mergeMutants([
      [mutated("CS.a", "survived")],
      [mutated("CS.a", "survived", "killed")],
    ]);

    expect(both.get(keyOf(mutated("CS.a")))?.mutants.map(({ verdict }) => verdict)).toEqual([
      "survived",
      "killed",
    ]);
  });
});

test("the table has a row a suite, with checks and mutants, and their sum", () => {
  const runs = [0, 1].map((index) =>
    run(`r${index}`, [result("CS.a", "pass"), result("X.a", "fail", { suite: "x" })]),
  );
  const { table } = audited(runs, [
    mutated("CS.a", "killed", "survived", "error"),
    mutated("CS.b", "moot", "not-fired"),
  ]);

  const core = { suite: "core", checks: 1, stable: 1, unstable: 0, fewest: 2 };
  expect(table).toMatchObject([
    { ...core, proof: { killed: 1, moot: 1, alive: 2, undecided: 1, unproven: 0 } },
    { suite: "x", checks: 1, proof: { killed: 0, moot: 0, alive: 0, unproven: 1 } },
    {
      suite: "all",
      checks: 2,
      stable: 2,
      proof: { killed: 1, moot: 1, alive: 2, undecided: 1, unproven: 1 },
    },
  ]);
});

describe("however it is told", () => {
  const all = (runs: readonly StoredRun[]) => {
    const found = audited(runs, [mutated("CS.a", "killed")]);
    const json = JSON.stringify(auditData(found));
    return [renderAudit(found, { colour: false }), auditMarkdown(found), json];
  };

  test("an unstable check is told with its outcomes, and how often they came", () => {
    const [text, markdown, json] = all(runsOf("pass", "fail", "pass"));

    expect(text).toMatch(/CS\.a {2}the server does\n.*pass 2×, fail 1×; the rarest in: r1/);
    expect(text).toContain("audit: unstable: 1 of 1 checks unstable");
    expect(markdown).toContain("| `CS.a` | `the server does` | `pass 2×, fail 1×` | `r1` |");
    expect(markdown).toContain("| `core` | 1 | 0 | 1 |");
    expect(JSON.parse(json ?? "")).toMatchObject({
      exitCode: 1,
      checks: [
        {
          verdicts: [
            { outcome: "pass", count: 2 },
            { outcome: "fail", count: 1 },
          ],
        },
      ],
    });
  });

  test("what a sensitive check saw is not, and others' text does no harm", () => {
    const SECRET = "what-a-stranger-could-read";
    const hostile = "\u001b[31m<script>|\n# head\u202e";
    const runs = (["pass", "fail", "error"] as const).map((outcome) =>
      run(`${hostile}${outcome}`, [
        result("CS.c", outcome, { reason: SECRET }),
        result("CS.a", outcome, { reason: hostile, deployment: hostile, suite: hostile }),
      ]),
    );

    for (const text of all(runs)) {
      expect(text).not.toContain(SECRET);
      expect(text).not.toMatch(/[\u001b\u202e]|^# head/m);
    }
    const [, markdown] = all(runs);
    expect(markdown?.replace(/`+[^`\n]*`+/g, "")).not.toContain("<script>");
  });
});
