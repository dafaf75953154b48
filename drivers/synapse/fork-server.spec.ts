import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Child } from "#drivers/substrates/process/child";
import { forked } from "./fork-server.ts";
import { synapsePython } from "./index.ts";

const PATIENCE = 60_000;

let folder = "";
let python = "";
/** Nobody writes to it: a Synapse that is to read its configuration there stays. */
let pipe = "";

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "forked-"));
  pipe = path.join(folder, "pipe.yaml");
  execFileSync("mkfifo", [pipe]);
  python = await synapsePython(undefined, {
    progress: () => undefined,
    signal: new AbortController().signal,
  });
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true }));

function childOf(role: string, args: readonly string[], ends: string[] = []): Child {
  return new Child({
    command: "not used",
    args: [],
    cwd: folder,
    env: {},
    logFile: path.join(folder, `${role}.log`),
    onSpawn: () => undefined,
    onUnexpectedExit: (how) => ends.push(how),
    begunBy: () => forked({ python, role, args }),
  });
}

/** State, parent, group and session. */
function fieldsOf(pid: number): readonly [string, number, number, number] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [state = "", ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [parent = 0, group = 0, session = 0] = rest.map(Number);
  return [state, parent, group, session];
}

describe.runIf(process.platform === "linux")("a forked Synapse", { timeout: PATIENCE }, () => {
  test("takes its own arguments and ends with its own code, as if it had been started", async () => {
    const ends: string[] = [];
    const child = childOf("hs1", ["--help"], ends);
    await child.start();
    expect(await child.exit).toBe("exit code 0");
    expect(readFileSync(path.join(folder, "hs1.log"), "utf8")).toContain("--config-path");

    const wrong = childOf("hs1", ["-c", path.join(folder, "none.yaml")], ends);
    await wrong.start();
    expect(await wrong.exit).toBe("exit code 1");
    expect(readFileSync(path.join(folder, "hs1.log"), "utf8")).toContain("none.yaml");
    expect(ends).toEqual(["exit code 0", "exit code 1"]);
  });

  test("has a group, a folder and standard streams of its own, and a parent by its role", async () => {
    const parents: number[] = [];
    for (const role of ["hs1", "hs1", "hs2"]) {
      const child = childOf(role, ["-c", pipe]);
      await child.start();
      const pid = child.pid ?? 0;
      const [, parent, group, session] = fieldsOf(pid);
      parents.push(parent);
      expect([group, session]).toEqual([pid, pid]);
      expect(readlinkSync(`/proc/${pid}/cwd`)).toBe(folder);
      const streams = [0, 1, 2].map((number) => readlinkSync(`/proc/${pid}/fd/${number}`));
      const log = path.join(folder, `${role}.log`);
      expect(streams).toEqual(["/dev/null", log, log]);
      await child.kill();
      expect(await child.exit).toBe("SIGKILL");
    }
    expect(parents[1]).toBe(parents[0]);
    expect(parents[2]).not.toBe(parents[0]);
  });

  test("dies with its fork server, and is told to have ended", async () => {
    const ends: string[] = [];
    const child = childOf("hs2", ["-c", pipe], ends);
    await child.start();
    const pid = child.pid ?? 0;
    process.kill(fieldsOf(pid)[1], "SIGKILL");
    expect(await child.exit).toBe("its fork server ended (SIGKILL)");
    expect(ends).toHaveLength(1);
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
    await child.start();
    expect(child.isRunning).toBe(true);
    await child.kill();
  });

  test("of a Python without Synapse is an error that says so", async () => {
    const begin = forked({ python: "python3", role: "none", args: [] });
    const plan = { cwd: folder, env: {}, logFile: path.join(folder, "none.log") };
    await expect(begin(plan)).rejects.toMatchObject({
      code: "HS_DID_NOT_START",
      facts: expect.arrayContaining([expect.stringContaining("ModuleNotFoundError")]),
    });
  });
});
