import { expect, test } from "vitest";
import { type Control, controlClient, serveControl } from "./control.ts";

/** A command whose isolated deployments never start. */
const STUCK = {
  startIsolated: () => new Promise(() => undefined),
  serverLog: () => new Promise(() => undefined),
} as unknown as Control;

const IMPATIENT_MS = 100;

test("servers that do not start in time are trouble of ours, with place and next step", async () => {
  await using command = await serveControl(STUCK);

  await expect(controlClient(command, IMPATIENT_MS).startIsolated([])).rejects.toMatchObject({
    name: "HarnessError",
    code: "DEADLINE",
    what: "servers of the check's own did not start within 0.1 s",
    facts: [expect.stringContaining("waits until other checks")],
    next: expect.stringContaining("logs folder"),
  });
});

test("any other call says which one got no answer", async () => {
  await using command = await serveControl(STUCK);

  await expect(
    controlClient(command, IMPATIENT_MS).serverLog("main", "hs1", 5),
  ).rejects.toMatchObject({
    code: "DEADLINE",
    what: "the command that holds the servers did not answer serverLog within 0.1 s",
  });
});

test("a command that is gone is told as gone, not as late", async () => {
  const command = await serveControl(STUCK);
  await command[Symbol.asyncDispose]();

  await expect(controlClient(command).cpuMs("main", "hs1")).rejects.toMatchObject({
    name: "HarnessError",
    code: "INTERNAL",
    what: "the command that holds the servers gave no answer to cpuMs",
  });
});

test("what the command throws comes as it was", async () => {
  const failing = {
    cpuMs: async () => {
      throw new Error("no such server");
    },
  } as unknown as Control;
  await using command = await serveControl(failing);

  await expect(controlClient(command).cpuMs("main", "hs9")).rejects.toMatchObject({
    code: "INTERNAL",
    what: "no such server",
  });
});
