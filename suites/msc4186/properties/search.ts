/** Random search for a story that a server gets wrong, within a time; what is found is shrunk. */
import * as fc from "fast-check";
import { CheckFailure } from "#harness/errors";
import type { World } from "#harness/world/world";

/** Beyond the time of a search, to leave out of what was found what is not needed; within a check's deadline. */
export const GRACE_MS = 20_000;

/** A failing list, the smallest that was come to. */
export interface Found<Item> {
  readonly value: readonly Item[];
  readonly failure: CheckFailure | undefined;
  /** How it was come by, and what makes it again. */
  readonly how: string;
}

/**
 * Tries lists until one fails or the time of `--property-seconds` is over, which shrinking uses as well, and a little more.
 *
 * @throws CheckFailure with the smallest failing list, as one line of JSON, and what makes it again
 */
export async function search<Item>(
  world: World,
  values: fc.Arbitrary<readonly Item[]>,
  holds: (value: readonly Item[]) => Promise<void>,
): Promise<void> {
  const end = Date.now() + world.propertySeconds * 1000;
  const { stories, seed, found } = await findFailing(world, values, holds, { end });
  if (found === undefined) {
    world.note(`${stories} random stories, seed ${seed}`);
    return;
  }
  const { failure, how, value } = found;
  throw new CheckFailure(
    failure?.expected ?? "no failure",
    `${failure?.actual}; ${how}: ${JSON.stringify(value)}`,
    failure?.exchange,
  );
}

export interface Trial<Item> {
  readonly seed: number;
  /** How many were tried, before anything was shrunk. */
  readonly stories: number;
  /** Undefined: none failed. */
  readonly found: Found<Item> | undefined;
}

/**
 * The same until a point in time, without a verdict.
 *
 * @param isShrunk true unless given
 */
export async function findFailing<Item>(
  world: World,
  values: fc.Arbitrary<readonly Item[]>,
  holds: (value: readonly Item[]) => Promise<void>,
  { end, isShrunk = true }: { readonly end: number; readonly isShrunk?: boolean },
): Promise<Trial<Item>> {
  const seed = world.integer(2 ** 31);
  let trouble: unknown;
  const property = fc.asyncProperty(values, async (value) => {
    // What is no verdict about the server ends the search: it fails once, and nothing smaller does.
    if (trouble !== undefined) return;
    try {
      await holds(value);
    } catch (error) {
      if (!(error instanceof CheckFailure)) trouble = error;
      throw error;
    }
  });
  const details = await fc.check(property, {
    seed,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: Math.max(1, end - Date.now()),
    markInterruptAsFailure: false,
    endOnFailure: !isShrunk,
  });
  if (trouble !== undefined) throw trouble;
  const { counterexample, errorInstance, numRuns, numShrinks, counterexamplePath } = details;
  if (counterexample === null) return { seed, stories: numRuns, found: undefined };
  const failure = errorInstance instanceof CheckFailure ? errorInstance : undefined;
  const [value] = counterexample;
  const smallest = isShrunk
    ? await withoutNeedless(value, failure, holds, end + GRACE_MS)
    : { value, failure };
  const how = `after ${numRuns} stories and ${numShrinks} steps of shrinking, seed ${seed}, path ${counterexamplePath}`;
  return { seed, stories: numRuns, found: { ...smallest, how } };
}

interface Failing<Item> {
  readonly value: readonly Item[];
  readonly failure: CheckFailure | undefined;
}

/** Leaves out, one by one, what the failure does not need: fast-check shortens a list from its front only. */
async function withoutNeedless<Item>(
  value: readonly Item[],
  failure: CheckFailure | undefined,
  holds: (value: readonly Item[]) => Promise<void>,
  end: number,
): Promise<Failing<Item>> {
  let smallest: Failing<Item> = { value, failure };
  for (let index = value.length - 1; index >= 0 && Date.now() < end; index--) {
    const shorter = smallest.value.toSpliced(index, 1);
    try {
      if (shorter.length > 0) await holds(shorter);
    } catch (error) {
      if (error instanceof CheckFailure) smallest = { value: shorter, failure: error };
    }
  }
  return smallest;
}
