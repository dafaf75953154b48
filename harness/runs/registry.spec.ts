import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { RunRegistry, sweepRun } from "./registry.ts";

test.skipIf(process.getuid?.() !== 0 || process.platform !== "linux")(
  "takes away the file systems that a dead run has mounted",
  async () => {
    await using registry = RunRegistry.open(`spec-${process.pid}`);
    const disk = registry.workFolder("main-hs1");
    const mount = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1M", "crucible", disk]);
    expect(mount.status).toBe(0);
    writeFileSync(path.join(disk, "homeserver.db"), "data");
    const removed = await sweepRun(registry.runId);
    expect(removed).toEqual([`work folder of run ${registry.runId}`]);
    expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(disk);
    expect(existsSync(registry.folder)).toBe(false);
  },
);
