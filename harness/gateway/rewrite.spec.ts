import { expect, test } from "vitest";
import { rewriteBody } from "./rewrite.ts";
import { pathMatches } from "./rule.ts";

test.each([
  ['{"a":{"b":1,"c":2}}', { remove: ["/a/b"] }, '{"a":{"c":2}}'],
  [
    '{"r":{"x":{"e":[1,2]},"y":{"e":[3]}}}',
    { set: { "/r/*/e": [] } },
    '{"r":{"x":{"e":[]},"y":{"e":[]}}}',
  ],
  ['{"e":[1,2,3]}', { remove: ["/e/-1"] }, '{"e":[1,2]}'],
  ['{"e":[1,2,3]}', { remove: ["/e/*"] }, '{"e":[]}'],
  ['{"e":[1]}', { set: { "/e/-": 2 } }, '{"e":[1,2]}'],
  ['{"r":{"e":[1,2]},"e":3}', { reverse: ["/r/e", "/e", "/f"] }, '{"r":{"e":[2,1]},"e":3}'],
  ['{"m.x/y":1}', { set: { "/m.x~1y": 2 } }, '{"m.x/y":2}'],
  ['{"a":1}', { body: { b: 1 }, set: { "/c": 2 } }, '{"b":1,"c":2}'],
  ["<html>", { set: { "/a": 1 } }, "<html>"],
  ['{"a":"x x"}', { replace: [["x", "y"]] as const }, '{"a":"y y"}'],
  ['{"a":1}', { set: { "/missing/deep": 1 } }, '{"a":1}'],
])("rewrites %s", (text, rewrite, changed) => {
  expect(rewriteBody(text, rewrite)).toBe(changed);
});

test.each([
  ["/_matrix/client/v3/login", "/_matrix/client/v3/login", true],
  ["/_matrix/client/*/login", "/_matrix/client/v3/login", true],
  ["/rooms/*/send/**", "/rooms/!a/send/m.room.message/1", true],
  ["/rooms/**/state", "/rooms/!a/state", true],
  ["/rooms/*", "/rooms/a/b", false],
  ["/**", "/a/b/c", true],
])("path pattern %s on %s is %s", (pattern, path, fits) => {
  expect(pathMatches(pattern, path)).toBe(fits);
});
