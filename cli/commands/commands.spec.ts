/** Commands that need no server, as a user and as a program call them. In this process: each start would take a second. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { runMain } from "#cli/main-for-specs";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import { RunDirectory } from "#harness/results/run-directory";

const MAIN = path.resolve(import.meta.dirname, "../main.ts");
const SUMMARY = { verdict: "failed", exitCode: 1 };

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

const crucible = runMain;

/** A stored run of two checks; returns its folder. */
function storedRun(name: string, version: string, outcomes: readonly [Outcome, Outcome]): string {
  const deployment = `synapse@${version}/one/sqlite`;
  const directory = RunDirectory.create(path.join(folder, name));
  const servers = [
    { role: "hs1", implementation: "synapse", version, driver: `process:synapse@${version}` },
  ];
  directory.writeHeader({
    kind: "run",
    harness: "0",
    requirements: "h",
    deployments: [{ name: deployment, topology: "one", servers }],
    seed: 1,
  });
  const results = ["CS.login.flows", "CS.login.password"].map(
    (requirement, index): CheckResult => ({
      kind: "check",
      deployment,
      suite: "core",
      requirement,
      level: "MUST",
      check: "the server does",
      outcome: outcomes[index] ?? "pass",
      durationMs: 1,
    }),
  );
  directory.finish(results, { exitCode: 0 });
  return directory.path;
}

const OLD = storedRun("old", "1.114.0", ["pass", "fail"]);
const NEW = storedRun("new", "1.163.2", ["fail", "pass"]);

describe("wrong input is refused with what to do", () => {
  test.each([
    [["list", "--suite", "cor"], "unknown suite cor", "did you mean core?"],
    [["explain", "CS.login.flow"], "unknown requirement", "did you mean CS.login.flows?"],
    [["explain"], "missing required argument 'id'", "next: crucible explain --help"],
    [["report", "nowhere"], "there is no run in nowhere", "next: name a run directory"],
    [["report", OLD, "--format", "junitt"], "no format junitt", "did you mean junit?"],
    [["report", OLD, "--out", "no/where.xml"], "can not be written", "next: name a file"],
    [["gate", "--run", OLD], "required option '--baseline <file>'", "next: crucible gate --help"],
    [["diff", OLD], "missing required argument 'after'", "next: crucible diff --help"],
    [["expect", "chek"], "unknown command 'chek'", "Did you mean check?"],
    [["expect", "check", "nowhere.yaml"], "can not be read", "next: check the path"],
    [["doctor", "--topology", "tow"], "there is no topology tow", "did you mean two?"],
    [["search", "--seconds", "soon"], "soon is no whole number", "next: crucible search --help"],
    [["search", "--seed", "a b"], "--seed: a b is no seed", "next: crucible search --help"],
    [["utd", "explain", "nowhere", "$e"], "there is no nowhere", "next: name a run directory"],
    [["utd", "explain", "nowhere"], "nowhere is no event id", "next: name the records"],
    [["utd", "explain", "x", "$e", "--device", "bob"], "it is @user:server/DEVICE", "utd explain"],
    [["up", "--users", "many"], "--users is many", "next: a whole number"],
  ])("%j", async (args, what, next) => {
    const { code, stderr } = await crucible(...args);

    expect(stderr).toContain(what);
    expect(stderr).toContain(next);
    expect(code).toBe(2);
  });
});

