import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import { applyManifest, disabledBy } from "./apply.ts";
import { checkManifest, readManifest } from "./manifest.ts";
import { proposeUpdate } from "./update.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

const FACTS = {
  name: "synapse@1.163.2/two/sqlite",
  topology: "two",
  servers: [
    { role: "hs1", implementation: "synapse", version: "1.163.2", driver: "process:synapse" },
  ],
};
const KNOWN = new Map(
  ["CS.a.b", "CS.a.c", "CS.a.secret"].map((id) => [
    id,
    { id, sensitive: id.endsWith("secret") } as Requirement,
  ]),
);

function manifest(entries: string) {
  const file = path.join(folder, "expectations.yaml");
  writeFileSync(file, `format: 1\nimplementation: synapse\nentries:\n${entries}`);
  return readManifest(file);
}

function result(outcome: Outcome, reason?: string): CheckResult {
  return {
    kind: "check",
    deployment: FACTS.name,
    suite: "core",
    requirement: "CS.a.b",
    level: "MUST",
    check: "the server does",
    outcome,
    durationMs: 1,
    ...(reason === undefined ? {} : { reason }),
  };
}

function applied(entry: string, outcome: Outcome, reason?: string) {
  return applyManifest(result(outcome, reason), undefined, manifest(entry), FACTS).outcome;
}

const FAIL = "  - { id: CS.a.b, expect: fail, reason: known, evidence: seen }\n";

test("an expected failure is xfail, a pass is xpass, trouble stays trouble", () => {
  expect(applied(FAIL, "fail")).toBe("xfail");
  expect(applied(FAIL, "pass")).toBe("xpass");
  expect(applied(FAIL, "error")).toBe("error");
  expect(applied(FAIL, "skip")).toBe("skip");
});

test("another failure than the known one is unexpected", () => {
  const entry =
    "  - { id: CS.a.b, expect: fail, match: M_UNKNOWN, reason: known, evidence: seen }\n";
  expect(applied(entry, "fail", "got 502 M_UNKNOWN")).toBe("xfail");
  expect(applied(entry, "fail", "got 500")).toBe("fail");
});

test("intermittent failures are flaky, and pass when they pass", () => {
  const entry = "  - { id: CS.a.b, expect: [pass, fail], reason: races, issue: https://x }\n";
  expect(applied(entry, "fail")).toBe("flaky");
  expect(applied(entry, "pass")).toBe("pass");
});

test("conditions and check titles narrow an entry", () => {
  const entry = (condition: string) =>
    `  - { id: CS.a.b, expect: fail, reason: known, evidence: seen, ${condition} }\n`;
  expect(applied(entry("when: { version: '>=1.160' }"), "fail")).toBe("xfail");
  expect(applied(entry("when: { version: '<1.160' }"), "fail")).toBe("fail");
  expect(applied(entry("when: { database: postgres }"), "fail")).toBe("fail");
  expect(applied(entry("check: another"), "fail")).toBe("fail");
});

test("unsupported takes globs, disabled is given to the run", () => {
  expect(applied("  - { id: 'CS.a.*', expect: unsupported, reason: no such API }\n", "fail")).toBe(
    "skip",
  );
  const disabled = manifest(
    "  - { id: CS.a.b, expect: disabled, reason: hangs, issue: https://x }\n",
  );
  expect(disabledBy(disabled, FACTS)).toEqual({ "CS.a.b": "hangs" });
});

test("a sound manifest has no problems, the others are named by line", () => {
  expect(checkManifest(manifest(FAIL), KNOWN, "2026-11-24")).toEqual([]);
  const problems = checkManifest(
    manifest(
      `${FAIL}${FAIL}  - { id: CS.a.bb, expect: fail, reason: x, evidence: y }\n` +
        "  - { id: CS.a.c, expect: disabled, reason: TODO, review_by: 2026-01-01 }\n" +
        "  - { id: CS.a.secret, expect: fail, reason: r, evidence: how }\n",
    ),
    KNOWN,
    "2026-11-24",
  ).map((problem) => problem.replace(/^.*\.yaml/, ""));
  expect(problems).toEqual([
    ":5: CS.a.b is already at line 4",
    ":6: there is no requirement CS.a.bb: did you mean CS.a.b?",
    ":7: CS.a.c has no reason yet",
    ":7: CS.a.c was to be reviewed by 2026-01-01",
    ":7: CS.a.c needs an issue",
    ":8: CS.a.secret is sensitive: no match and no evidence in a shared file",
  ]);
});

test("what is no manifest is an error with its place", () => {
  expect(() => manifest("  - { id: CS.a.b, expect: maybe, reason: x }\n")).toThrow(
    /expectations\.yaml:4: entries\.0\.expect/,
  );
  expect(() => manifest("  - { id: CS.a.b\n expect")).toThrow(/expectations\.yaml:\d/);
  expect(() => readManifest(path.join(folder, "none"))).toThrow(/can not be read/);
});

test("an update proposes, and never invents a reason", () => {
  const results = [result("fail", "got 500"), { ...result("xpass"), requirement: "CS.a.c" }];
  const current = manifest("  - { id: CS.a.c, expect: fail, reason: known, evidence: seen }\n");
  const { add, remove } = proposeUpdate(results, current, KNOWN);
  expect(add).toEqual([
    '  - id: CS.a.b\n    expect: fail\n    reason: "TODO"\n    evidence: "got 500"',
  ]);
  expect(remove).toEqual([expect.stringMatching(/:4: CS\.a\.c$/)]);
});
