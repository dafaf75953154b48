import { expect, test } from "vitest";
import { HarnessError } from "#harness/errors";
import { catalogueOf, requirement } from "./fixture.ts";
import { listRequirements, requirementById, type Selection, selectRequirements } from "./select.ts";

const catalogue = catalogueOf(
  requirement("CS.push.counts"),
  requirement("CS.push.rules", { level: "SHOULD" }),
  requirement("CS.login.password"),
  requirement("CS.login.old", { retired: "no longer in the text" }),
  requirement("MSC1.push.x", { suite: "msc1" }),
);
const select = (selection?: Selection) =>
  selectRequirements(catalogue, selection).map(({ id }) => id);

test("selects all but the retired ones unless narrowed", () => {
  const all = ["CS.push.counts", "CS.push.rules", "CS.login.password", "MSC1.push.x"];

  expect(select()).toEqual(all);
  expect(select({ ids: [], suites: [], levels: [] })).toEqual(all);
  expect(select({ ids: ["*"] })).toEqual(all);
  expect(listRequirements(catalogue, { ids: ["CS.login.*"] })).toHaveLength(2);
});

test("narrows by globs, ids, suites, levels and tags together", () => {
  expect(select({ ids: ["CS.push.*"] })).toEqual(["CS.push.counts", "CS.push.rules"]);
  expect(select({ ids: ["*.push.*"], suites: ["msc1"] })).toEqual(["MSC1.push.x"]);
  expect(select({ ids: ["CS.login.password", "CS.p*s"], levels: ["must"] })).toEqual([
    "CS.push.counts",
    "CS.login.password",
  ]);
  expect(select({ ids: ["CS.login.*"], suites: ["msc1"] })).toEqual([]);
  expect(select({ ids: ["*.push.*"], tag: "must and not msc1" })).toEqual(["CS.push.counts"]);
});

test.each<[Selection, string, string]>([
  [
    { ids: ["CS.login.pasword"] },
    "unknown requirement CS.login.pasword",
    "did you mean CS.login.password?",
  ],
  [{ ids: ["CS.push"] }, "unknown requirement CS.push", "for the whole area write 'CS.push.*'"],
  [{ ids: ["CS.psh.*"] }, "no requirement matches CS.psh.*", "did you mean CS.push.*?"],
  [{ ids: ["CS.push.(*"] }, "no requirement matches CS.push.(*", "did you mean CS.push.*?"],
  [{ suites: ["cor"] }, "unknown suite cor", "did you mean core?"],
  [{ levels: ["shoud"] }, "unknown level shoud", "did you mean SHOULD?"],
  [{ ids: ["CS.login.old"] }, "CS.login.old is retired: no longer in the text", "leave it out"],
])("refuses %j", (selection, what, next) => {
  expect(() => select(selection)).toThrow(new HarnessError("BAD_USAGE", { what, next }));
});

test("finds one by id", () => {
  expect(requirementById(catalogue, "CS.login.old").retired).toBeDefined();
  expect(() => requirementById(catalogue, "zzz")).toThrow("known ones: CS.push.counts");
});
