import { expect, test } from "vitest";
import { catalogueOf, indexOf, requirement } from "./fixture.ts";
import { lintCatalogue } from "./lint.ts";

const todo = "needs a peer of our own";

test("finds nothing when every MUST has a check or a todo", () => {
  const catalogue = catalogueOf(
    requirement("CS.a.one"),
    requirement("CS.a.two", { todo }),
    requirement("CS.a.three", { level: "SHOULD" }),
    requirement("CS.a.four", { retired: "no longer in the text" }),
  );

  const report = lintCatalogue(
    catalogue,
    indexOf({ id: "CS.a.one" }, { id: "CS.a.one", title: "again" }),
    "/root",
  );

  expect(report.problems).toEqual([]);
  expect(report.counts).toEqual([
    {
      suite: "core",
      must: { total: 2, checked: 1, todo: 1, open: 0 },
      should: { total: 1, checked: 0, todo: 0, open: 1 },
      may: { total: 0, checked: 0, todo: 0, open: 0 },
    },
  ]);
});

test("finds each kind of problem", () => {
  const catalogue = catalogueOf(
    requirement("CS.a.one"),
    requirement("CS.a.two", { todo }),
    requirement("CS.a.open"),
    requirement("CS.a.old", { retired: "no longer in the text" }),
    requirement("MSC1.a.one", { suite: "msc1" }),
  );
  const index = {
    ...indexOf(
      { id: "CS.a.one" },
      { id: "CS.a.one" },
      { id: "CS.a.two" },
      { id: "CS.a.onee" },
      { id: "CS.a.old" },
      { id: "MSC1.a.one" },
    ),
    unreadable: [{ file: "/root/suites/core/b.test.ts", line: 3, reason: "why" }],
  };

  const { problems } = lintCatalogue(catalogue, index, "/root");

  expect(problems.map(({ kind, place }) => [kind, place])).toEqual([
    ["unreadable-check", "suites/core/b.test.ts:3"],
    ["duplicate-title", "suites/core/a.test.ts:2"],
    ["unknown-id", "suites/core/a.test.ts:4"],
    ["retired-id", "suites/core/a.test.ts:5"],
    ["foreign-suite", "suites/core/a.test.ts:6"],
    ["check-and-todo", "CS.a.two"],
    ["must-without-check", "CS.a.open"],
  ]);
});
