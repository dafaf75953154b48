import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { CALLS, mergedFigures, readCallFigures } from "./call-figures.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

const FIGURE = { name: "leave to silent", subject: "x", values: [1, 2] } as const;

test("figures of a run are read, and nothing where there are none or anything else", () => {
  expect(readCallFigures(folder)).toEqual([]);
  const read = (text: string) => {
    writeFileSync(path.join(folder, CALLS), text);
    return readCallFigures(folder);
  };
  expect(read(JSON.stringify({ figures: [FIGURE] }))).toEqual([FIGURE]);
  expect(read('{"figures":[{"name":"x"}]}')).toEqual([]);
  expect(read('{"figures":[')).toEqual([]);
});

test("values of the same thing come together, in the order of the figures", () => {
  const join = { name: "join to first audio", subject: "x", values: [9] } as const;
  expect(mergedFigures([FIGURE, join, { ...FIGURE, values: [3] }])).toEqual([
    join,
    { ...FIGURE, values: [1, 2, 3] },
  ]);
});
