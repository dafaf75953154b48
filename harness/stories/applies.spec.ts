import { expect, test } from "vitest";
import { whyNot } from "./applies.ts";
import { parseStories } from "./story.ts";

const AND_NIO = { a: "wasm", b: "nio" } as const;
const AND_JS = { a: "wasm", b: "js-sdk" } as const;

function story(given: object) {
  const base = { id: "spec.story", hunts: "none", devices: { alice: {}, bob: { side: "b" } } };
  const [parsed] = parseStories(
    [{ ...base, steps: [{ sync: ["alice", "bob"] }], ...given }],
    "spec",
  );
  if (parsed === undefined) throw new TypeError("no story");
  return parsed;
}

test("what all clients can do is told to every pair", () => {
  expect(whyNot(story({}), AND_NIO)).toBeUndefined();
  expect(whyNot(story({ steps: [{ identity: "alice" }] }), AND_NIO)).toBeUndefined();
});

test("a word for a kind counts for either side", () => {
  const given = story({ "not-for": { nio: "makes no fallback keys" } });
  expect(whyNot(given, AND_NIO)).toEqual({ kind: "nio", reason: "makes no fallback keys" });
  expect(whyNot(given, AND_JS)).toBeUndefined();
});

test.each([
  [{ steps: [{ identity: ["alice", "bob"] }] }, "cross-signing"],
  [{ steps: [{ insists: { do: { identity: "bob" } } }] }, "cross-signing"],
  [
    { steps: [{ begin: { as: "x", do: { fails: { do: { "backup-create": "bob" } } } } }] },
    "backup",
  ],
  [{ steps: [{ together: [{ sync: "bob" }, { dehydrate: { by: "bob", as: "x" } }] }] }, "MSC3814"],
  [{ steps: [{ claim: { by: "alice", of: "bob", gives: "fallback" } }] }, "fallback keys"],
  [{ steps: [{ verify: { by: "alice", of: "bob", via: "sas-room" } }] }, "sas-room"],
  [{ devices: { alice: {}, bob: { side: "b", sync: "sliding" } } }, "/sync only"],
  [{ devices: { alice: {}, bob: { side: "b", share: "identity" } } }, "shares with all"],
])("what a client of the pair can not do is seen from the story: %j", (given, reason) => {
  expect(whyNot(story(given), AND_NIO)).toMatchObject({
    kind: "nio",
    reason: expect.stringContaining(reason),
  });
});

test("matrix-js-sdk has the policies of its two isolation modes, and no other", () => {
  const reads = (read: string) =>
    whyNot(story({ devices: { bob: { side: "b", share: "identity", read } } }), AND_JS);
  expect(reads("legacy")).toBeUndefined();
  expect(reads("cross-signed")).toMatchObject({ kind: "js-sdk" });
});
