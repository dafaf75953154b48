import { expect, test } from "vitest";
import type { SiteIndex } from "./data.ts";
import { Filter } from "./filter.ts";
import { Table } from "./table.ts";

function requirement(id: string, level: "MUST" | "SHOULD", statement: string) {
  return { id, level, statement, suite: "core", isSensitive: false, source: "spec §1: sync" };
}

const NONE = { servers: [], counts: {}, levels: [], suites: [] };
const index = {
  requirements: [
    requirement("CS.a.one", "MUST", "Rooms come back."),
    requirement("CS.a.two", "SHOULD", "Names are kept."),
    requirement("CS.b.three", "MUST", "Rooms have names."),
  ],
  deployments: [
    { ...NONE, name: "old", outcomes: "pfp" },
    { ...NONE, name: "new", outcomes: "pff" },
    { ...NONE, name: "new (run 2)", outcomes: "fff" },
  ],
  columns: [
    { name: "old", deployments: [0] },
    { name: "new", deployments: [1, 2] },
  ],
} as unknown as SiteIndex;
const filter = new Filter(new Table(index));

test.each([
  ["", [0, 1, 2]],
  ["rooms", [0, 2]],
  ["rooms names", [2]],
  ["rooms -names", [0]],
  ['"have names"', [2]],
  ["level:must", [0, 2]],
  ["-level:must", [1]],
  ["outcome:fail", [0, 1, 2]],
  ["outcome:fail on:old", [1]],
  ["outcome:pass on:new", []],
  ["changed", [0]],
  ["§1: sync", [0, 1, 2]],
  ["outcome:", [0, 1, 2]],
  ["constructor:x", []],
])("%s", (query, found) => {
  expect(filter.of(query).requirements).toEqual(found);
});

test("deployments are narrowed by their names", () => {
  expect(filter.of("on:old").columns).toEqual([0]);
  expect(filter.of("-on:old").columns).toEqual([1]);
});
