/** Auth services on the real command line: shown before a run, looked at by doctor, gone after a run that was killed. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isAlive, Sandbox } from "./command-process.ts";

/** A homeserver and its auth service have to start, on a busy machine. */
const PATIENCE = { timeout: 200_000 };

test("a dry run shows which auth service each homeserver would have", PATIENCE, async () => {
  using sandbox = new Sandbox();
  const dry = ["run", "MSC3861.cs.unknown-token", "--topology", "two", "--dry-run"];

  const text = await sandbox.crucible(...dry);
  const json = await sandbox.crucible(...dry, "--json");
  const none = await sandbox.crucible("run", "CS.login.flows", "--dry-run");

  expect(text.stdout).toContain(
    "topology two: hs1 process:synapse with process:oidc, hs2 process:synapse with process:oidc\n",
  );
  expect(JSON.parse(json.stdout).servers).toEqual(
    ["hs1", "hs2"].map((role) => ({ role, text: "process:synapse", auth: "process:oidc" })),
  );
  expect(none.stdout).toContain("hs1 process:synapse\n");
});

test("doctor tries the auth service as it tries the server", PATIENCE, async () => {
  using sandbox = new Sandbox();

  const { code, stdout } = await sandbox.crucible("doctor", "--auth", "oidc", "--json");

  const { probes } = JSON.parse(stdout) as { probes: { name: string; state: string }[] };
  expect(probes.filter(({ name }) => name.startsWith("as1: "))).toMatchObject(
    ["metadata", "register", "admin side", "restart keeps data", "logs"].map((name) => ({
      name: `as1: ${name}`,
      state: "ok",
    })),
  );
  expect(probes.at(-1)).toMatchObject({ name: "clean-up", state: "ok" });
  expect(code).toBe(0);
});

test("clean removes the auth service too that kill -9 left", PATIENCE, async () => {
  using sandbox = new Sandbox();
  const oneByOne = ["--repeat", "50", "--workers", "1", "--concurrency", "1"];
  const run = sandbox.run(["MSC3861.cs.unknown-token", ...oneByOne]);
  await run.hasResults(1, PATIENCE.timeout);
  const started = sandbox.startedProcesses();
  const services = started.filter((pid) => commandLineOf(pid).includes("oidc"));
  expect(services).toHaveLength(1);
  run.signal("SIGKILL");
  await run.ended;
  // The homeserver was forked, and ends with the harness.
  await expect.poll(() => started.filter(isAlive)).toEqual(services);

  const { code, stdout } = await sandbox.crucible("clean");

  expect(code).toBe(0);
  for (const pid of services) expect(stdout).toContain(`removed process ${pid} of run`);
  expect(started.filter(isAlive)).toEqual([]);
  expect(sandbox.workFolders()).toEqual([]);
});

function commandLineOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8");
}
