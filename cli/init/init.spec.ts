/** What `init` writes is right before anything of it is edited: tried in a copy of the project. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "#cli/run/session";
import { readRun } from "#harness/results/run-directory";

/** For a busy machine: types of the harness are read, and a homeserver starts twice. */
const PATIENCE = { timeout: 300_000 };
const LEFT_OUT = [".git", ".runs", "dist", "node_modules"];

const copy = mkdtempSync(path.join(tmpdir(), "crucible-init-"));
const made: Record<string, ReturnType<typeof node>> = {};
beforeAll(() => {
  cpSync(ROOT, copy, {
    recursive: true,
    filter: (file) => !LEFT_OUT.includes(path.relative(ROOT, file).split(path.sep)[0] ?? ""),
  });
  symlinkSync(path.join(ROOT, "node_modules"), path.join(copy, "node_modules"));
  made.suite = crucible("init", "suite", "msc9999");
  made.driver = crucible("init", "driver", "a-homeserver-with-a-long-name");
  made.scenario = crucible("init", "scenario", "new-story");
});
afterAll(() => rmSync(copy, { recursive: true }));

function node(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: copy,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}
const crucible = (...args: readonly string[]) => node(path.join(copy, "cli/main.ts"), ...args);

test("it tells what it wrote, and what comes next", () => {
  for (const [kind, first] of [
    ["suite", "suites/msc9999/requirements.yaml"],
    ["driver", "drivers/a-homeserver-with-a-long-name/index.ts"],
    ["scenario", "scenarios/stories/netsplits/new-story.json"],
  ] as const) {
    expect(made[kind]).toMatchObject({ status: 0 });
    expect(made[kind]?.output).toContain(`wrote ${first}\n`);
    expect(made[kind]?.output).toMatch(/^next: crucible /m);
  }
});

test("format, lint, types and the catalogue are in order", PATIENCE, () => {
  const folders = ["suites/msc9999", "drivers/a-homeserver-with-a-long-name"];
  const include = folders.map((folder) => `${folder}/**/*.ts`);
  // Its own file, since what `tsc` remembers of the project lies in the folder that both share.
  const config = { extends: "./tsconfig.json", compilerOptions: { incremental: false }, include };
  writeFileSync(path.join(copy, "tsconfig.init.json"), JSON.stringify(config));

  const formatted = node("node_modules/@biomejs/biome/bin/biome", "check", ...folders);
  const typed = node("node_modules/typescript/bin/tsc", "-p", "tsconfig.init.json");
  const linted = crucible("lint");

  expect(formatted).toEqual({ status: 0, output: expect.stringContaining("No fixes applied") });
  expect(typed).toEqual({ status: 0, output: "" });
  expect(linted).toEqual({ status: 0, output: expect.stringContaining("no problems") });
});

test("the check of a suite passes on Synapse, and is killed by its mutant", PATIENCE, () => {
  const out = path.join(copy, ".runs/x");

  const run = crucible("run", "--suite", "msc9999", "--out", out);
  const mutants = crucible("mutants", "--suite", "msc9999");

  expect(run).toMatchObject({ status: 0 });
  expect(readRun(out).results).toMatchObject([
    { requirement: "MSC9999.example.whoami", outcome: "pass" },
  ]);
  expect(mutants.output).toContain("1 of 1 mutants killed");
  expect(mutants.status).toBe(0);
});

test("a scenario is a plan that ends as it says", () => {
  const file = "scenarios/stories/netsplits/new-story.json";

  expect(crucible("replay", file, "--level", "oracle")).toMatchObject({ status: 0 });
});

test.each([
  ["suite", "msc9999", "suites/msc9999 is there already", "take another name"],
  ["driver", "synapse", "drivers/synapse is there already", "take another name"],
  ["driver", "substrates", "drivers/substrates is there already", "take another name"],
  ["scenario", "new-story", "netsplits/new-story.json is there already", "take another name"],
  ["suite", "../core", '"../core" can not be its name', "msc4306"],
  ["scenario", "New Story", '"New Story" can not be its name', "msc4306"],
])("%s %s is refused, and nothing is written", (kind, name, what, next) => {
  const before = readFileSync(path.join(copy, "drivers/synapse/index.ts"), "utf8");

  const { status, output } = crucible("init", kind, name);

  expect(output).toContain(what);
  expect(output).toMatch(new RegExp(`^ *next: .*${next}`, "m"));
  expect(status).toBe(2);
  expect(readFileSync(path.join(copy, "drivers/synapse/index.ts"), "utf8")).toBe(before);
});
