/** The search finds each class from any seed, makes it small, and its files are what they say. */
import { describe, expect, test } from "vitest";
import { parseDagFile } from "#protocol/dag/dag-file";
import { classifyFile } from "./classify-file.ts";
import { Collection, sizeOf } from "./collection.ts";
import { findingFile, versionsOf } from "./finding-file.ts";
import { type Finding, RandomSearch } from "./random-search.ts";

const HISTORIES = 600;
/** Beside the creation of the room. */
const MAX_EVENTS = 8;

function searched(seed: string) {
  const search = new RandomSearch(seed);
  const collection = new Collection<Finding>(4);
  for (let number = 0; number < HISTORIES; number++) {
    for (const finding of search.tryHistory(number)) collection.add(finding);
  }
  return { tally: search.tally, findings: collection.all };
}

describe.each(["1", "some other seed"])("seed %s", (seed) => {
  const { tally, findings } = searched(seed);

  test.each([
    ["A", ["11"]],
    ["B", ["11"]],
    ["C", ["12"]],
    ["D", ["11", "12"]],
  ])("class %s is found in %j and made small", (name, versions) => {
    const found = findings.filter(({ resetClass }) => resetClass === name);

    expect(found.length).toBeGreaterThan(0);
    for (const finding of found) {
      expect(versionsOf(finding.resets)).toEqual(versions);
      expect(sizeOf(finding)).toBeLessThanOrEqual(MAX_EVENTS);
      expect(sizeOf(finding)).toBeLessThanOrEqual(finding.deedsBefore);
    }
  });

  test.each(findings)("the file of a finding of class $resetClass is of that class", (finding) => {
    const file = parseDagFile(JSON.parse(JSON.stringify(findingFile(finding, "x"))));

    expect(classifyFile(file)).toEqual({
      resetClass: finding.resetClass,
      resets: finding.resets,
    });
    expect(file.events).toHaveLength(4 + sizeOf(finding));
    const [truth] = file.stateSets;
    for (const [version, isReset] of [
      ["11", finding.resets.in11],
      ["12", finding.resets.in12],
    ] as const) {
      if (isReset) expect(file.expected.get(version)).not.toEqual(truth);
      else expect(file.expected.get(version)).toEqual(truth);
    }
  });

  test("the same seed and number make the same again", () => {
    const [finding] = findings;
    const again = new RandomSearch(seed).tryHistory(finding?.number ?? 0);

    expect(again).toContainEqual(finding);
  });

  test("every case is counted, two versions a merge", () => {
    expect(tally.histories).toBe(HISTORIES);
    expect(tally.cases % 2).toBe(0);
    expect(tally.cases).toBeGreaterThan(20 * HISTORIES);
  });
});
