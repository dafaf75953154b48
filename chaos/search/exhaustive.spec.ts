/** The exhaustive search makes every history once, finds what there is, and can be stopped and gone on with. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { HarnessError } from "#harness/errors";
import { emptyRoom, nextDeeds } from "./alphabet.ts";
import { addTally, emptyExhaustiveTally, partsOf, searchPart } from "./exhaustive.ts";
import { readProgress, writeProgress } from "./progress-file.ts";
import { nothingDone, searchExhaustively } from "./search-exhaustively.ts";
import { judge } from "./situation.ts";

const SIZE = 3;
/** By a model of its own, of memberships, levels and the join rule only, written in another language. */
const HISTORIES = [1, 6, 39, 281];

const never = new AbortController().signal;

function searched(size: number) {
  const tally = emptyExhaustiveTally();
  const parts = partsOf(size).map((part) => searchPart(part, size, 9, () => false));
  for (const part of parts) if (part !== undefined) addTally(tally, part.tally);
  return { tally, findings: parts.flatMap((part) => part?.findings ?? []) };
}

test("every history is made once, and none twice by names", () => {
  const { tally } = searched(SIZE);

  expect(tally.histories).toEqual(HISTORIES);
});

test("the smallest of each class are of the sizes that are known", () => {
  const { tally, findings } = searched(SIZE);
  const smallest = (counts: readonly number[]) => counts.findIndex((count) => count > 0);

  const { A, B, C, D } = tally.minimal;
  expect([A, B, C, D].map(smallest)).toEqual([2, 3, 3, 2]);
  expect(tally.resets.D).toBeGreaterThan(tally.minimal.D[2] ?? 0);
  for (const { situation, resetClass, resets } of findings) {
    expect(judge(situation)).toEqual({ resetClass, resets });
  }
});

test("interchangeable users: Bob is named before Charlie", () => {
  const senders = nextDeeds(emptyRoom()).flatMap(({ sender, stateKey }) => [sender, stateKey]);

  expect(senders).toContain("@bob:h2");
  expect(senders).not.toContain("@charlie:h3");
});

test("stopped and gone on with, it ends like one that was not stopped", async () => {
  const stop = new AbortController();
  const onProgress = ({ done }: { readonly done: readonly number[] }) => {
    if (done.length >= 40) stop.abort();
  };
  const plan = { workers: 2, signal: never, onProgress: () => undefined };

  const begun = nothingDone(SIZE, 3);
  const half = await searchExhaustively({ ...plan, from: begun, signal: stop.signal, onProgress });
  const rest = await searchExhaustively({ ...plan, from: JSON.parse(JSON.stringify(half)) });
  const whole = await searchExhaustively({ ...plan, from: begun, workers: 1 });

  expect(half.done.length).toBeGreaterThanOrEqual(40);
  expect(half.done.length).toBeLessThan(half.parts);
  expect(rest.done.toSorted()).toEqual(whole.done.toSorted());
  expect(rest.tally).toEqual(whole.tally);
  expect(rest.findings).toEqual(whole.findings);
});

test("a part that was stopped within has no result", () => {
  const [, part] = partsOf(SIZE);
  let asked = 0;

  expect(part).toBeDefined();
  expect(searchPart(part ?? { path: [] }, SIZE + 1, 1, () => ++asked > 2)).toBeUndefined();
  expect(asked).toBe(3);
});

test("progress is read as it was written, and what is none is refused", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-search-"));
  try {
    const file = path.join(folder, "progress");
    expect(readProgress(file)).toBeUndefined();
    const progress = nothingDone(2, 3);
    writeProgress(file, progress);
    expect(readProgress(file)).toEqual(progress);
    writeFileSync(file, "{");
    expect(() => readProgress(file)).toThrow(HarnessError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
