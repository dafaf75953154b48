/** A merge as what was done in the room and which state the end meets: what is judged, made small and kept. */
import { classify, type Merge, type ResetClass, type Resets, resetsOf } from "./classify.ts";
import { type Deed, History } from "./history.ts";
import { honestIfItIs, indexesOf, type SecondSet } from "./second-sets.ts";

export interface Situation {
  readonly creation: readonly Deed[];
  readonly deeds: readonly Deed[];
  readonly second: SecondSet;
}

export interface Verdict {
  readonly resetClass: ResetClass;
  readonly resets: Resets;
}

/** Undefined when no version loses state. */
export function judgeMerge(history: History, merge: Merge, resets: Resets): Verdict | undefined {
  const isTrue = !history.deeds.some(({ isAhead }) => isAhead);
  const trued = () => ({ ...merge, graphs: history.retimed(() => false) });
  const resetClass = classify(merge, resets, isTrue ? undefined : trued);
  return resetClass === undefined ? undefined : { resetClass, resets };
}

/** Undefined when the deeds are not allowed, the sets are the same, or no version loses state. */
export function judge({ creation, deeds, second: given }: Situation): Verdict | undefined {
  const history = History.of(creation, deeds);
  const second = history && honestIfItIs(history, given);
  const merge = second && mergeOf(history, second);
  return merge && judgeMerge(history, merge, resetsOf(merge));
}

/** Undefined when the history has no such set, or it is the end. */
export function mergeOf(history: History, second: SecondSet): Merge | undefined {
  const indexes = indexesOf(history, second);
  const { graphs, end } = history;
  if (indexes === undefined || indexes === end) return undefined;
  return { graphs, truth: end, second: indexes, isHonest: second.kind === "honest" };
}

export function withTrueClock({ isAhead: _, ...deed }: Deed): Deed {
  return deed;
}
