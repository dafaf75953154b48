import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readConfigFile } from "./file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string): void {
  writeFileSync(path.join(folder, name), content);
}

test("values come with their lines", () => {
  write("crucible.yaml", "# comment\nsuite: &s [core]\n\nrepeat: 2\nid: *s\n");
  const file = readConfigFile(undefined, folder);
  expect(file?.name).toBe("crucible.yaml");
  expect(file?.values).toEqual(
    new Map<string, unknown>([
      ["suite", { value: ["core"], line: 2 }],
      ["repeat", { value: 2, line: 4 }],
      ["id", { value: ["core"], line: 5 }],
    ]),
  );
});

test("without a file there is none, and an empty one holds nothing", () => {
  expect(readConfigFile(undefined, folder)).toBeUndefined();
  write("crucible.config.yaml", "# nothing\n");
  expect(readConfigFile(undefined, folder)?.values.size).toBe(0);
});

test("two files are one too many, unless one is named", () => {
  write("crucible.config.yaml", "repeat: 1\n");
  write("crucible.yaml", "repeat: 2\n");
  expect(() => readConfigFile(undefined, folder)).toThrow(/two configuration files/);
  expect(readConfigFile("crucible.yaml", folder)?.values.get("repeat")?.value).toBe(2);
});

test.each([
  ["suite: [core\nx: 1\n", /^crucible\.yaml:2: /],
  ["repeat: 1\nrepeat: 2\n", /^crucible\.yaml:2: Map keys must be unique/],
  ["- core\n", /^crucible\.yaml:1: expected settings/],
  ["core\n", /^crucible\.yaml:1: expected settings/],
  ["? [a]\n: 1\n", /^crucible\.yaml:1: expected the name/],
  ["suite: *nowhere\n", /^crucible\.yaml:1: /],
  ["suite: core\n---\nsuite: x\n", /^crucible\.yaml:2: /],
])("%j is refused by line", (content, message) => {
  write("crucible.yaml", content);
  expect(() => readConfigFile(undefined, folder)).toThrow(message);
});

test("a key can not reach an object's prototype", () => {
  write("crucible.yaml", "__proto__: { a: 1 }\n");
  expect([...(readConfigFile(undefined, folder)?.values.keys() ?? [])]).toEqual(["__proto__"]);
});

test("a file that is not there is named", () => {
  expect(() => readConfigFile("none.yaml", folder)).toThrow(/none\.yaml can not be read/);
});
