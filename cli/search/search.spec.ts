/** The command as a user calls it: what it finds is read by `resolve`, and nothing is lost when it is stopped. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Sandbox } from "#cli/command-process";

/** Several cores' work on a busy machine. */
const PATIENCE = { timeout: 180_000 };

interface Printed {
  readonly cases: number;
  readonly findings: readonly { class: string; events: number; file: string; versions: string[] }[];
}

test(
  "random: every class is found, and its files are as resolve expects them",
  PATIENCE,
  async () => {
    using sandbox = new Sandbox();

    const args = ["--seed", "7", "--count", "900", "--workers", "2", "--keep", "2", "--json"];
    const { code, stdout } = await sandbox.crucible("search", ...args);
    const { cases, findings } = JSON.parse(stdout) as Printed;
    const files = findings.map(({ file }) => file);
    const resolved = await sandbox.crucible("resolve", ...files);

    expect(code).toBe(0);
    expect(cases).toBeGreaterThan(10_000);
    const versions = (name: string) => findings.find((one) => one.class === name)?.versions;
    expect(["A", "B", "C", "D"].map(versions)).toEqual([["11"], ["11"], ["12"], ["11", "12"]]);
    for (const { class: name, events } of findings) {
      if (name !== "other") expect(events).toBeLessThanOrEqual(8);
    }
    expect(new Set(files).size).toBe(files.length);
    expect(resolved.code).toBe(0);
    expect(resolved.stdout).toContain("room version 12: as expected");
  },
);

test("random: interrupted, it tells and keeps what was found", PATIENCE, async () => {
  using sandbox = new Sandbox();

  const search = sandbox.start("search", "--seconds", "170", "--out", "found", "--seed", "7");
  await search.remarks(/D 2 events/);
  search.signal("SIGINT");
  const { code, stdout, stderr } = await search.ended;

  expect(code).toBe(130);
  expect(stderr).toContain("interrupted; the seed was 7");
  expect(stdout).toMatch(/D in 11 and 12, 2 of \d+ events, found\/d-7-\d+\.json/);
  expect(readdirSync(sandbox.path("found")).some((name) => name.startsWith("d-7-"))).toBe(true);
});

test("exhaustive: killed, it goes on from what was done", PATIENCE, async () => {
  using sandbox = new Sandbox();
  const file = sandbox.path("out", "exhaustive-6.progress");

  const args = ["search", "--exhaustive", "--out", "out"];
  const killed = sandbox.start(...args);
  await killed.remarks(/of 282 parts, \d+ s/);
  killed.signal("SIGKILL");
  await killed.ended;
  const { done } = JSON.parse(readFileSync(file, "utf8")) as { done: number[] };
  const resumed = sandbox.start(...args, "--resume");
  await resumed.remarks(new RegExp(`${282 - done.length} of 282 parts to do`));
  resumed.signal("SIGINT");
  const { code, stderr, stdout } = await resumed.ended;

  expect(done.length).toBeGreaterThan(0);
  expect(code).toBe(130);
  expect(stderr).toContain("next: crucible search --exhaustive --size 6");
  expect(stdout).toMatch(/not complete: \d+ of 282 parts/);
  expect(existsSync(file)).toBe(true);
});

test("exhaustive: says that there is none up to the size", PATIENCE, async () => {
  using sandbox = new Sandbox();

  const { code, stdout } = await sandbox.crucible("search", "--exhaustive", "--size", "2");

  expect(code).toBe(0);
  expect(stdout).toMatch(/^A +\d+ resets; minimal: 4 of 2 events$/m);
  expect(stdout).toMatch(/^B +none up to size 2$/m);
  expect(stdout).toMatch(/^C +none up to size 2$/m);
  expect(stdout).toMatch(/^D +1 resets; minimal: 1 of 2 events$/m);
  expect(stdout).toContain("histories by size: 1, 6, 39");
});

test("options that are of no use together are refused", PATIENCE, async () => {
  using sandbox = new Sandbox();

  const random = await sandbox.crucible("search", "--resume");
  const exhaustive = await sandbox.crucible("search", "--exhaustive", "--seed", "1");
  const nowhere = await sandbox.crucible("search", "--count", "50", "--out", "/dev/null/x");

  expect(random.stderr).toContain("--resume is of no use without --exhaustive");
  expect(exhaustive.stderr).toContain("--seed is of no use with --exhaustive");
  expect(nowhere.stderr).toContain("/dev/null/x can not be written");
  expect([random.code, exhaustive.code, nowhere.code]).toEqual([2, 2, 2]);
});
