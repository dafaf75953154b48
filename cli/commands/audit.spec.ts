/** Audits of stored runs, and of runs that it makes, on a server that every check fails on at once. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { Sandbox } from "#cli/command-process";
import { HostileServer } from "#cli/hostile-server";
import { ROOT } from "#cli/run/session";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import { RunDirectory } from "#harness/results/run-directory";

/** Each run is a process of its own, on a busy machine. */
const PATIENCE = { timeout: 240_000 };
const ID = "CS.login.flows";

function stored(sandbox: Sandbox, name: string, outcome: Outcome): string {
  const directory = RunDirectory.create(sandbox.path(name));
  const common = { kind: "check", deployment: "hs@1/one", suite: "core", level: "MUST" } as const;
  const result: CheckResult = {
    ...{ ...common, requirement: ID, check: "the server does", outcome, durationMs: 1 },
  };
  directory.finish([result], { exitCode: 0 });
  return directory.path;
}

test("stored runs are judged without a server", PATIENCE, async () => {
  using sandbox = new Sandbox();
  const [first, second] = [stored(sandbox, "a", "pass"), stored(sandbox, "b", "fail")];
  const mutants = sandbox.path("m");
  mkdirSync(mutants);
  const one = { requirement: ID, check: "the server does", mutants: [] };
  writeFileSync(
    path.join(mutants, "run.json"),
    JSON.stringify({ mode: "mutants", mutants: [one] }),
  );

  const audit = (...args: readonly string[]) => sandbox.crucible("audit", ...args);
  const [both, same, mixed, kept, wrong] = await Promise.all([
    audit(first, second, "--mutants", mutants, "--json", "--out", sandbox.path("written")),
    audit(first, first),
    audit(first, ID),
    audit(first, second, "--history", sandbox.path("history")),
    audit(first, second, "--mutants", first),
  ]);

  expect(JSON.parse(both.stdout)).toMatchObject({
    verdict: "unstable",
    unproven: [{ requirement: ID, why: "it has no mutant" }],
  });
  expect(both.code).toBe(1);
  expect(readdirSync(sandbox.path("written")).sort()).toEqual(["audit.json", "audit.md"]);
  // The same run twice would always agree with itself.
  expect(same).toMatchObject({ code: 4, stdout: expect.stringContaining("nothing was compared") });
  expect(mixed).toMatchObject({ code: 2, stderr: expect.stringContaining("judged alone") });
  expect(kept).toMatchObject({ code: 2, stderr: expect.stringContaining("judged alone") });
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("crucible mutants") });
});

test("runs are made, kept, and made again only where they are missing", PATIENCE, async () => {
  using sandbox = new Sandbox();
  await using server = await HostileServer.start("html");
  const out = sandbox.path("out");
  const results = (run: string) => path.join(out, run, "results.jsonl");
  const args = [ID, "--hs", server.spec, "--record", "none"];

  const made = await sandbox.crucible("audit", ...args, "--runs", "2", "--out", out);
  const kept = readFileSync(results("run-01"), "utf8");
  rmSync(results("run-02"));
  const again = await sandbox.crucible("audit", "--runs", "2", "--out", out, "--json");
  const other = await sandbox.crucible("audit", "CS.login.*", "--runs", "2", "--out", out);

  expect(again.stderr).toMatch(/run 1 of 2: is there\nrun 2 of 2: once more, since there is no/);
  expect(made.stdout).toMatch(/audit: stable: 0 of \d+ checks unstable/);
  expect(made.code).toBe(0);
  const headers = ["run-01", "run-02"].map((run) => {
    const [header = ""] = readFileSync(results(run), "utf8").split("\n");
    return JSON.parse(header) as { seed: number };
  });
  expect(headers[0]?.seed).toBe(headers[1]?.seed);
  expect(JSON.parse(again.stdout)).toMatchObject({
    verdict: "stable",
    runs: [{}, {}].map(() => expect.any(String)),
  });
  expect(readFileSync(results("run-01"), "utf8")).toBe(kept);
  expect(other).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("runs of something else"),
  });
  expect(existsSync(path.join(out, "audit.md"))).toBe(true);
});

test("an audit goes on elsewhere by its history", PATIENCE, async () => {
  using sandbox = new Sandbox();
  await using server = await HostileServer.start("html");
  const history = sandbox.path("history.jsonl");
  const args = [ID, "--hs", server.spec, "--record", "none"];
  const audit = (folder: string, ...more: readonly string[]) =>
    sandbox.crucible("audit", "--out", sandbox.path(folder), "--history", history, ...more);

  const first = await audit("here", ...args, "--runs", "1");
  const elsewhere = await audit("there", "--runs", "2", "--json");
  const again = await audit("there", ...args, "--runs", "2", "--json");
  const other = await audit("third", "CS.login.*", "--runs", "2");
  const judged = await sandbox.crucible("audit", history, sandbox.path("there/run-01"), "--json");

  expect(first).toMatchObject({ code: 4, stderr: expect.stringContaining("run 1 of 1: ") });
  expect(elsewhere.stderr).toContain(`1 of them are in ${history}\nrun 1 of 1: `);
  for (const { stdout, code } of [elsewhere, again, judged]) {
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: "stable",
      runs: [expect.any(String), expect.any(String)],
    });
    expect(code).toBe(0);
  }
  expect(again.stderr).toContain("run 1 of 1: is there");
  expect(other).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/history\.jsonl has runs of something else[\s\S]*--history/),
  });
  expect(existsSync(sandbox.path("third"))).toBe(false);
});

test("the page of audits has the table of those that are kept", PATIENCE, async () => {
  using sandbox = new Sandbox();
  const kept = path.join(ROOT, "drivers/synapse/audit");
  const files = readdirSync(kept).map((name) => path.join(kept, name));
  const page = readFileSync(path.join(ROOT, "docs/audit.md"), "utf8");

  const { code, stdout } = await sandbox.crucible("audit", ...files, "--format", "markdown");

  const [table = ""] = /(?:^\|.*\n)+/m.exec(stdout) ?? [];
  // Pages have their columns aligned.
  const cells = (text: string) => text.replace(/ *\| */g, "|").replace(/-+/g, "-");
  expect(table).toContain("| `all` |");
  expect(cells(page)).toContain(cells(table));
  expect(code).toBe(0);
});

test("arguments that are wrong are told once, before anything is made", PATIENCE, async () => {
  using sandbox = new Sandbox();

  const { code, stderr } = await sandbox.crucible("audit", "CS.login.flow", "--out", "out");

  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("CS.login.flows?") });
  expect(readdirSync(sandbox.folder)).toEqual([]);
});
