import { expect, test } from "vitest";
import { coverageOf, exitCodeOf, unknowns } from "./conclusion.ts";

const PROMISED = {
  chosen: ["refuse", "kill", "reorder", "twice"],
  planned: new Set(["refuse", "kill", "reorder"]),
  epochs: 7,
};
const acted = (...kinds: readonly string[]) =>
  kinds.map((fault) => ({ fault, times: 1, fired: 1 }));
const done = {
  epochs: 7,
  faults: acted("refuse", "kill-in-split", "reorder"),
  unable: new Set<string>(),
  isByHand: false,
};

test("what was promised has to act, when there was time for it", () => {
  const idle = [...acted("refuse"), { fault: "reorder", times: 2, fired: 0 }];

  expect(coverageOf(PROMISED, done).broken).toEqual([]);
  expect(coverageOf(PROMISED, { ...done, faults: idle }).broken).toEqual([
    "kill was never in force",
    "reorder was in force and never acted",
  ]);
});

test("what there was no time for, or comes later, is told as not reached", () => {
  const { broken, notReached } = coverageOf(PROMISED, { ...done, epochs: 6, faults: [] });

  expect(broken).toEqual([]);
  expect(notReached).toEqual([
    "refuse was never in force: 6 of the 7 epochs that have all faults",
    "kill was never in force: 6 of the 7 epochs that have all faults",
    "reorder was never in force: 6 of the 7 epochs that have all faults",
    "twice was never in force: no part of the first 7 epochs",
  ]);
});

test("what people may have been in the way of is told as not reached, and faults by hand are none that were promised", () => {
  const faults = acted("refuse by hand", "kill");
  const { broken, notReached } = coverageOf(PROMISED, { ...done, faults, isByHand: true });

  expect(broken).toEqual([]);
  expect(notReached.slice(0, 2)).toEqual([
    "refuse was never in force, in a run that people had their hands in",
    "reorder was never in force, in a run that people had their hands in",
  ]);
});

test("what a deployment can not do is not missed", () => {
  const unable = new Set(["kill"]);

  expect(
    coverageOf(PROMISED, { ...done, faults: acted("refuse", "reorder"), unable }).broken,
  ).toEqual([]);
});

test("what is unknown never counts as a pass, and a failure comes first", () => {
  const summary = { checker: "state-oracle", looked: 3, findings: [], reason: "nobody showed $a" };
  const troubles = unknowns([
    { ...summary, outcome: "unknown" },
    { ...summary, outcome: "pass" },
  ]);

  expect(troubles).toEqual(["state-oracle is unknown: nobody showed $a"]);
  const run = { isInterrupted: false, hasFailed: false, troubles };
  expect(exitCodeOf(run)).toBe(3);
  expect(exitCodeOf({ ...run, troubles: [] })).toBe(0);
  expect(exitCodeOf({ ...run, hasFailed: true })).toBe(1);
  expect(exitCodeOf({ ...run, hasFailed: true, isInterrupted: true })).toBe(130);
});
