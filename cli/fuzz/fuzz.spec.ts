import { expect, test } from "vitest";
import { MUTANTS } from "./mutants.ts";
import { type Finding, fuzzRoom, newTally, RECEIVER, type Receiver, type Tally } from "./run.ts";

function fuzz(receiver: Receiver, rooms: number): { tally: Tally; findings: Finding[] } {
  const tally = newTally();
  const findings: Finding[] = [];
  for (let room = 0; room < rooms && findings.length === 0; room++) {
    const finding = fuzzRoom("spec", room, receiver, tally);
    if (finding !== undefined) findings.push(finding);
  }
  return { tally, findings };
}

test("mutated events end in every way that an event can, and nothing is found", () => {
  const { tally, findings } = fuzz(RECEIVER, 300);
  expect(findings).toEqual([]);
  for (const count of Object.values(tally)) expect(count).toBeGreaterThan(0);
});

test.each(Object.keys(MUTANTS))("a receiver that is spoilt is found: %s", (name) => {
  const receiver = MUTANTS[name];
  if (receiver === undefined) throw new Error(name);
  const { findings } = fuzz(receiver, 300);
  expect(findings).toHaveLength(1);
});

test("a number and a seed make the same room again", () => {
  const spoilt = MUTANTS["trusts-signatures"] ?? RECEIVER;
  const { findings } = fuzz(spoilt, 300);
  const [first] = findings;
  const { tally } = fuzz(RECEIVER, 0);
  expect(first && fuzzRoom("spec", first.number, spoilt, tally)?.events).toEqual(first?.events);
});
