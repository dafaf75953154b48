/** The shell of action.yml and .ci/gitlab.yml, as a job would run it: on a repository with a base branch. */
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadCatalogue } from "#harness/requirements/catalogue";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import { RunDirectory, readRun } from "#harness/results/run-directory";
import { baselineText } from "#reports/baseline/baseline";
import { Sandbox } from "./command-process.ts";
import { HostileServer } from "./hostile-server.ts";

const { byId } = await loadCatalogue();
const ROOT = path.resolve(import.meta.dirname, "..");
const GATE = path.join(ROOT, ".ci/gate.sh");
const PATIENCE = { timeout: 120_000 };
const DEPLOYMENT = "synapse@1.163.2/one/sqlite";

const HEADER = {
  ...({ kind: "run", harness: "0", requirements: "h", seed: 1 } as const),
  deployments: [
    {
      name: DEPLOYMENT,
      topology: "one",
      servers: [
        { role: "hs1", implementation: "synapse", version: "1", driver: "process:synapse" },
      ],
    },
  ],
};

/** Of two checks; the second is about a requirement that guards people's data. */
function resultsOf(...outcomes: readonly Outcome[]): CheckResult[] {
  return ["CS.login.flows", "CS.login.password"].map((requirement, at) => ({
    ...({ kind: "check", deployment: DEPLOYMENT, suite: "core", level: "MUST" } as const),
    ...{ requirement, check: "the server does", durationMs: 1, outcome: outcomes[at] ?? "pass" },
  }));
}

function storedRun(folder: string, ...outcomes: readonly Outcome[]): string {
  const directory = RunDirectory.create(folder);
  directory.writeHeader(HEADER);
  directory.finish(resultsOf(...outcomes), { exitCode: 0 });
  return folder;
}

/** A clone on a branch of a pull request; `main` at its origin has the baseline, if one is given. */
function clone(sandbox: Sandbox, baseline: string | undefined): string {
  const [origin, work] = [sandbox.path("origin"), sandbox.path("work")];
  const git = (folder: string, ...args: readonly string[]) => {
    const identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
    const { status, stderr } = spawnSync("git", ["-C", folder, ...identity, ...args]);
    if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
  };
  mkdirSync(origin);
  git(origin, "init", "--quiet", "--initial-branch", "main");
  writeFileSync(path.join(origin, "README"), "");
  if (baseline !== undefined) writeFileSync(path.join(origin, "crucible-baseline.jsonl"), baseline);
  git(origin, "add", "-A");
  git(origin, "commit", "--quiet", "-m", "base");
  git(sandbox.folder, "clone", "--quiet", origin, work);
  git(work, "checkout", "--quiet", "-b", "change");
  return work;
}

function shell(
  sandbox: Sandbox,
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): SpawnSyncReturns<string> {
  const outside = { GITHUB_ACTIONS: "", GITHUB_OUTPUT: "", GITHUB_STEP_SUMMARY: "" };
  return spawnSync("bash", [GATE, ...args], {
    cwd: folder,
    encoding: "utf8",
    env: { ...sandbox.environment(), ...outside, ...env } as NodeJS.ProcessEnv,
  });
}

const BASE = baselineText(HEADER, resultsOf("pass", "fail"), byId);

test(
  "a pull request on GitHub is judged by the base branch's baseline, not its own",
  PATIENCE,
  () => {
    using sandbox = new Sandbox();
    const work = clone(sandbox, BASE);
    // It hides its regression.
    const own = path.join(work, "crucible-baseline.jsonl");
    writeFileSync(own, baselineText(HEADER, resultsOf("fail", "fail"), byId));
    storedRun(path.join(work, "crucible-results/run"), "fail", "pass");
    const [output, summary] = [sandbox.path("output"), sandbox.path("summary.md")];
    const { status, stdout } = shell(sandbox, work, ["judge", "crucible-results/run"], {
      GITHUB_ACTIONS: "true",
      GITHUB_BASE_REF: "main",
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
    });

    expect(status).toBe(1);
    expect(stdout.match(/^::error /gm)).toHaveLength(1);
    expect(readFileSync(output, "utf8")).toBe("verdict=failed\nregressed=1\nfixed=1\n");
    expect(readFileSync(summary, "utf8")).toMatch(/^# Crucible: failed: 1 regression\n/);
    const reports = path.join(work, "crucible-reports");
    expect(readdirSync(reports).sort()).toEqual([
      "allure-results",
      "badges",
      "base.jsonl",
      "baseline.jsonl",
      "gate.json",
      "gate.md",
      "junit.xml",
    ]);
    expect(readRun(path.join(reports, "baseline.jsonl")).results).toHaveLength(2);
  },
);

test("elsewhere it is told on the console, and what is fixed is no failure", PATIENCE, () => {
  using sandbox = new Sandbox();
  const work = clone(sandbox, BASE);
  storedRun(path.join(work, "a"), "pass", "pass");
  const env = { CI_MERGE_REQUEST_TARGET_BRANCH_NAME: "main" };
  const { status, stdout } = shell(sandbox, work, ["judge", "a"], env);

  expect(stdout).toContain("gate: as expected: 0 regressions");
  expect(status).toBe(0);
});

test.each([
  ["no baseline anywhere", undefined, "there is no baseline crucible-baseline.jsonl"],
  ["one that is empty", "", "has no check"],
  ["one that is cut off", BASE.split("\n").slice(0, 2).join("\n"), "but was written with 2"],
])("with %s the job fails, and says what to do", PATIENCE, (_, baseline, what) => {
  using sandbox = new Sandbox();
  const work = clone(sandbox, baseline);
  storedRun(path.join(work, "a"), "pass", "pass");
  const { status, stderr } = shell(sandbox, work, ["judge", "a"], { GITHUB_BASE_REF: "main" });

  expect(stderr).toContain(what);
  expect(stderr).toContain("next: ");
  expect(status).toBe(2);
});

test("no run, a base branch that is not there and a shard that is missing fail", PATIENCE, () => {
  using sandbox = new Sandbox();
  const work = clone(sandbox, BASE);
  const directory = RunDirectory.create(path.join(work, "shard"));
  directory.writeHeader(HEADER);
  directory.finish(resultsOf("pass").slice(0, 1), { shard: { index: 2, count: 2 } });
  const none = shell(sandbox, work, ["judge"], {});
  const lost = shell(sandbox, work, ["judge", "shard"], { GITHUB_BASE_REF: "gone" });
  const part = shell(sandbox, work, ["judge", "shard"], { GITHUB_BASE_REF: "main" });

  expect(none).toMatchObject({ status: 2, stderr: expect.stringContaining("no run is named") });
  expect(lost).toMatchObject({ status: 2, stderr: expect.stringContaining("can not be fetched") });
  expect(part).toMatchObject({ status: 3 });
  expect(part.stdout).toContain("shard 1/2 is missing");
});

/** While it runs, a server in this process has to answer. */
async function runJob(sandbox: Sandbox, args: readonly string[], env: Record<string, string>) {
  const child = spawn("bash", [GATE, "run", ...args], {
    cwd: sandbox.folder,
    env: { ...sandbox.environment(), GITHUB_ACTIONS: "", ...env } as NodeJS.ProcessEnv,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      text += chunk;
    });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, text };
}

