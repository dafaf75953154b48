import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import { applyManifest, disabledBy } from "./apply.ts";
import { checkManifest } from "./check.ts";
import { readManifest, together } from "./manifest.ts";
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
  ["CS.a.b", "CS.a.c", "CS.a.secret", "CS.a.old"].map((id) => [
    id,
    {
      id,
      sensitive: id.endsWith("secret"),
      ...(id.endsWith("old") ? { retired: "no longer a rule" } : {}),
    } as Requirement,
  ]),
);

/** What is wrong with these entries, without the file's name. */
function problemsOf(entries: string): readonly string[] {
  const known = {
    requirements: KNOWN,
    titlesOf: () => ["the server does"],
    today: "2026-11-24",
  };
  return checkManifest(manifest(entries), known).map((text) => text.replace(/^.*\.yaml/, ""));
}

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

test("of an auth service's manifest and a server's, the auth service's entry counts", () => {
  const other = path.join(folder, "mas.yaml");
  writeFileSync(
    other,
    "format: 1\nimplementation: mas\nentries:\n  - { id: CS.a.b, expect: fail, reason: by MAS, evidence: seen }\n",
  );
  const both = together([readManifest(other), manifest(FAIL)]);
  expect(applyManifest(result("fail"), undefined, both, FACTS).reason).toBe("by MAS");
  expect(applyManifest(result("pass"), undefined, both, FACTS).reason).toContain("mas.yaml:4");
  expect(together([])).toBeUndefined();
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

/** What a failure is on a deployment, by an entry with this condition. */
function failureOn(condition: string, facts: typeof FACTS): Outcome {
  const entry = `  - { id: CS.a.b, expect: fail, reason: known, evidence: seen, when: { ${condition} } }\n`;
  return applyManifest(result("fail"), undefined, manifest(entry), facts).outcome;
}

test("an entry may hold behind one kind of auth service only, or without any, whatever the database", () => {
  const behind = {
    ...FACTS,
    name: "synapse@1.163.2/one/sqlite+oidc",
    servers: FACTS.servers.map((server) => ({ ...server, auth: "oidc" })),
  };
  expect(failureOn("auth: none", FACTS)).toBe("xfail");
  expect(failureOn("auth: none", behind)).toBe("fail");
  expect(failureOn("auth: oidc", behind)).toBe("xfail");
  expect(failureOn("database: sqlite", behind)).toBe("xfail");
});

test("an entry may hold beside one kind of RTC authorization service only, or without any", () => {
  const beside = {
    ...FACTS,
    servers: FACTS.servers.map((server) => ({ ...server, rtcAuth: "embedded" })),
  };
  expect(failureOn("rtc_auth: none", FACTS)).toBe("xfail");
  expect(failureOn("rtc_auth: none", beside)).toBe("fail");
  expect(failureOn("rtc_auth: embedded", FACTS)).toBe("fail");
  expect(failureOn("rtc_auth: embedded", beside)).toBe("xfail");
  expect(failureOn("rtc_auth: running", beside)).toBe("fail");
});

test("unsupported takes globs, disabled is given to the run", () => {
  expect(applied("  - { id: 'CS.a.*', expect: unsupported, reason: no such API }\n", "fail")).toBe(
    "skip",
  );
  expect(applied("  - { id: 'CS.a.*', expect: unsupported, reason: no such API }\n", "pass")).toBe(
    "pass",
  );
  expect(applied("  - { id: CS.a.b, expect: unsupported, reason: no such API }\n", "pass")).toBe(
    "xpass",
  );
  const disabled = manifest(
    "  - { id: CS.a.b, expect: disabled, reason: hangs, issue: https://x }\n",
  );
  expect(disabledBy(disabled, FACTS)).toEqual({ "CS.a.b": "hangs" });
});

test("a sound manifest has no problems, the others are named by line", () => {
  expect(problemsOf(FAIL)).toEqual([]);
  expect(
    problemsOf(
      `${FAIL}${FAIL}  - { id: CS.a.bb, expect: fail, reason: x, evidence: y }\n` +
        "  - { id: CS.a.c, expect: disabled, reason: TODO, review_by: 2026-01-01 }\n" +
        "  - { id: CS.a.secret, expect: fail, reason: r, evidence: how }\n" +
        "  - { id: CS.a.old, expect: fail, reason: r, evidence: how }\n" +
        "  - { id: CS.a.c, check: the server doe, expect: fail, reason: r, evidence: how }\n",
    ),
  ).toEqual([
    ":5: CS.a.b is already at line 4",
    ":6: there is no requirement CS.a.bb: did you mean CS.a.b?",
    ":7: CS.a.c has no reason yet",
    ":7: CS.a.c was to be reviewed by 2026-01-01",
    ":7: CS.a.c needs an issue or evidence",
    ":8: CS.a.secret is sensitive: no match and no evidence in a shared file",
    ":9: CS.a.old is retired: delete the entry",
    ':10: CS.a.c has no check "the server doe": did you mean the server does?',
  ]);
});

test.each(["fail", "[pass, fail]", "disabled"])(
  "%s needs an issue or evidence, one is enough",
  (word) => {
    const entry = (proof: string) => `  - { id: CS.a.b, expect: ${word}, reason: known${proof} }\n`;
    expect(problemsOf(entry(""))).toEqual([":4: CS.a.b needs an issue or evidence"]);
    expect(problemsOf(entry(", issue: https://x"))).toEqual([]);
    expect(problemsOf(entry(", evidence: got 500"))).toEqual([]);
  },
);

test("a sensitive entry needs its reason only", () => {
  expect(problemsOf("  - { id: CS.a.secret, expect: fail, reason: told privately }\n")).toEqual([]);
});

test("globs are for what is unsupported, and have to match", () => {
  const entry = (id: string, expect: string) =>
    `  - { id: '${id}', expect: ${expect}, reason: no such API, evidence: seen }\n`;
  expect(problemsOf(entry("CS.a.*", "unsupported"))).toEqual([]);
  expect(problemsOf(entry("CS.a.*", "fail"))).toEqual([
    ":4: CS.a.*: a glob may only be unsupported",
  ]);
  expect(problemsOf(entry("CS.b.*", "unsupported"))).toEqual([":4: no requirement matches CS.b.*"]);
});

test("what is no manifest is an error with its place", () => {
  expect(() => manifest("  - { id: CS.a.b, expect: maybe, reason: x }\n")).toThrow(
    /expectations\.yaml:4: entries\.0\.expect/,
  );
  expect(() => manifest("  - { id: CS.a.b\n expect")).toThrow(/expectations\.yaml:\d/);
  expect(() => manifest("  - { id: CS.a.b, expect: fail, reason: x, isue: y }\n")).toThrow(
    /yaml:4: unknown field isue, did you mean issue\?/,
  );
  expect(() =>
    manifest("  - { id: CS.a.b, expect: fail, reason: x, review_by: 2026-02-30 }\n"),
  ).toThrow(/entries\.0\.review_by: a date looks like/);
  expect(() => readManifest(path.join(folder, "none"))).toThrow(/can not be read/);
});

test("an update proposes, and never invents a reason", () => {
  const results = [result("fail", "got 500"), { ...result("xpass"), requirement: "CS.a.c" }];
  const current = manifest("  - { id: CS.a.c, expect: fail, reason: known, evidence: seen }\n");
  const { add, change, remove } = proposeUpdate(results, current, KNOWN);
  expect(add).toEqual([
    '  - id: CS.a.b\n    expect: fail\n    reason: "TODO"\n    evidence: "got 500"',
  ]);
  expect(change).toEqual([]);
  expect(remove).toEqual([expect.stringMatching(/:4: CS\.a\.c$/)]);
  expect(problemsOf(`${add.join("\n")}\n`)).toEqual([":4: CS.a.b has no reason yet"]);
});

test("a proposal says nothing of how a sensitive requirement fails", () => {
  const results = [{ ...result("fail", "token abc works"), requirement: "CS.a.secret" }];
  const { add } = proposeUpdate(results, undefined, KNOWN);
  expect(add).toEqual(['  - id: CS.a.secret\n    expect: fail\n    reason: "TODO"']);
});

test("a proposal names the check where others of its requirement pass", () => {
  const passing = { ...result("pass"), check: "the server answers" };
  const { add } = proposeUpdate([result("fail", "got 500"), passing], undefined, KNOWN);
  expect(add).toEqual([expect.stringContaining('\n    check: "the server does"\n')]);
});

test("an entry whose failure has changed, or holds for some checks only, is to be changed", () => {
  const entry = "  - { id: CS.a.b, expect: fail, match: M_X, reason: known, evidence: seen }\n";
  const changed = proposeUpdate([result("fail", "got 500")], manifest(entry), KNOWN);
  expect(changed).toMatchObject({ add: [], remove: [] });
  expect(changed.change).toEqual([expect.stringMatching(/:4: CS\.a\.b fails in another way/)]);
  const half = [result("xfail"), { ...result("xpass"), check: "the server answers" }];
  const narrowed = proposeUpdate(half, manifest(FAIL), KNOWN);
  expect(narrowed.change).toEqual([expect.stringMatching(/:4: CS\.a\.b passes in part/)]);
  expect(narrowed.remove).toEqual([]);
});
