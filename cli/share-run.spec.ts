import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadCatalogue } from "#harness/requirements/catalogue";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import { RunDirectory, readRun } from "#harness/results/run-directory";
import { shareRun } from "./share-run.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

const { requirements, byId } = await loadCatalogue();
const sensitive = requirements.find((one) => one.sensitive)?.id ?? "";
const SECRET = "what-a-stranger-could-read";

function share(name: string, ...results: readonly (readonly [string, Outcome])[]) {
  const directory = RunDirectory.create(path.join(folder, name));
  const all = results.map(([requirement, outcome]): CheckResult => {
    const common = { kind: "check", deployment: "d", suite: "core", level: "MUST" } as const;
    return { ...common, requirement, check: "c", outcome, durationMs: 1 };
  });
  for (const result of all) {
    const { deployment, requirement, check } = result;
    const message = requirement === "CS.login.flows" ? "open" : SECRET;
    directory.append(result, { deployment, requirement, check, message, exchanges: [] });
  }
  directory.finish(all, { exitCode: 0 });
  for (const part of ["trace", "replay", "logs", "clients"]) {
    mkdirSync(path.join(directory.path, part));
    writeFileSync(path.join(directory.path, part, "a.ndjson"), SECRET);
  }
  writeFileSync(path.join(directory.path, "summary.md"), SECRET);
  const copy = path.join(folder, `${name}-copy`);
  const shared = shareRun(readRun(directory.path), copy, byId);
  const names = readdirSync(copy, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile());
  const text = files.map((file) => readFileSync(path.join(file.parentPath, file.name), "utf8"));
  return { ...shared, copy, names: readdirSync(copy).sort(), text: text.join("\n") };
}

test.each(["fail", "error", "xfail", "flaky"] as const)(
  "of a run with a sensitive %s nothing goes out that it saw",
  (outcome) => {
    for (const id of [sensitive, "CS.of.another-version"]) {
      const { names, text, leftOut, copy } = share(
        `${outcome}-${id}`,
        ["CS.login.flows", "fail"],
        [id, outcome],
      );
      expect(names).toEqual(["evidence.jsonl", "results.jsonl", "run.json"]);
      expect(leftOut).toEqual(["trace", "replay", "logs"]);
      expect(text).not.toContain(SECRET);
      expect(text).toContain("open");
      expect(readRun(copy).results).toHaveLength(2);
    }
  },
);

test("of another run all goes out that shows failures, but no evidence of sensitive checks", () => {
  const { names, leftOut, copy } = share(
    "harmless",
    ["CS.login.flows", "fail"],
    [sensitive, "pass"],
  );
  expect(names).toEqual(["evidence.jsonl", "logs", "replay", "results.jsonl", "run.json", "trace"]);
  expect(leftOut).toEqual([]);
  expect(readFileSync(path.join(copy, "evidence.jsonl"), "utf8")).not.toContain(SECRET);
});

test("results alone are no run to share", () => {
  const file = path.join(folder, "alone.jsonl");
  writeFileSync(file, "");
  expect(() => shareRun(readRun(file), path.join(folder, "x"), byId)).toThrow(/no run directory/);
  expect(existsSync(path.join(folder, "x"))).toBe(false);
});
