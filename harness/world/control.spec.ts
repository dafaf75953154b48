import { request } from "undici";
import { expect, test } from "vitest";
import { IDLE_MS } from "#harness/http/idle";
import { type Control, controlClient, serveControl } from "./control.ts";

/** A command whose isolated deployments never start. */
const STUCK = {
  roomForIsolated: () => new Promise(() => undefined),
  startIsolated: () => new Promise(() => undefined),
  serverLog: () => new Promise(() => undefined),
} as unknown as Control;

const IMPATIENT = { callMs: 100, roomMs: 300 };

test("servers that do not start in time are trouble of ours, with place and next step", async () => {
  await using command = await serveControl(STUCK);

  const client = controlClient(command, IMPATIENT);
  const late = { name: "HarnessError", code: "DEADLINE" };
  await expect(client.startIsolated([], null)).rejects.toMatchObject({
    ...late,
    what: "servers of the check's own did not start within 0.1 s",
    next: expect.stringContaining("logs folder"),
  });
  await expect(client.roomForIsolated(null)).rejects.toMatchObject({
    ...late,
    what: "no other check gave servers of its own back within 0.3 s",
  });
});

test("any other call says which one got no answer", async () => {
  await using command = await serveControl(STUCK);

  await expect(controlClient(command, IMPATIENT).serverLog("main", "hs1", 5)).rejects.toMatchObject(
    {
      code: "DEADLINE",
      what: "the command that holds the servers did not answer serverLog within 0.1 s",
    },
  );
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

test("a connection is there for the next call, however long the check waits in between", async () => {
  await using command = await serveControl(STUCK);

  const { headers } = await request(command.url);

  expect(headers["keep-alive"]).toBe(`timeout=${IDLE_MS / 1000}`);
});
