/** The random search: one history after another, each decided by the seed and its number alone. */
import { createRandom } from "#harness/random";
import { Choice } from "#protocol/dag/choice";
import { RESET_CLASSES, type ResetClass, resetsOf } from "./classify.ts";
import type { Found } from "./collection.ts";
import { randomHistory } from "./random-room.ts";
import { honestSets, stalePairs, staleSets } from "./second-sets.ts";
import { shrink } from "./shrink.ts";
import { judge, judgeMerge, mergeOf, type Situation } from "./situation.ts";

export interface Tally {
  histories: number;
  /** Resolutions of two different states under one version; none that classifying and shrinking took. */
  cases: number;
  /** Merges in which a version lost state, by class. */
  readonly resets: Record<ResetClass, number>;
}

export interface Finding extends Found {
  /** Of the history: with the seed it makes it again. */
  readonly number: number;
  /** Deeds before it was shrunk. */
  readonly deedsBefore: number;
}

/** Of each class: what comes later is counted and not shrunk. */
const MAX_SHRUNK = 40;

export function emptyTally(): Tally {
  const resets = Object.fromEntries(RESET_CLASSES.map((name) => [name, 0]));
  return { histories: 0, cases: 0, resets: resets as Record<ResetClass, number> };
}

/** A history, and all its merges that are tried. */
export function historyOf(seed: string, number: number) {
  const choice = new Choice(createRandom(`${seed}/${number}`).next);
  const history = randomHistory(choice);
  const seconds = [...honestSets(history), ...staleSets(history), ...stalePairs(history, choice)];
  const merges = seconds.flatMap((second) => {
    const merge = mergeOf(history, second);
    return merge === undefined ? [] : [{ second, merge }];
  });
  return { history, merges };
}

export class RandomSearch {
  readonly #seed: string;
  readonly #shrunk = new Map<ResetClass, number>();
  tally = emptyTally();

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** Judges every merge of one history. Returns the first reset of each class, shrunk. */
  tryHistory(number: number): readonly Finding[] {
    const { tally } = this;
    const { history, merges } = historyOf(this.#seed, number);
    const { creation, deeds } = history;
    tally.histories++;
    const found = new Map<ResetClass, Situation>();
    for (const { second, merge } of merges) {
      const resets = resetsOf(merge);
      tally.cases += 2;
      const verdict = judgeMerge(history, merge, resets);
      if (verdict === undefined) continue;
      const { resetClass } = verdict;
      tally.resets[resetClass]++;
      if (!found.has(resetClass)) found.set(resetClass, { creation, deeds, second });
    }
    return [...found].flatMap(([resetClass, situation]) =>
      this.#shrink(resetClass, situation, number),
    );
  }

  #shrink(resetClass: ResetClass, situation: Situation, number: number): readonly Finding[] {
    const before = this.#shrunk.get(resetClass) ?? 0;
    if (before >= MAX_SHRUNK) return [];
    this.#shrunk.set(resetClass, before + 1);
    const small = shrink(situation, resetClass);
    const verdict = judge(small);
    if (verdict === undefined) throw new RangeError("a shrunk situation lost its reset");
    return [{ ...verdict, situation: small, number, deedsBefore: situation.deeds.length }];
  }
}
