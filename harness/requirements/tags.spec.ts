import { expect, test } from "vitest";
import { HarnessError } from "#harness/errors";
import { requirement } from "./fixture.ts";
import { tagFilter, tagsOf } from "./tags.ts";

const LOGIN = requirement("CS.login.flows");
const SECRET = requirement("CS.login.secret", { sensitive: true, level: "SHOULD" });
const JOIN = requirement("SS.join.remote", {
  suite: "federation",
  level: "MAY",
  basis: "practice",
  needs: ["federation", "room-version:12"],
  unstable: "org.example",
});
const ALL = [LOGIN, SECRET, JOIN];

function chosen(expression: string): string[] {
  return ALL.filter(tagFilter(expression, ALL)).map(({ id }) => id);
}

function refusal(expression: string): HarnessError {
  try {
    tagFilter(expression, ALL);
  } catch (error) {
    if (error instanceof HarnessError) return error;
    throw error;
  }
  throw new Error(`${expression} was not refused`);
}

test("a requirement is tagged by what it says of itself", () => {
  expect([...tagsOf(SECRET)]).toEqual(["core", "should", "text", "login", "sensitive"]);
  expect([...tagsOf(JOIN)]).toEqual([
    "federation",
    "may",
    "practice",
    "join",
    "room-version:12",
    "unstable",
  ]);
});

test.each([
  ["login", ["CS.login.flows", "CS.login.secret"]],
  ["MUST", ["CS.login.flows"]],
  ["not login", ["SS.join.remote"]],
  ["login and not sensitive", ["CS.login.flows"]],
  ["login and must or room-version:12", ["CS.login.flows", "SS.join.remote"]],
  ["login and (must or room-version:12)", ["CS.login.flows"]],
  ["not (must or may)", ["CS.login.secret"]],
  ["not not unstable", ["SS.join.remote"]],
  ["must and should", []],
])("%s", (expression, ids) => {
  expect(chosen(expression)).toEqual(ids);
});

test("a tag that nothing has is refused with the nearest one", () => {
  expect(refusal("core and logim")).toMatchObject({
    code: "BAD_USAGE",
    what: "--tag core and logim: there is no tag logim",
    next: "did you mean login?",
  });
});

test.each([
  ["core and", "a tag is missing at the end"],
  ["or core", "a tag is missing before or"],
  ["(core", "a ( has no )"],
  ["core)", "a ) has no ("],
  ["core login", "and or or is missing before login"],
  ["()", "a tag is missing before )"],
  [" ", "a tag is missing at the end"],
])("%s is no expression", (expression, what) => {
  expect(refusal(expression).what).toBe(`--tag ${expression}: ${what}`);
});
