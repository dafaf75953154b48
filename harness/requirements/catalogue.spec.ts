import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadCatalogue } from "./catalogue.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "crucible-catalogue-"));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function suite(name: string, text: string): Promise<void> {
  await mkdir(path.join(root, "suites", name), { recursive: true });
  await writeFile(path.join(root, "suites", name, "requirements.yaml"), text);
}

function item(id: string, more = ""): string {
  return `- id: ${id}\n  level: MUST\n  basis: text\n  source: s\n  statement: rule of ${id}\n  check: c\n${more}`;
}

test("reads all suites in order, with defaults", async () => {
  await suite("two", item("CS.b.two"));
  await suite("one", item("CS.b.one", "  needs: [federation]\n") + item("CS.a.one"));
  await mkdir(path.join(root, "suites", "empty"));

  const catalogue = await loadCatalogue(root);

  expect(catalogue.suites).toEqual(["one", "two"]);
  expect(catalogue.requirements.map(({ id, suite, needs }) => [id, suite, needs])).toEqual([
    ["CS.b.one", "one", ["federation"]],
    ["CS.a.one", "one", []],
    ["CS.b.two", "two", []],
  ]);
  expect(catalogue.hash).toMatch(/^[0-9a-f]{16}$/);
});

test("the hash depends on level and statement, not on order or checks", async () => {
  await suite("one", item("CS.a.one") + item("CS.a.two"));
  const before = await loadCatalogue(root);
  await suite("one", item("CS.a.two", "  todo: because of reasons\n") + item("CS.a.one"));
  const reordered = await loadCatalogue(root);
  await suite("one", item("CS.a.two") + item("CS.a.one").replace("MUST", "MAY"));
  const changed = await loadCatalogue(root);

  expect(reordered.hash).toBe(before.hash);
  expect(changed.hash).not.toBe(before.hash);
});

test("names file and line of every problem at once", async () => {
  await suite(
    "one",
    item("CS.a.one", "  levle: x\n") + item("wrong") + item("CS.a.three").replace("MUST", "NEVER"),
  );
  await suite("two", "- id: [\n");
  await suite("three", "id: CS.a.one\n");

  await expect(loadCatalogue(root)).rejects.toMatchObject({
    code: "BAD_FILE",
    facts: [
      expect.stringMatching(
        /^suites\/one\/requirements\.yaml:7: unknown field levle, did you mean level\?$/,
      ),
      expect.stringMatching(/^suites\/one\/requirements\.yaml:8: id: an id looks like/),
      expect.stringMatching(/^suites\/one\/requirements\.yaml:15: level: .*MUST/),
      expect.stringMatching(/^suites\/three\/requirements\.yaml:1: expected a list/),
      expect.stringMatching(/^suites\/two\/requirements\.yaml:2: not valid YAML/),
    ],
  });
});

test("refuses items that are no maps and missing fields", async () => {
  await suite("one", "- just text\n- id: CS.a.one\n");

  await expect(loadCatalogue(root)).rejects.toMatchObject({
    facts: expect.arrayContaining([
      expect.stringMatching(/requirements\.yaml:1: .*expected object/),
      expect.stringMatching(/requirements\.yaml:2: statement: missing/),
    ]),
  });
});

test("a duplicate id names both places", async () => {
  await suite("one", item("CS.a.one"));
  await suite("two", item("CS.a.two") + item("CS.a.one"));

  await expect(loadCatalogue(root)).rejects.toMatchObject({
    facts: [
      "suites/two/requirements.yaml:7: CS.a.one is already defined at suites/one/requirements.yaml:1",
    ],
  });
});

test("says so when there are no suites", async () => {
  await expect(loadCatalogue(root)).rejects.toMatchObject({
    code: "BAD_FILE",
    what: "the suites can not be read",
  });
});
