import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { Child } from "./child.ts";

/** Threads that never wait for anything. */
const BUSY = `
import { isMainThread, Worker } from "node:worker_threads";
if (isMainThread) for (let thread = 0; thread < 4; thread++) new Worker(new URL(import.meta.url));
else for (;;) Math.random();
`;

const statesOf = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).map(
    (thread) => /\) (\w)/.exec(readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8"))?.[1],
  );

test.runIf(process.platform === "linux")("no thread of a paused process runs", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "child-"));
  const program = path.join(folder, "busy.mjs");
  writeFileSync(program, BUSY);
  const child = new Child({
    command: process.execPath,
    args: [program],
    cwd: folder,
    env: {},
    logFile: path.join(folder, "log"),
    onSpawn: () => undefined,
    onUnexpectedExit: () => undefined,
  });
  await child.start();
  try {
    const pid = child.pid ?? 0;
    const running = () => statesOf(pid).filter((state) => state === "R").length;
    await expect.poll(running).toBeGreaterThanOrEqual(4);
    for (let round = 0; round < 10; round++) {
      await child.pause();
      expect(new Set(statesOf(pid))).toEqual(new Set(["T"]));
      child.signal("SIGCONT");
      await expect.poll(running).toBeGreaterThanOrEqual(4);
    }
  } finally {
    await child.kill();
    rmSync(folder, { recursive: true });
  }
});

test("a process that is gone is paused at once", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "child-"));
  const child = new Child({
    command: process.execPath,
    args: ["-e", ""],
    cwd: folder,
    env: {},
    logFile: path.join(folder, "log"),
    onSpawn: () => undefined,
    onUnexpectedExit: () => undefined,
  });
  await child.start();
  await child.exit;
  await child.pause();
  rmSync(folder, { recursive: true });
});
