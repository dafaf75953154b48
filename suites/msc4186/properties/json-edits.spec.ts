import { expect, test } from "vitest";
import { edited, includes, smaller, spotsIn } from "./json-edits.ts";

const NAMED = ["lists"];

test("spots are all keys and indexes", () => {
  expect(spotsIn({ a: [1, { b: 2 }], c: "" })).toEqual([
    ["a"],
    ["c"],
    ["a", 0],
    ["a", 1],
    ["a", 1, "b"],
  ]);
});

test("an edit changes one spot, or leaves it out", () => {
  const value = { a: [1, { b: 2 }] };
  expect(edited(value, ["a", 1, "b"], (old) => [old])).toEqual({ a: [1, { b: [2] }] });
  expect(edited(value, ["a", 0], () => undefined)).toEqual({ a: [{ b: 2 }] });
  expect(value).toEqual({ a: [1, { b: 2 }] });
});

test("smaller ones have one thing less", () => {
  expect([...smaller({ a: ["b"], c: 0 })]).toEqual([
    { c: 0 },
    { a: ["b"] },
    { a: [], c: 0 },
    { a: [], c: 0 },
    { a: ["x"], c: 0 },
  ]);
});

test("a pattern is in a value with more, under other names and with other plain values", () => {
  const pattern = { lists: { a: { ranges: [[0], []], filters: { spaces: "x" } } } };
  const list = { ranges: [[], [7], [1]], filters: { spaces: "!", tags: [] } };
  expect(includes({ pos: "", lists: { other: {}, b: list } }, pattern, NAMED)).toBe(true);
  expect(includes({ lists: { b: { ...list, ranges: [[7]] } } }, pattern, NAMED)).toBe(false);
  expect(includes({ lists: { b: { ...list, filters: { spaces: 1 } } } }, pattern, NAMED)).toBe(
    false,
  );
  expect(includes({ list: { a: list } }, pattern, NAMED)).toBe(false);
  expect(includes({ key: "*" }, { key: "" }, NAMED)).toBe(false);
});
