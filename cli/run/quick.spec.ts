import { expect, test } from "vitest";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { indexChecks } from "#harness/requirements/check-index";
import { quickCut } from "./quick.ts";

const [{ requirements }, index] = await Promise.all([loadCatalogue(), indexChecks()]);
const cut = quickCut(requirements, index);

test("all of core is in it", () => {
  const core = (list: typeof cut) => list.filter(({ suite }) => suite === "core");
  expect(core(cut)).toEqual(core(requirements));
});

test("every area of every other suite is in it, with one requirement that has checks", () => {
  const area = (id: string) => id.split(".").slice(0, 2).join(".");
  const others = requirements.filter(({ suite, id }) => suite !== "core" && index.byId.has(id));
  const counts = Map.groupBy(
    cut.filter(({ suite }) => suite !== "core"),
    ({ id }) => area(id),
  );
  expect([...counts.keys()].sort()).toEqual([...new Set(others.map(({ id }) => area(id)))].sort());
  for (const [, list] of counts) expect(list).toHaveLength(1);
});