test(
  "a job runs its shard, tells the runner to obey nothing, and leaves the verdict",
  PATIENCE,
  async () => {
    using sandbox = new Sandbox();
    await using server = await HostileServer.start();
    const env = { CRUCIBLE_HS: server.spec, GITHUB_ACTIONS: "true", CRUCIBLE_EXPECT: "none" };
    const ids = ["CS.login.flows", "CS.login.wrong-password"];
    const { code, text } = await runJob(sandbox, ["copies/1", ...ids], {
      ...env,
      CRUCIBLE_SHARD: "1/2",
    });

    expect(code).toBe(0);
    const [, token = ""] = /^::stop-commands::([0-9a-f]{32})$/m.exec(text) ?? [];
    expect(text).toContain(`\n::${token}::\n`);
    const { results, shard } = readRun(sandbox.path("copies/1"));
    expect(shard).toEqual({ index: 1, count: 2 });
    expect(new Set(results.map(({ requirement }) => requirement))).toEqual(new Set([ids[0]]));
  },
);

test("GitLab's parallel jobs are shards, and one too many is no failure", PATIENCE, async () => {
  using sandbox = new Sandbox();
  await using server = await HostileServer.start();
  const env = { CRUCIBLE_HS: server.spec, CI_NODE_INDEX: "2", CI_NODE_TOTAL: "2" };
  const { code, text } = await runJob(sandbox, ["copies/2", "CS.login.flows"], env);

  expect(text).toContain("nothing is left for shard 2: 1 are enough");
  expect(code).toBe(0);
  expect(existsSync(sandbox.path("copies/2"))).toBe(false);
});

interface Action {
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly runs: { readonly steps: readonly { readonly run?: string }[] };
}

test("action.yml uses inputs that it has, and never as part of a script", () => {
  const text = readFileSync(path.join(ROOT, "action.yml"), "utf8");
  const { inputs, runs } = parse(text) as Action;
  const used = [...text.matchAll(/\binputs\.([a-z-]+)/g)].map(([, name]) => name);
  expect([...new Set(used)].sort()).toEqual(Object.keys(inputs).sort());
  for (const { run = "" } of runs.steps) {
    expect(run).not.toContain("${{");
    expect(spawnSync("bash", ["-n", "-c", run]).status).toBe(0);
  }
});

test("the template for GitLab is YAML whose jobs call the same script", () => {
  const text = readFileSync(path.join(ROOT, ".ci/gitlab.yml"), "utf8");
  expect(Object.keys(parse(text))).toEqual([".crucible", ".crucible-run", ".crucible-gate"]);
  expect(text.match(/\.ci\/gate\.sh (run|judge)/g)).toHaveLength(2);
});

test.each([
  ["a run", "verdicts", { code: 0, counts: "1 passed, 0 failed" }],
  ["a run of mutants", "mutants", { code: 1, counts: "0 passed, 1 failed" }],
])("a SHOULD that fails in %s is counted by CI's tally", (_, mode, { code, counts }) => {
  using sandbox = new Sandbox();
  const directory = RunDirectory.create(sandbox.path("tally/run"));
  directory.writeHeader(HEADER);
  const missed = resultsOf("fail")
    .slice(0, 1)
    .map((one) => ({ ...one, level: "SHOULD" as const }));
  directory.finish(missed, { mode });

  const args = [path.join(ROOT, ".ci/tally.js"), sandbox.path("tally"), "0", "0"];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });

  expect(stdout).toContain(`run: ${counts}`);
  expect(status).toBe(code);
});
