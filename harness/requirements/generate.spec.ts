import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { catalogueOf, indexOf, requirement } from "./fixture.ts";
import { generateFiles, staleFiles, writeFiles } from "./generate.ts";

const catalogue = catalogueOf(
  requirement("CS.b.two", { statement: "a|b <c>", complement: "tests/TestA; csapi/TestB" }),
  requirement("CS.a.one", { complement: "tests/TestA", todo: "needs a peer of our own" }),
  requirement("CS.a.old", { retired: "no longer in the text", complement: "tests/TestOld" }),
);
const files = generateFiles(catalogue, indexOf({ id: "CS.b.two" }));
const textOf = (name: string) => files.find((file) => file.name.endsWith(name))?.text;

test("the id type is sorted and lacks retired ids", () => {
  expect(textOf("ids.generated.ts")).toMatch(
    /export type RequirementId =\n {2}\| "CS\.a\.one"\n {2}\| "CS\.b\.two";\n$/,
  );
});

test("the table tells check, todo or retirement", () => {
  const page = textOf("requirements.md");

  expect(page).toContain("| `CS.b.two` | MUST | text | a\\|b &lt;c> | the server does it |\n");
  expect(page).toContain("| todo: needs a peer of our own |");
  expect(page).toContain("| retired: no longer in the text |");
});

test("the parity table tells how much of a test is checked", () => {
  const page = textOf("complement-parity.md");

  expect(page).toContain(
    "| `csapi/TestB` | `CS.b.two` | yes |\n| `tests/TestA` | `CS.a.one`, `CS.b.two` | 1 of 2 |\n",
  );
  expect(page).toContain("1 of 2 tests have");
  expect(page).not.toContain("TestOld");
});

test("writes what is stale, once", async () => {
  const root = await mkdtemp(path.join(tmpdir(), "crucible-generate-"));
  try {
    expect(await staleFiles(files, root)).toHaveLength(3);
    expect(await writeFiles(files, root)).toHaveLength(3);
    expect(await staleFiles(files, root)).toEqual([]);
    expect(await writeFiles(files, root)).toEqual([]);
  } finally {
    await rm(root, { recursive: true });
  }
});
