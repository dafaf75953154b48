import { expect, test } from "vitest";
import { ACTIONS, actionNamed, actionOf } from "./actions.ts";

const ALL = ACTIONS.flatMap(({ actions }) => actions);

test("each key leads to its own action, and each name", () => {
  for (const action of ALL) {
    expect(actionOf(action.key, action.isOfSteps === true)?.name).toBe(action.name);
    expect(actionNamed(action.name)).toBe(action);
  }
});

test("the steps of the explainer take their keys from the rows, and no others", () => {
  const taken = ALL.filter(({ key }) => actionOf(key, true) !== actionOf(key, false));
  expect(new Set(taken.map(({ key }) => key))).toEqual(new Set(["ArrowUp", "ArrowDown"]));
});
