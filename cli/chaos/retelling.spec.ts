import { expect, test } from "vitest";
import { retellCommand } from "./retelling.ts";

test("a story is told again to the same servers, broken and judged in the same way", () => {
  const hs = ["hs1=process:synapse@1.136.0", "hs2=docker:./my server"];
  const run = { hs, checkers: ["all-readable"], mutant: "lose-to-device" };
  expect(retellCommand("story.json", run)).toBe(
    "crucible replay story.json --hs hs1=process:synapse@1.136.0 --hs 'hs2=docker:./my server' --check all-readable --mutant lose-to-device",
  );
});

test("what was left open is left open again", () => {
  const run = { hs: [], checkers: undefined, mutant: undefined };
  expect(retellCommand("story-1.replay.ndjson", run)).toBe("crucible replay story-1.replay.ndjson");
});

test("auth services come again", () => {
  const run = { hs: [], auth: ["--auth", "oidc"], checkers: undefined, mutant: "keep-device" };
  expect(retellCommand("story.json", run)).toBe(
    "crucible replay story.json --auth oidc --mutant keep-device",
  );
});