describe("the gate needs reports that it can believe", () => {
  const written = (name: string, text: string) => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const [header = "", first = ""] = readFileSync(path.join(OLD, "results.jsonl"), "utf8").split(
    "\n",
  );
  const whole = header.replace('"seed":1', '"seed":0,"checks":1');

  test.each([
    ["missing", "nowhere", "there is no run in nowhere"],
    ["empty", written("empty.jsonl", ""), "has no check"],
    ["without checks", written("header.jsonl", `${header}\n`), "has no check"],
    ["cut off in a line", written("torn.jsonl", `${whole}\n${first.slice(0, 50)}`), "torn.jsonl:2"],
    [
      "cut off between lines",
      written("short.jsonl", `${whole}\n`),
      "has 0 checks, but was written with 1",
    ],
    ["of another tool", written("junit.xml", "<testsuites/>\n"), "junit.xml:1: no JSON"],
    ["of another format", written("other.jsonl", '{"Action":"pass"}\n'), "other.jsonl:1: kind"],
    ["without a header", written("bare.jsonl", `${first}\n`), "does not say what was run"],
  ])("a baseline that is %s ends with 2", async (_, baseline, what) => {
    const { code, stderr, stdout } = await crucible("gate", "--baseline", baseline, "--run", NEW);

    expect(stderr).toContain(what);
    expect(stderr).toContain("next: ");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("a run that is missing ends with 2, one of nothing with 4", async () => {
    const missing = await crucible("gate", "--baseline", OLD, "--run", "nowhere");
    const nothing = RunDirectory.create(path.join(folder, "nothing"));
    nothing.writeHeader(JSON.parse(header));
    nothing.finish([], { exitCode: 4 });
    const empty = await crucible("gate", "--baseline", OLD, "--run", nothing.path);

    expect(missing).toMatchObject({ code: 2 });
    expect(empty).toMatchObject({ code: 4, stdout: expect.stringContaining("nothing ran") });
  });

  test("annotations go to the output, the summary to the job", async () => {
    const manifest = written(
      "ci.yaml",
      `format: 1\nimplementation: synapse\nentries:\n  - id: CS.login.flows\n    expect: fail\n    reason: r\n    match: M_OTHER\n    issue: i\n`,
    );
    const summary = written("summary.md", "before\n");
    vi.stubEnv("GITHUB_STEP_SUMMARY", summary);
    const { code, stdout } = await crucible(
      ...["gate", "--baseline", OLD, "--run", NEW, "--format", "github", "--expect", manifest],
    );
    vi.unstubAllEnvs();

    const [line, rest] = stdout.split("\n");
    expect(line).toContain(`::error file=${manifest},line=4,title=CS.login.flows`);
    expect(rest).toBe("");
    expect(readFileSync(summary, "utf8")).toMatch(/^before\n# Crucible: failed: 1 regression/);
    expect(code).toBe(1);
  });
});

describe("facts are printed as JSON", () => {
  test("list, narrowed by suite", async () => {
    const { stdout } = await crucible("list", "--suite", "core", "--json");

    const listed = JSON.parse(stdout) as { suite: string }[];
    expect(new Set(listed.map(({ suite }) => suite))).toEqual(new Set(["core"]));
    expect(listed).toContainEqual({
      id: "CS.login.flows",
      level: "MUST",
      suite: "core",
      source: expect.any(String),
      needs: expect.any(Array),
      checks: [expect.stringContaining("the server")],
    });
  });

  test("explain", async () => {
    const { stdout } = await crucible("explain", "CS.login.flows", "--json");

    expect(JSON.parse(stdout)).toMatchObject({ id: "CS.login.flows", deviations: [] });
  });

  test("diff of two versions of one server", async () => {
    const { code, stdout } = await crucible("diff", OLD, NEW, "--json");

    expect(JSON.parse(stdout)).toMatchObject({
      before: { deployments: ["synapse@1.114.0/one/sqlite"] },
      after: { deployments: ["synapse@1.163.2/one/sqlite"] },
      counts: { regressed: 1, fixed: 1, gone: 0 },
    });
    expect(code).toBe(1);
  });

  test("report of several runs", async () => {
    const one = await crucible("report", NEW, "--json");
    const both = await crucible("report", OLD, NEW, "--json");

    const levels = (met: number, total: number) => [
      { level: "MUST", met, exercised: total, total },
    ];
    expect(JSON.parse(one.stdout)).toMatchObject({ ...SUMMARY, levels: levels(1, 2) });
    expect(JSON.parse(both.stdout)).toMatchObject({ ...SUMMARY, levels: levels(2, 4) });
  });

  test("report of everything in one call: all folders, the report, and one object alone", async () => {
    const at = (name: string) => path.join(folder, "everything", name);
    const folders = ["site", "allure", "badges", "share"].flatMap((name) => [
      `--${name}`,
      at(name),
    ]);
    const { stdout, code } = await crucible("report", NEW, ...folders, "--json");
    await crucible("report", NEW, "--site", at("site"), "--format", "junit", "--out", at("x.xml"));

    expect(JSON.parse(stdout)).toMatchObject({ index: path.join(at("site"), "index.html") });
    expect(code).toBe(0);
    const written = ["allure", "badges", "share", "site", "x.xml"];
    expect(readdirSync(path.join(folder, "everything")).sort()).toEqual(written);
  });

  test("expect check, and expect update of what it then refuses", async () => {
    const proposed = await crucible("expect", "update", NEW);
    const file = path.join(folder, "expectations.yaml");
    writeFileSync(file, proposed.stdout);
    const { code, stdout } = await crucible("expect", "check", file, "--json");

    const { problems } = JSON.parse(stdout) as { problems: string[] };
    expect(problems).toContainEqual(expect.stringContaining("CS.login.flows has no reason yet"));
    expect(code).toBe(1);
  });

  test("clean", async () => {
    const { code, stdout } = await crucible("clean", "20000101-000000-0000", "--json");

    expect(JSON.parse(stdout)).toEqual({ removed: [], problems: [] });
    expect(code).toBe(0);
  });
});

test("a reader that has seen enough is no trouble", () => {
  const { status, stderr } = spawnSync(
    "sh",
    ["-c", `"${process.execPath}" "${MAIN}" list | head -n 1`],
    {
      encoding: "utf8",
    },
  );

  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
