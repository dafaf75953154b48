/** Command lines and files that are wrong end with 2 and the nearest right word; runs that run nothing end with 4. */
import { readdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Sandbox } from "./command-process.ts";
import { HostileServer } from "./hostile-server.ts";

/** Several commands at once on a busy machine. */
const PATIENCE = { timeout: 90_000 };

describe.concurrent("refused before anything starts", PATIENCE, () => {
  test.each([
    [["rnu"], "there is no command rnu", "did you mean run?"],
    [["run", "--suit", "core"], "unknown option '--suit'", "Did you mean --suite?"],
    [["run", "CS.login.flow"], "unknown requirement CS.login.flow", "did you mean CS.login.flows?"],
    [["run", "--suite", "cor"], "unknown suite cor", "did you mean core?"],
    [["run", "--tag", "must and logim"], "there is no tag logim", "did you mean login?"],
    [["run", "--topology", "tow"], "there is no topology tow", "did you mean two?"],
    [["run", "--hs", "process:synapze"], "there is no driver synapze", "did you mean synapse?"],
    [["run", "--hs", "process:synapse@latest"], "latest is no Synapse version", "write it in full"],
    [
      ["run", "--post-test-script", "nowhere.sh"],
      "the post-test script nowhere.sh can not be run",
      "no such file",
    ],
  ])("%j", async (args, what, next) => {
    using sandbox = new Sandbox();

    const { code, stderr } = await sandbox.crucible(...args);

    expect(stderr).toContain(what);
    expect(stderr).toContain(next);
    expect(code).toBe(2);
    expect(readdirSync(sandbox.folder)).toEqual([]);
  });

  test.each([
    ["--config", "strict: true\nrepeat: often\n", /file\.yaml:2: repeat is "often"[\s\S]*a number/],
    ["--config", "hs: [process:synapse\nretry: 1\n", /file\.yaml:2: /],
    ["--expect", "format: 1\nimplementation: x\nentries:\n  - id: 7\n", /file\.yaml:4: .*string/],
  ])("%s with %j", async (flag, content, message) => {
    using sandbox = new Sandbox();
    writeFileSync(sandbox.path("file.yaml"), content);

    const { code, stderr } = await sandbox.crucible("run", flag, "file.yaml");

    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(readdirSync(sandbox.folder)).toEqual(["file.yaml"]);
  });
});

describe.concurrent("a run that runs nothing ends with 4", PATIENCE, () => {
  test("when nothing is selected", async () => {
    using sandbox = new Sandbox();

    const args = ["run", "--id", "CS.login.*", "--tag", "not core"];
    const { code, stderr } = await sandbox.crucible(...args);

    expect(stderr).toContain("no requirement is selected");
    expect(code).toBe(4);
    expect(readdirSync(sandbox.folder)).toEqual([]);
  });

  test("when the server has nothing of what the checks need", async () => {
    using sandbox = new Sandbox();
    await using server = await HostileServer.start();

    const run = sandbox.run(["CS.fed.join-alias-and-via", "--hs", server.spec]);
    const { code, stdout } = await run.ended;

    expect(run.results().results).toMatchObject([{ outcome: "skip" }]);
    expect(stdout).toContain("nothing ran");
    expect(code).toBe(4);
  });
});

test("--debug tells where a check failed", PATIENCE, async () => {
  using sandbox = new Sandbox();
  await using server = await HostileServer.start("html");

  const run = sandbox.run(["CS.login.device-id", "--hs", server.spec, "--debug"]);
  const { stderr } = await run.ended;

  expect(stderr).toMatch(
    /fail .*CS\.login\.device-id[\s\S]*at .*suites\/core\/login\.test\.ts:\d+/,
  );
});

test("a server that is not what was meant is not judged", PATIENCE, async () => {
  using sandbox = new Sandbox();
  await using server = await HostileServer.start();

  const args = ["CS.login.flows", "--hs", server.spec, "--hs-version", "2.0.0", "--out", "run"];
  const { code, stdout } = await sandbox.crucible("run", ...args);

  expect(stdout).toContain("what runs is not 2.0.0");
  expect(stdout).toContain("next: ");
  expect(stdout).toContain("checks: none");
  expect(code).toBe(2);
});
