/** The definitions of the classes hold on the stories, whose classes were found by hand and by two other resolvers. */
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { stateResolutionStory } from "#scenarios/stories/state-resolution";
import { classifyFile } from "./classify-file.ts";

const FOLDER = new URL("../../scenarios/stories/state-resolution/", import.meta.url);
const STORIES = readdirSync(FOLDER).map((name) => stateResolutionStory(name.replace(".json", "")));
const RESETS = STORIES.filter(({ className }) => /^[A-D]$/.test(className));
const OTHERS = STORIES.filter(({ className }) => !/^[A-D]$/.test(className));

test("there are stories of each class", () => {
  const count = (name: string) => RESETS.filter(({ className }) => className === name).length;
  expect(["A", "B", "C", "D"].map(count)).toEqual([5, 5, 3, 2]);
});

test.each(RESETS)("$id is of class $className", (file) => {
  expect(classifyFile(file)?.resetClass).toBe(file.className);
});

test.each(RESETS)("$id is the same whichever state stands first", (file) => {
  const turned = { ...file, stateSets: file.stateSets.toReversed() };
  expect(classifyFile(turned)).toEqual(classifyFile(file));
});

test.each(OTHERS)("$id, $className, is no reset", (file) => {
  expect(classifyFile(file)?.resetClass).toBeUndefined();
});
