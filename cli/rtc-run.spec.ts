/**
 * Services for calls on the real command line: shown before a run, looked at by doctor, gone after a run that was killed. With an
 * SFU too, when CRUCIBLE_TEST_SFU names one.
 */
import { expect, test } from "vitest";
import { isAlive, Sandbox } from "./command-process.ts";

/** A homeserver and what runs beside it have to start, on a busy machine. */
const PATIENCE = { timeout: 200_000 };
const { CRUCIBLE_TEST_SFU: sfu } = process.env;
const SFU = sfu === undefined ? [] : ["--sfu", sfu];

test("a dry run shows what each homeserver would have for calls", PATIENCE, async () => {
  using sandbox = new Sandbox();
  const dry = ["run", "LKJWT.healthz", "--topology", "two", "--dry-run"];

  const text = await sandbox.crucible(...dry, "--sfu", "livekit");
  const json = await sandbox.crucible(...dry, "--json");
  const none = await sandbox.crucible(...dry, "--rtc-auth", "none");

  const services = "process:synapse with process:livekit and process:rtc-auth";
  expect(text.stdout).toContain(`topology two: hs1 ${services}, hs2 ${services}\n`);
  expect(JSON.parse(json.stdout).servers).toEqual(
    ["hs1", "hs2"].map((role) => ({ role, text: "process:synapse", rtcAuth: "process:rtc-auth" })),
  );
  expect(none.stdout).toContain("hs1 process:synapse, hs2 process:synapse\n");
});

test("doctor tries them as it tries the server", PATIENCE, async () => {
  using sandbox = new Sandbox();

  const asked = ["doctor", "--rtc-auth", "embedded", ...SFU, "--json"];
  const { code, stdout } = await sandbox.crucible(...asked);

  const { probes } = JSON.parse(stdout) as { probes: { name: string; state: string }[] };
  const tried = probes.filter(({ name }) => /^(?:rtc|sfu)1: /.test(name));
  const steps = ["answers", "restart", "logs"];
  const names = [
    ...(sfu === undefined ? [] : [...steps, "admin side", "media"].map((step) => `sfu1: ${step}`)),
    ...steps.map((step) => `rtc1: ${step}`),
  ];
  expect(tried.map(({ name }) => name).sort()).toEqual(names.sort());
  expect(tried.every(({ state }) => state === "ok")).toBe(true);
  expect(probes.at(-1)).toMatchObject({ name: "clean-up", state: "ok" });
  expect(code).toBe(0);
});

test("clean removes them too when kill -9 left them", PATIENCE, async () => {
  using sandbox = new Sandbox();
  const oneByOne = ["--repeat", "50", "--workers", "1", "--concurrency", "1"];
  const run = sandbox.run(["LKJWT.healthz", ...SFU, ...oneByOne]);
  await run.hasResults(1, PATIENCE.timeout);
  const started = sandbox.startedProcesses();
  run.signal("SIGKILL");
  await run.ended;
  // The homeserver was forked, and ends with the harness.
  const services = sfu === undefined ? 1 : 2;
  await expect.poll(() => started.filter(isAlive)).toHaveLength(services);
  expect(started).toHaveLength(services + 1);

  const { code } = await sandbox.crucible("clean");

  expect(code).toBe(0);
  expect(started.filter(isAlive)).toEqual([]);
  expect(sandbox.workFolders()).toEqual([]);
});
