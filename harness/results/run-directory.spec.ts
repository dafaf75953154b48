import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import type { CheckResult, RunHeader } from "./outcome.ts";
import { RunDirectory, readRun } from "./run-directory.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

const HEADER: RunHeader = {
  kind: "run",
  harness: "0",
  requirements: "h",
  seed: 1,
  deployments: [],
};

function result(requirement: string, check = "c"): CheckResult {
  return {
    kind: "check",
    deployment: "d",
    suite: "core",
    requirement,
    level: "MUST",
    check,
    outcome: "pass",
    durationMs: 3,
  };
}

test("a finished run is sorted and whole", () => {
  const directory = RunDirectory.create(path.join(folder, "finished"));
  directory.writeHeader(HEADER);
  const results = [result("CS.b.b"), result("CS.a.b", "z"), result("CS.a.b", "a")];
  for (const item of results) directory.append(item, undefined);
  directory.finish(results, { exitCode: 0 });
  const stored = readRun(directory.path);
  expect(stored.isComplete).toBe(true);
  expect(stored.results.map(({ requirement, check }) => `${requirement} ${check}`)).toEqual([
    "CS.a.b a",
    "CS.a.b z",
    "CS.b.b c",
  ]);
  expect(readdirSync(directory.path).sort()).toEqual(["results.jsonl", "run.json"]);
  const [, first] = readFileSync(path.join(directory.path, "results.jsonl"), "utf8").split("\n");
  expect(Object.keys(JSON.parse(first ?? ""))).toEqual([
    "kind",
    "deployment",
    "suite",
    "requirement",
    "level",
    "check",
    "outcome",
    "durationMs",
  ]);
});

test("a killed run keeps what it had, also with a torn last line", () => {
  const directory = RunDirectory.create(path.join(folder, "killed"));
  directory.writeHeader(HEADER);
  directory.append(result("CS.a.b"), undefined);
  const partial = path.join(directory.path, "results.partial.jsonl");
  writeFileSync(partial, `${readFileSync(partial, "utf8")}{"kind":"che`);
  const stored = readRun(directory.path);
  expect(stored).toMatchObject({ isComplete: false, header: HEADER });
  expect(stored.results).toHaveLength(1);
});

test.each([
  ["{", /results\.jsonl:1: no JSON/],
  ['{"kind":"check"}', /results\.jsonl:1: deployment/],
  [JSON.stringify({ ...result("CS.a.b"), outcome: "great" }), /results\.jsonl:1: outcome/],
])("a file with %s is refused with its place", (content, message) => {
  const file = path.join(folder, "results.jsonl");
  writeFileSync(file, `${content}\n`);
  expect(() => readRun(file)).toThrow(message);
});

test("no run and no place to write are clear errors", () => {
  expect(() => readRun(path.join(folder, "nothing"))).toThrow(/there is no run in/);
  const file = path.join(folder, "a-file");
  writeFileSync(file, "");
  expect(() => RunDirectory.create(path.join(file, "below"))).toThrow(
    /can not be written[\s\S]*--out/,
  );
});

test("whom a result judges is kept", () => {
  const directory = RunDirectory.create(path.join(folder, "parties"));
  directory.writeHeader(HEADER);
  directory.finish([{ ...result("CS.a.b"), party: "client" }], {});
  expect(readRun(directory.path).results).toMatchObject([{ party: "client" }]);
});

test("results that were cut off between two lines are refused", () => {
  const directory = RunDirectory.create(path.join(folder, "cut"));
  directory.writeHeader(HEADER);
  directory.finish([result("CS.a.b"), result("CS.a.c")], {});
  const file = path.join(directory.path, "results.jsonl");
  writeFileSync(file, readFileSync(file, "utf8").split("\n").slice(0, 2).join("\n"));
  expect(() => readRun(directory.path)).toThrow(/has 1 checks, but was written with 2/);
});

test("what a report needs of run.json is read with the results", () => {
  const directory = RunDirectory.create(path.join(folder, "with-trouble"));
  directory.writeHeader(HEADER);
  directory.finish([], {
    trouble: "hs1 did not start",
    settings: { strict: { value: true, origin: "flag --strict" } },
    startedAt: "2026-11-26T20:00:00.000Z",
    shard: { index: 2, count: 3 },
  });
  expect(readRun(directory.path)).toMatchObject({
    isStrict: true,
    troubles: ["hs1 did not start"],
    startedAt: "2026-11-26T20:00:00.000Z",
    shard: { index: 2, count: 3 },
  });
  rmSync(path.join(directory.path, "run.json"));
  expect(readRun(directory.path)).toMatchObject({ isStrict: false, troubles: [] });
  writeFileSync(path.join(directory.path, "run.json"), '{"exitCode":"zero"}');
  expect(() => readRun(directory.path)).toThrow(/run\.json is not as[\s\S]*exitCode/);
});

test("a run that was ended says so", () => {
  const interrupted = RunDirectory.create(path.join(folder, "interrupted"));
  interrupted.finish([], { exitCode: 130 });
  expect(readRun(interrupted.path).troubles).toEqual(["the run was interrupted"]);
  const killed = RunDirectory.create(path.join(folder, "killed-early"));
  expect(readRun(killed.path).troubles).toEqual([expect.stringContaining("killed")]);
});

test("a run of mutants is no run to report on", () => {
  const directory = RunDirectory.create(path.join(folder, "mutants"));
  directory.writeHeader(HEADER);
  directory.finish([result("CS.a.b")], { mode: "mutants" });
  expect(() => readRun(directory.path)).toThrow(/is a run of mutants/);
});
