import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CheckFailure, HarnessError } from "#harness/errors";
import type { World } from "#harness/world/world";
import { findFailing, search } from "./search.ts";

function worldFor(propertySeconds: number): { world: World; notes: string[] } {
  const notes: string[] = [];
  const world = { propertySeconds, integer: () => 7, note: (text: string) => notes.push(text) };
  return { world: world as unknown as World, notes };
}

const LISTS = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 12 });

test("a failure comes with the least that shows it, and what makes it again", async () => {
  const { world } = worldFor(20);
  const holds = (list: readonly number[]) => {
    if (list.includes(3) && list.includes(5)) throw new CheckFailure("no 3 with 5", "both");
    return Promise.resolve();
  };
  const error = await search(world, LISTS, holds).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(CheckFailure);
  expect(error.actual).toMatch(/^both; after \d+ stories .*seed 7, path [\d:]+: \[(?:3,5|5,3)\]$/);
});

test("trouble of ours ends it at once, and is no failure of the server", async () => {
  // Longer than this may take: it would not come to its end in time if it went on.
  const { world } = worldFor(600);
  const trouble = new HarnessError("HS_NO_ANSWER", { what: "nobody is there" });
  let calls = 0;
  await expect(
    search(world, LISTS, () => {
      calls++;
      return Promise.reject(trouble);
    }),
  ).rejects.toBe(trouble);
  expect(calls).toBe(1);
});

test("without a failure it takes its time and tells how many there were", async () => {
  const { world, notes } = worldFor(1);
  await search(world, LISTS, () => new Promise((resolve) => setTimeout(resolve, 1)));
  expect(notes).toEqual([expect.stringMatching(/^\d+ random stories, seed 7$/)]);
});

test("a failure is left as it was drawn where the caller shrinks it", async () => {
  const { world } = worldFor(20);
  const lists = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 12, maxLength: 12 });
  const holds = (list: readonly number[]) =>
    list.includes(3) ? Promise.reject(new CheckFailure("no 3", "one")) : Promise.resolve();
  const { found } = await findFailing(world, lists, holds, {
    end: Date.now() + 20_000,
    isShrunk: false,
  });
  expect(found?.value).toHaveLength(12);
  expect(found?.failure?.actual).toBe("one");
  expect(found?.how).toMatch(/and 0 steps of shrinking, seed 7, path \d+$/);
});
