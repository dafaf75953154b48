import { expect, test } from "vitest";
import { show } from "./json.ts";

test("shows values in one line, sets as their items", () => {
  expect(show(undefined)).toBe("nothing");
  expect(show("text")).toBe('"text"');
  expect(show({ ids: ["$a"] })).toBe('{"ids":["$a"]}');
  expect(show(new Set(["$a", "$b"]))).toBe('["$a","$b"]');
});

test("cuts what is too long to read", () => {
  expect(show("x".repeat(1000))).toMatch(/^"x+… \(1002 characters\)$/);
});
