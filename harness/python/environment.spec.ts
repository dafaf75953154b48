import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { pythonVersionIn } from "./environment.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["venv", "home = /usr/bin\nversion = 3.11.7\nprompt = a\n", "3.11.7"],
  ["uv", "home = /usr/bin\nuv = 0.9.9\nversion_info = 3.14.0\n", "3.14.0"],
  ["another maker", "home = /usr/bin\n", undefined],
])("the Python of an environment that %s made", (name, content, version) => {
  const environment = path.join(folder, name);
  mkdirSync(environment);
  writeFileSync(path.join(environment, "pyvenv.cfg"), content);

  expect(pythonVersionIn(path.join(environment, "bin", "python"))).toBe(version);
});

test("nothing is said of a Python outside of environments", () => {
  expect(pythonVersionIn(path.join(folder, "bin", "python"))).toBeUndefined();
});
