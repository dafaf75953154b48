/** Servers, a machine and a harness that misbehave, each shown on the real command line. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { synapsePython } from "#drivers/synapse/index";
import { isAlive, Sandbox } from "./command-process.ts";
import { HostileServer } from "./hostile-server.ts";

/** Several commands at once on a busy machine. */
const PATIENCE = { timeout: 100_000 };
const ONE_BY_ONE = ["--workers", "1", "--concurrency", "1"];
/** Each makes a user and logs it in. */
const LOGINS = [
  "CS.login.password",
  "CS.login.wrong-password",
  "CS.login.device-id",
  "CS.login.same-device-tokens",
  "CS.login.unknown-user",
  "CS.login.unknown-type",
];
/** Access and refresh tokens of Synapse, tokens of our application service, and passwords that checks choose. */
const SECRET = /sy[tr]_[\w-]{8,}|[ah]s_\d{8}-\d{6}-\w{4}_[\w-]{36}|password-[a-z0-9]{8}\b/g;

describe.concurrent("servers", PATIENCE, () => {
  test("each hostile answer is an error or a failure of its check, and the run goes on", async () => {
    using sandbox = new Sandbox();
    await using hostile = await HostileServer.start(
      "hugeBody",
      "invalidJson",
      "html",
      "endlessHeaders",
      "silence",
    );
    const flags = ["--hs", hostile.spec, "--timeout-scale", "0.3", "--disclose", ...ONE_BY_ONE];

    const run = sandbox.run([...LOGINS, "CS.login.flows", ...flags]);
    const { code, stdout, stderr } = await run.ended;

    const { results, evidence } = run.results();
    const outcomes = new Map(results.map(({ requirement, outcome }) => [requirement, outcome]));
    const seen = evidence.map(({ requirement, message }) => [outcomes.get(requirement), message]);
    expect(seen).toEqual([
      ["error", expect.stringContaining("the answer is larger than")],
      ["fail", expect.stringContaining('got 200 {"user_id": "@alice')],
      ["fail", expect.stringContaining("got 502 <h1>Bad")],
      ["error", expect.stringContaining("closed")],
      ["error", expect.stringContaining("no answer within 9000 ms")],
      // It lets in who has no password, and hands out a token.
      ["fail", expect.stringContaining('"access_token":"<scrubbed>"')],
    ]);
    expect(outcomes.get("CS.login.flows")).toBe("pass");
    expect(results).toHaveLength(7);
    expect(stdout + stderr).not.toContain("\u001b");
    const texts = [...run.files().values(), stdout, stderr];
    expect(texts.flatMap((text) => text.match(SECRET) ?? [])).toEqual([]);
    expect(code).toBe(1);
  });

  test("each hostile answer to sliding sync is a failure that says what was awaited", async () => {
    using sandbox = new Sandbox();
    await using hostile = await HostileServer.start(
      "invalidJson",
      "html",
      "silence",
      "late",
      "cut",
      "endlessHeaders",
    );
    const flags = ["--hs", hostile.spec, "--timeout-scale", "0.2", "--repeat", "7", ...ONE_BY_ONE];

    const run = sandbox.run(["MSC4186.poll.initial-immediate", ...flags]);
    const { code } = await run.ended;

    const { results, evidence } = run.results();
    expect(evidence.map(({ message }) => message)).toEqual([
      expect.stringMatching(/expected a JSON object .*got \{"user_id": "@alice/),
      expect.stringMatching(/expected status 200 .*got 502 <h1>Bad/),
      expect.stringMatching(/expected an answer to sliding sync within 8000 ms, .*got .*no answer/),
      expect.stringMatching(/expected an answer within 1000 ms .*got \d{4} ms/),
      expect.stringMatching(
        /expected an answer to sliding sync .*got .*closed; the server answers/,
      ),
      expect.stringMatching(
        /expected an answer to sliding sync .*got .*closed; the server answers/,
      ),
    ]);
    const outcomes = results.map(({ outcome }) => outcome);
    expect(outcomes).toEqual([...Array(6).fill("fail"), "pass"]);
    expect(code).toBe(1);
  });

  test("a server that does not start makes errors, with its last log lines", async () => {
    using sandbox = new Sandbox();
    const python = sandbox.script("python", "echo the disk of the server is on fire", "exit 7");

    const run = sandbox.run(["CS.login.flows", "--hs", `process:synapse=${python}`]);
    const { code, stdout } = await run.ended;

    expect(code).toBe(3);
    expect(stdout).toMatch(/hs1 ended while it was starting: exit code 7[\s\S]*is on fire/);
    expect(run.results().results).toMatchObject([
      { requirement: "CS.login.flows", outcome: "error", reason: expect.stringMatching(/code 7/) },
    ]);
    expect(run.info()).toMatchObject({ exitCode: 3, trouble: expect.stringMatching(/on fire/) });
    expect(sandbox.workFolders()).toEqual([]);
  });

  test("a server that dies comes back, and checks before and after have verdicts", async () => {
    using sandbox = new Sandbox();
    const run = sandbox.run([...LOGINS, ...ONE_BY_ONE]);
    await run.hasResults(2);

    const [pid = 0] = sandbox.startedProcesses();
    process.kill(pid, "SIGKILL");
    const { code, stderr } = await run.ended;

    const { results } = run.results();
    const errors = results.filter(({ outcome }) => outcome === "error");
    const passes = results.filter(({ outcome }) => outcome === "pass");
    expect(stderr).toContain("hs1 ended by itself: SIGKILL");
    expect(run.info().notes).toEqual(["hs1 ended by itself: SIGKILL"]);
    // At most the check that was asking when it died.
    expect(errors.length).toBeLessThanOrEqual(1);
    expect(passes.length).toBe(results.length - errors.length);
    expect(code).toBe(errors.length === 0 ? 0 : 3);
    expect(sandbox.workFolders()).toEqual([]);
  });
});

describe.concurrent("the end of the harness", PATIENCE, () => {
  test("Ctrl-C ends with 130, partial results, and nothing left", async () => {
    using sandbox = new Sandbox();
    const run = sandbox.run([...LOGINS, "--repeat", "50", ...ONE_BY_ONE]);
    await run.hasResults(2);
    const started = sandbox.startedProcesses();

    run.signal("SIGINT");
    const { code, stdout } = await run.ended;

    const { results, isComplete } = run.results();
    expect(code).toBe(130);
    expect(stdout).toContain("the run was interrupted");
    expect(isComplete).toBe(true);
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(["pass", "not-run"]));
    expect(started.filter(isAlive)).toEqual([]);
    expect(sandbox.workFolders()).toEqual([]);
  });

  test("clean removes what kill -9 left, and the results that were there stay", async () => {
    using sandbox = new Sandbox();
    const python = await synapsePython(undefined, {
      progress: () => undefined,
      signal: new AbortController().signal,
    });
    // One that is given is not forked: it outlives the harness.
    const hs = ["--hs", `process:synapse=${python}`];
    const run = sandbox.run([...LOGINS, "--repeat", "50", ...hs, ...ONE_BY_ONE]);
    await run.hasResults(2);
    const started = sandbox.startedProcesses();
    run.signal("SIGKILL");
    await run.ended;
    expect(started.filter(isAlive)).toEqual(started);

    const { code, stdout } = await sandbox.crucible("clean");

    expect(code).toBe(0);
    expect(stdout).toMatch(/removed process \d+ of run/);
    expect(started.filter(isAlive)).toEqual([]);
    expect(sandbox.workFolders()).toEqual([]);
    expect(run.results().isComplete).toBe(false);
    expect(run.results().results.length).toBeGreaterThanOrEqual(2);
  });

  test("servers that were forked end with a harness that kill -9 ends", async ({ expect }) => {
    using sandbox = new Sandbox();
    const run = sandbox.run([...LOGINS, "--repeat", "50", ...ONE_BY_ONE]);
    await run.hasResults(2);
    const started = sandbox.startedProcesses();

    run.signal("SIGKILL");
    await run.ended;

    expect(started.length).toBeGreaterThan(0);
    await expect.poll(() => started.filter(isAlive)).toEqual([]);
    await sandbox.crucible("clean");
    expect(sandbox.workFolders()).toEqual([]);
  });

  test("an error that nobody catches leaves the results and no process", async () => {
    using sandbox = new Sandbox();
    const bomb = sandbox.path("bomb.mjs");
    writeFileSync(
      bomb,
      `import { existsSync, readFileSync } from "node:fs";
       import { isMainThread } from "node:worker_threads";
       const file = process.env.BOMB_WATCHES;
       const isDue = () => existsSync(file) && readFileSync(file, "utf8").split("\\n").length > 3;
       if (isMainThread) setInterval(() => { if (isDue()) throw new Error("bomb"); }, 10).unref();`,
    );

    const run = sandbox.run([...LOGINS, "--repeat", "50"], {
      NODE_OPTIONS: `--import=${bomb}`,
      BOMB_WATCHES: sandbox.path("run-1", "results.partial.jsonl"),
    });
    await run.hasResults(1);
    const started = sandbox.startedProcesses();
    const { code, stderr } = await run.ended;

    expect(code).toBe(3);
    expect(stderr).toContain("crucible itself failed: bomb");
    expect(run.results().results.length).toBeGreaterThanOrEqual(2);
    expect(started.filter(isAlive)).toEqual([]);
    expect(sandbox.workFolders()).toEqual([]);
  });
});

describe.concurrent("the disk", PATIENCE, () => {
  test("a run directory that can not be written is refused before anything starts", async () => {
    using sandbox = new Sandbox();
    writeFileSync(sandbox.path("file"), "");

    const out = sandbox.path("file", "run");
    const { code, stderr } = await sandbox.crucible("run", "CS.login.flows", "--out", out);

    expect(code).toBe(3);
    expect(stderr).toMatch(/run directory .*file\/run can not be written[\s\S]*next: .*--out/);
    expect(stderr).not.toContain("starting");
  });

  test.runIf(process.getuid?.() === 0)("so is a disk that is full", async () => {
    using sandbox = new Sandbox();
    const full = sandbox.path("full");
    mkdirSync(full);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", full]);
    try {
      const { code, stderr } = await sandbox.crucible("run", "CS.login.flows", "--out", full);

      expect(code).toBe(3);
      expect(stderr).toMatch(/only 0 MB are free for the run directory/);
      expect(stderr).not.toContain("starting");
    } finally {
      execFileSync("umount", [full]);
    }
  });
});

test("no token and no password is on disk or on the console, and what was asked for beside is there", async () => {
  using sandbox = new Sandbox();
  const script = sandbox.script(
    "after",
    `echo "$1|$2|$3" >> ${sandbox.path("after.txt")}`,
    "exit 9",
  );
  const flags = ["--post-test-script", script, "--print-server-logs"];

  const run = sandbox.run(["CS.login.*", "CS.refresh.*", "CS.appservice.login-only", ...flags]);
  const { code, stdout, stderr } = await run.ended;

  const files = run.files();
  const texts = [...files.values(), stdout, stderr];
  expect(texts.flatMap((text) => text.match(SECRET) ?? [])).toEqual([]);
  expect(files.get("main.ndjson")).toContain("<scrubbed>");
  expect(stderr).toMatch(/last log lines of hs1:\n.*synapse/);
  expect(stderr).toMatch(/the post-test script ended with exit code 9 \(hs1, CS\.login/);
  const { results } = run.results();
  const ended = readFileSync(sandbox.path("after.txt"), "utf8").trimEnd().split("\n").sort();
  expect(ended).toEqual(results.map((each) => `hs1|${each.requirement} ${each.check}|false`));
  expect(code).toBe(0);
});
