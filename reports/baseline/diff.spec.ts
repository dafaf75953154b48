import { expect, test } from "vitest";
import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { renderDiff } from "#reports/render/diff";
import { baselineText } from "./baseline.ts";
import { diffRuns as diffOf, type Transition } from "./diff.ts";
import { familyOf } from "./family.ts";

const REQUIREMENTS = new Map(
  ["CS.a.a", "CS.a.b", "CS.a.c", "CS.z.z"].map((id) => [id, requirementOf(id)]),
);

function requirementOf(id: string, sensitive = false): Requirement {
  const texts = { source: "s", statement: "s", check: "c" };
  return { id, suite: "core", level: "MUST", basis: "text", needs: [], sensitive, ...texts };
}

function diffRuns(before: StoredRun, after: StoredRun, more = {}) {
  return diffOf(before, after, { requirements: REQUIREMENTS, ...more });
}

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
    pages: new Map(),
    isComplete: true,
    isStrict: false,
    troubles: [],
  };
}

test.each<[Outcome | undefined, Outcome | undefined, Transition]>([
  ["pass", "fail", "regressed"],
  ["pass", "xfail", "regressed"],
  ["pass", "flaky", "flaky"],
  ["xfail", "flaky", "flaky"],
  ["flaky", "fail", "regressed"],
  ["flaky", "pass", "changed"],
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

/** Two runs with one failing check each. */
function failing(before: string, after: string, outcome: Outcome = "fail") {
  const [left, right] = [before, after].map((reason) => {
    const { results, ...rest } = run({ "CS.a.b": outcome });
    return { ...rest, results: results.map((result) => ({ ...result, reason })) };
  });
  if (left === undefined || right === undefined) throw new TypeError("two sides");
  return [left, right] as const;
}

test("a failure of another kind is a changed reason, one with other drawn names is not", () => {
  const [before, after] = failing("expected 404, got 500", "expected 404, got 403 M_FORBIDDEN");
  const diff = diffRuns(before, after);
  expect(diff.counts).toMatchObject({ "changed-reason": 1, regressed: 0 });
  expect(renderDiff(diff)).toContain("before: expected 404, got 500");
  const drawn = failing(
    "expected @alice-6fxyqs2a:hs1:8448 in !d7iCOqC_V952C3RU8N8MdIOjePwtrIKdI2qnELJMJaQ after 1203 ms",
    "expected @alice-wruxxxea:hs1:8448 in !FEZWBoHtHcbhrfFmRE:hs1:8448 after 17 ms",
  );
  expect(diffRuns(...drawn).counts).toMatchObject({ unchanged: 1 });
});

test("an expected failure is compared by how it failed, which the evidence has", () => {
  const [before, after] = failing("known", "known", "xfail");
  const seen = (message: string) => [
    { deployment: "a", requirement: "CS.a.b", check: "c", message, exchanges: [] },
  ];
  expect(diffRuns(before, after).counts.unchanged).toBe(1);
  const differing = diffRuns(
    { ...before, evidence: seen("got 500") },
    { ...after, evidence: seen("got 403") },
  );
  expect(differing.counts["changed-reason"]).toBe(1);
  expect(renderDiff(differing)).not.toContain("got 403");
});

test("a check that was only retitled keeps its history", () => {
  const after = run({ "CS.a.b": "fail" });
  const retitled = { ...after, results: after.results.map((item) => ({ ...item, check: "new" })) };
  expect(diffRuns(run({ "CS.a.b": "pass" }), retitled).counts).toMatchObject({
    regressed: 1,
    new: 0,
    gone: 0,
  });
});

test("the worst comes first, and both sides are named", () => {
  const before = run({ "CS.a.a": "fail", "CS.z.z": "pass" }, "synapse@1.114.0/one/sqlite");
  const after = run({ "CS.a.a": "pass", "CS.z.z": "fail" }, "synapse@1.163.2/one/sqlite");
  const [head, first] = renderDiff(diffRuns(before, after)).split("\n");
  expect(head).toBe("synapse@1.114.0/one/sqlite -> synapse@1.163.2/one/sqlite");
  expect(first).toMatch(/^regressed +MUST +CS\.z\.z +pass -> fail/);
});

test("a baseline has reasons of failures without what is drawn, and no others", () => {
  const [{ header, results }] = failing("got 500 for @alice-6fxyqs2a:hs1:8448", "");
  if (header === undefined) throw new TypeError("the run has a header");
  const text = baselineText(
    header,
    [
      ...results,
      ...run({ "CS.a.c": "error" }).results.map((item) => ({ ...item, reason: "secret" })),
      ...run({ "CS.of.another": "fail" }).results.map((item) => ({ ...item, reason: "secret" })),
    ],
    REQUIREMENTS,
  );
  expect(text).toContain('"reason":"got 500 for <id>"');
  expect(text).not.toContain("secret");
});

test("a baseline made of a stored run is that of the run itself", () => {
  const { header, results } = run({ "CS.a.b": "pass" });
  if (header === undefined) throw new TypeError("the run has a header");
  const stored = Object.fromEntries(Object.entries(header).reverse()) as unknown as typeof header;
  const text = baselineText(header, results, REQUIREMENTS);
  expect(baselineText(stored, results, REQUIREMENTS)).toBe(text);
});

test("what can not be compared is refused, unless it is asked for", () => {
  const one = run({ "CS.a.b": "pass" }, "a", "one");
  const two = run({ "CS.a.b": "pass" });
  expect(() => diffRuns(one, two)).toThrow(/topologies differ/);
  expect(() => diffRuns({ ...one, header: undefined }, two)).toThrow(/does not say what was run/);
  expect(diffRuns(one, two, { allowMismatch: true }).counts.unchanged).toBe(1);
});

test("another set of requirements is told, and no reason not to compare", () => {
  const before = run({ "CS.a.b": "pass" });
  const after = run({ "CS.a.b": "fail", "CS.z.z": "pass" }, "a", "two", "other");
  const diff = diffRuns(before, after);
  expect(diff.counts).toMatchObject({ regressed: 1, new: 1 });
  expect(renderDiff(diff)).toContain("note: the requirement sets differ (h and other)");
});

test("how a sensitive requirement is missed is withheld, and of one that is not known", () => {
  const [before, after] = failing("the secret", "another secret");
  for (const requirements of [new Map([["CS.a.b", requirementOf("CS.a.b", true)]]), new Map()]) {
    const text = renderDiff(diffOf(before, after, { requirements }));
    expect(text).not.toContain("secret");
    expect(text).toContain("changed-reason");
    const disclosed = diffOf(before, after, { requirements, disclose: true });
    expect(renderDiff(disclosed)).toContain("another secret");
  }
});

test("what a client library or a MAY misses is worse, and decides nothing", () => {
  const [before, after] = [run({ "CS.a.b": "pass" }), run({ "CS.a.b": "fail" })];
  const as = (side: StoredRun, more: Partial<CheckResult>) => ({
    ...side,
    results: side.results.map((result) => ({ ...result, ...more })),
  });
  expect(diffRuns(before, after).regressions).toHaveLength(1);
  for (const more of [{ party: "client" }, { level: "MAY" }] as const) {
    const diff = diffRuns(as(before, more), as(after, more));
    expect(diff.counts.regressed).toBe(1);
    expect(diff.regressions).toEqual([]);
  }
});

test("of several deployments each is compared with its own, also of another version", () => {
  const both = (version: string, ...outcomes: [Outcome, Outcome]): StoredRun => {
    const sides = ["sqlite", "postgres"].map((variant, at) =>
      run({ "CS.a.b": outcomes[at] ?? "pass" }, `synapse@${version}/one/${variant}`),
    );
    const [first] = sides;
    if (first === undefined) throw new TypeError("two deployments");
    return { ...first, results: sides.flatMap(({ results }) => results) };
  };
  const { regressions, counts } = diffRuns(
    both("1.163.2", "pass", "fail"),
    both("1.164.0rc1+g0123abc", "pass", "pass"),
  );
  expect(counts).toMatchObject({ fixed: 1, unchanged: 1, new: 0, gone: 0 });
  expect(regressions).toEqual([]);
});

test.each([
  ["synapse@1.163.2/one/sqlite", "synapse/one/sqlite"],
  ["synapse@1.164.0rc1+g0123abc/one/sqlite", "synapse/one/sqlite"],
  ["synapse@1.136.0+dendrite@0.14/two/postgres", "synapse+dendrite/two/postgres"],
  ["url/one", "url/one"],
])("%s is of the family %s", (name, family) => {
  expect(familyOf(name)).toBe(family);
});
