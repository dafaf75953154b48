import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { freeAddress } from "./address.ts";
import { serve } from "./served.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "served-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Answers, unless a file says that it is not to start. */
const PROGRAM = `
import { existsSync } from "node:fs";
import { createServer } from "node:http";
if (existsSync("refuse")) process.exit(3);
const [host, port] = process.argv.slice(2);
createServer((_, response) => response.end("{}")).listen(Number(port), host);
`;

test("a server that is tried again answers, or tells how it ended; nobody hears of that end otherwise", async () => {
  const program = path.join(folder, "program.mjs");
  writeFileSync(program, PROGRAM);
  const address = await freeAddress();
  const ends: string[] = [];
  const { child, tryAgain } = await serve(
    {
      role: "hs1",
      runId: "run",
      logFile: path.join(folder, "log"),
      startTimeoutMs: 60_000,
      signal: new AbortController().signal,
      registerProcess: () => undefined,
      onUnexpectedExit: (how) => ends.push(how),
    },
    {
      command: process.execPath,
      args: [program, address.host, String(address.port)],
      cwd: folder,
      env: {},
      address,
    },
  );

  try {
    expect(await tryAgain()).toBeUndefined();
    writeFileSync(path.join(folder, "refuse"), "");
    expect(await tryAgain()).toBe("exit code 3");
    expect(child.isRunning).toBe(false);
    expect(ends).toEqual([]);
    rmSync(path.join(folder, "refuse"));
    expect(await tryAgain()).toBeUndefined();
    child.signal("SIGKILL");
    await expect.poll(() => ends).toEqual(["SIGKILL"]);
  } finally {
    await child.kill();
  }
});
