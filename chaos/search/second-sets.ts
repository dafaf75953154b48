/** The states that the end of a history is merged with. */

import type { Choice } from "#protocol/dag/choice";
import { type History, type IndexSet, keyOf } from "./history.ts";

/**
 * `honest`: what every server had after so many deeds; one that knows no more and sends a message makes it meet the end.
 * `stale`: the end, with some keys as they were earlier.
 */
export type SecondSet =
  | { readonly kind: "honest"; readonly moment: number }
  | { readonly kind: "stale"; readonly keys: readonly StaleKey[] };

/** `type|state_key` and the index of the event that it still has; null: none yet. */
export type StaleKey = readonly [key: string, index: number | null];

/** Pairs of stale keys that are tried of one history. */
const MAX_PAIRS = 24;

/** @returns undefined when the history has no such moment */
export function indexesOf(history: History, second: SecondSet): IndexSet | undefined {
  if (second.kind === "honest") return history.moments[second.moment];
  const state = new Map(history.state);
  for (const [key, index] of second.keys) {
    if (index === null) state.delete(key);
    else state.set(key, index);
  }
  return [...state.values()];
}

/** Every honest set but the end itself. */
export function honestSets({ deeds }: History): readonly SecondSet[] {
  return deeds.map((_, moment) => ({ kind: "honest", moment }));
}

/** Every stale set of one key that is no honest one. */
export function staleSets(history: History): readonly SecondSet[] {
  const last = history.events.at(-1);
  return [...earlierValues(history)].flatMap(([key, values]) =>
    values
      // The last event taken back is an honest set.
      .filter((_, at) => last === undefined || keyOf(last) !== key || at < values.length - 1)
      .map((value): SecondSet => ({ kind: "stale", keys: [[key, value]] })),
  );
}

/** Some stale sets of two keys that are no honest ones, each once. */
export function stalePairs(history: History, choice: Choice): readonly SecondSet[] {
  const earlier = [...earlierValues(history)];
  const values = earlier.flatMap(([key, all]) => all.map((value) => ({ key, value })));
  const before = history.moments.at(-3) ?? [];
  const pairs = new Map<string, SecondSet>();
  for (let drawn = 0; earlier.length > 1 && drawn < MAX_PAIRS; drawn++) {
    const one = choice.pick(values);
    const two = choice.pick(values);
    if (one.key >= two.key) continue;
    const keys: StaleKey[] = [
      [one.key, one.value],
      [two.key, two.value],
    ];
    const second: SecondSet = { kind: "stale", keys };
    if (isSame(indexesOf(history, second) ?? [], before)) continue;
    pairs.set(`${one.key} ${one.value} ${two.key} ${two.value}`, second);
  }
  return [...pairs.values()];
}

/** A stale set that some moment of the history had is told as that moment. */
export function honestIfItIs(history: History, second: SecondSet): SecondSet {
  if (second.kind === "honest") return second;
  const set = indexesOf(history, second) ?? [];
  const moment = history.moments.findIndex((state) => isSame(state, set));
  return moment < 0 ? second : { kind: "honest", moment };
}

/** By key that changed after the creation, what it was before, oldest first; null: it was not there. */
function earlierValues(history: History): ReadonlyMap<string, readonly (number | null)[]> {
  const all = new Map<string, number[]>();
  for (const [index, event] of history.events.entries()) {
    const key = keyOf(event);
    const values = all.get(key);
    if (values === undefined) all.set(key, [index]);
    else values.push(index);
  }
  const earlier = new Map<string, readonly (number | null)[]>();
  for (const [key, values] of all) {
    const [first = 0] = values;
    const isOfCreation = first < history.createdBy;
    const before = [...(isOfCreation ? [] : [null]), ...values.slice(0, -1)];
    if (before.length > 0) earlier.set(key, before);
  }
  return earlier;
}

function isSame(one: IndexSet, other: IndexSet): boolean {
  return one.length === other.length && one.every((index) => other.includes(index));
}
