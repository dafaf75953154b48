import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { indexChecks } from "#harness/requirements/check-index";
import { readBugs } from "./bugs.ts";

const OWN = path.resolve(import.meta.dirname, "../../drivers/synapse/bugs.yaml");
const [{ byId: requirements }, index] = await Promise.all([loadCatalogue(), indexChecks()]);
const KNOWN = {
  requirements,
  titlesOf: (id: string) => (index.byId.get(id) ?? []).map(({ title }) => title),
};

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

function reading(text: string) {
  const file = path.join(folder, "bugs.yaml");
  writeFileSync(file, text);
  return () => readBugs(file, KNOWN);
}

const HEAD = `format: 1
implementation: synapse
hs: "process:synapse@{version}"
bugs:
`;

function bug(id: string, lines: readonly string[] = []): string {
  return [
    `  - id: ${id}`,
    "    symptom: it breaks",
    "    suite: rooms",
    '    fix: "somewhere#1"',
    '    fixed_in: "1.144.0"',
    '    affected: "1.136.0"',
    '    fixed: "1.163.2"',
    ...(lines.some((line) => line.startsWith("requirements")) ? [] : ["    requirements: []"]),
    ...(lines.some((line) => line.startsWith("sqlite")) ? [] : ["    sqlite_one_machine: yes"]),
    ...lines.map((line) => `    ${line}`),
    "",
  ].join("\n");
}

test("the list of our own driver has nothing wrong", () => {
  const { bugs, implementation } = readBugs(OWN, KNOWN);

  expect(implementation).toBe("synapse");
  expect(bugs.length).toBeGreaterThan(38);
});

test("a requirement may be an id alone, or say which failure of which check", () => {
  const { bugs } = reading(
    HEAD + bug("A-1", ['requirements: [CS.login.flows, { id: CS.login.password, match: "500" }]']),
  )();

  expect(bugs[0]?.requirements).toEqual([
    { id: "CS.login.flows", as: "fail" },
    { id: "CS.login.password", match: "500", as: "fail" },
  ]);
});

test.each([
  ["a field that there is not", ["symptoms: x"], /5: unknown field symptoms, did you mean symptom/],
  ["no reason", ["sqlite_one_machine: no"], /13: .*sqlite_one_machine: yes, or \{no: <reason>\}/],
  [
    "an unknown requirement",
    ["requirements: [CS.login.flow]"],
    /5: .*no requirement CS.login.flow: .*CS.login.flows/,
  ],
  [
    "an unknown check",
    ["requirements: [{ id: CS.login.flows, check: x }]"],
    /5: CS.login.flows has no check "x"/,
  ],
  ["an error of any kind", ["requirements: [{ id: CS.login.flows, as: error }]"], /5: .*`match`/],
  [
    "a field of a requirement",
    ["requirements: [{ id: CS.login.flows, cheque: x }]"],
    /13: unknown field cheque, known ones: id, check/,
  ],
  ["a deployment's field", ["deployment: { oath: oidc }"], /unknown field oath, .*auth/],
])("%s is told with its line", (_what, lines, message) => {
  expect(reading(HEAD + bug("A-1", lines))).toThrow(message);
});

test("a bug that is there twice is told", () => {
  expect(reading(HEAD + bug("A-1") + bug("A-1"))).toThrow(/14: A-1 is already at line 5/);
});

test("one release can not be affected and mended", () => {
  const text = bug("A-1").replace("1.136.0", "1.163.2");

  expect(reading(HEAD + text)).toThrow(/affected and fixed are one release/);
});

test("a spec without a place for the release is refused", () => {
  expect(reading(HEAD.replace("{version}", "1") + bug("A-1"))).toThrow(/3: hs: has no \{version\}/);
});

test("a file that is not there is told", () => {
  expect(() => readBugs(path.join(folder, "none.yaml"), KNOWN)).toThrow(/can not be read/);
});
