/**
 * The bounded-exhaustive search: every history of the alphabet up to a size, and every merge of its end with an honest
 * state, with a state of which one key is stale, and with an honest state where the clock of one event is ahead.
 */
import { separate } from "#protocol/state/conflicts";
import { fullConflictedSet } from "#protocol/state/resolve-v2";
import { emptyRoom, nextDeeds } from "./alphabet.ts";
import { classify, type Merge, RESET_CLASSES, type ResetClass, resetsOf } from "./classify.ts";
import { Collection, type Found } from "./collection.ts";
import type { History } from "./history.ts";
import { honestIfItIs, honestSets, type SecondSet, staleSets } from "./second-sets.ts";
import { shift } from "./shrink.ts";
import { mergeOf, type Situation, type Verdict } from "./situation.ts";

/** Which deed to take of those that are allowed, step by step: the history that a part of the search begins with. */
export type Path = readonly number[];

/** One part of the search: histories that begin with the path; with `below`, those that are shorter than that. */
export interface Part {
  readonly path: Path;
  readonly below?: number;
}

export interface ExhaustiveTally {
  /** By size, from 0 on. */
  readonly histories: number[];
  cases: number;
  readonly resets: Record<ResetClass, number>;
  /** Of which no single event can be left out, by class and size. */
  readonly minimal: Record<ResetClass, number[]>;
}

export interface PartResult {
  readonly tally: ExhaustiveTally;
  readonly findings: readonly Found[];
}

/** Deeds of the paths that the search is parted by. */
const PART_DEPTH = 3;

export function emptyExhaustiveTally(): ExhaustiveTally {
  const byClass = <T>(value: () => T) =>
    Object.fromEntries(RESET_CLASSES.map((name) => [name, value()])) as Record<ResetClass, T>;
  return {
    histories: [],
    cases: 0,
    resets: byClass(() => 0),
    minimal: byClass(() => []),
  };
}

export function addTally(sum: ExhaustiveTally, more: ExhaustiveTally): void {
  addCounts(sum.histories, more.histories);
  sum.cases += more.cases;
  for (const name of RESET_CLASSES) {
    sum.resets[name] += more.resets[name];
    addCounts(sum.minimal[name], more.minimal[name]);
  }
}

function addCounts(sum: number[], more: readonly number[]): void {
  for (let at = 0; at < more.length; at++) sum[at] = (sum[at] ?? 0) + (more[at] ?? 0);
}

function addOne(sum: number[], at: number): void {
  while (sum.length <= at) sum.push(0);
  sum[at] = (sum[at] ?? 0) + 1;
}

/** All parts of the search up to this size, each a fraction of the work. */
export function partsOf(size: number): readonly Part[] {
  const depth = Math.min(PART_DEPTH, size);
  const parts: Part[] = [{ path: [], below: depth }];
  const history = emptyRoom();
  const descend = (path: Path) => {
    if (path.length === depth) {
      parts.push({ path });
      return;
    }
    for (const [at, deed] of nextDeeds(history).entries()) {
      history.send(deed);
      descend([...path, at]);
      history.undo();
    }
  };
  descend([]);
  return parts;
}

/**
 * @param most findings that are kept of a class
 * @returns undefined when it was stopped
 */
export function searchPart(
  { path, below }: Part,
  size: number,
  most: number,
  isStopped: () => boolean,
): PartResult | undefined {
  const search = new PartSearch(below === undefined ? size : below - 1, most, isStopped);
  return search.run(path) ? search.result : undefined;
}

/** Which merges of a history lose state: what a longer one that loses it likewise does not show anew. */
type Hits = ReadonlySet<string>;

class PartSearch {
  readonly #size: number;
  readonly #isStopped: () => boolean;
  readonly #tally = emptyExhaustiveTally();
  readonly #collection: Collection<Found>;

  constructor(size: number, most: number, isStopped: () => boolean) {
    this.#size = size;
    this.#collection = new Collection(most);
    this.#isStopped = isStopped;
  }

  get result(): PartResult {
    return { tally: this.#tally, findings: this.#collection.all };
  }

  /** False when it was stopped. */
  run(path: Path): boolean {
    const history = emptyRoom();
    for (const at of path) {
      const deed = nextDeeds(history)[at];
      if (deed === undefined) throw new RangeError(`there is no path ${path.join(".")}`);
      history.send(deed);
    }
    return this.#descend(history, new Set());
  }

  #descend(history: History, hitsBefore: Hits): boolean {
    if (this.#isStopped()) return false;
    const { length } = history.deeds;
    addOne(this.#tally.histories, length);
    const hits = this.#tryMerges(history, hitsBefore);
    if (length >= this.#size) return true;
    for (const deed of nextDeeds(history)) {
      history.send(deed);
      const isDone = this.#descend(history, hits);
      history.undo();
      if (!isDone) return false;
    }
    return true;
  }

  #tryMerges(history: History, hitsBefore: Hits): Hits {
    const hits = new Set<string>();
    const right: { readonly second: SecondSet; readonly merge: Merge }[] = [];
    const hit = (second: SecondSet, { resetClass, resets }: Verdict, ahead?: number) => {
      const known = `${resetClass} ${ahead} ${JSON.stringify(second)}`;
      hits.add(known);
      this.#tally.resets[resetClass]++;
      if (hitsBefore.has(known) || !isMinimalIn(history, second, ahead, resetClass)) return;
      addOne(this.#tally.minimal[resetClass], history.deeds.length);
      const situation = situationOf(history, second, ahead);
      this.#collection.add({ resetClass, resets, situation });
    };
    for (const second of [...honestSets(history), ...staleSets(history)]) {
      const merge = mergeOf(history, second);
      if (merge === undefined) continue;
      const verdict = this.#try(merge);
      if (verdict !== undefined) hit(second, verdict);
      else if (second.kind === "honest") right.push({ second, merge });
    }
    const timed = right.map((one) => ({ ...one, timed: timedEvents(one.merge) }));
    for (let ahead = 0; ahead < history.deeds.length; ahead++) {
      const event = history.createdBy + ahead;
      const affected = timed.filter((one) => one.timed.includes(event));
      if (affected.length === 0) continue;
      const graphs = history.retimed((deed) => deed === ahead);
      for (const { second, merge } of affected) {
        const verdict = this.#try({ ...merge, graphs }, merge);
        if (verdict !== undefined) hit(second, verdict, ahead);
      }
    }
    return hits;
  }

  #try(merge: Merge, trued?: Merge): Verdict | undefined {
    const resets = resetsOf(merge);
    this.#tally.cases += 2;
    const resetClass = classify(merge, resets, trued && (() => trued));
    return resetClass === undefined ? undefined : { resetClass, resets };
  }
}

/**
 * Indexes of the events whose time can matter, were it later than all others: those that are replayed (v2.1 replays all that
 * v2 does), without the last of them.
 */
function timedEvents({ graphs: { v12 }, truth, second }: Merge): readonly number[] {
  const sets = [truth, second];
  return fullConflictedSet(v12, sets, separate(v12, sets, "everywhere"), undefined).slice(0, -1);
}

function situationOf(history: History, second: SecondSet, ahead: number | undefined): Situation {
  const deeds = history.deeds.map((deed, at) => (at === ahead ? { ...deed, isAhead: true } : deed));
  return { creation: history.creation, deeds, second };
}

/** Whether no single deed can be left out. The history ends as it began. */
function isMinimalIn(
  history: History,
  second: SecondSet,
  ahead: number | undefined,
  resetClass: ResetClass,
): boolean {
  const deeds = [...history.deeds];
  let isMinimal = true;
  for (let at = deeds.length - 1; at >= 0 && isMinimal; at--) {
    history.undo();
    const shifted = shift(second, history.createdBy, [at]);
    if (shifted === undefined || ahead === at) continue;
    const isAllowed = deeds.slice(at + 1).every((deed) => history.send(deed));
    const aheadNow = ahead !== undefined && ahead > at ? ahead - 1 : ahead;
    if (isAllowed && classIn(history, shifted, aheadNow) === resetClass) isMinimal = false;
    while (history.deeds.length > at) history.undo();
  }
  for (const deed of deeds.slice(history.deeds.length)) history.send(deed);
  return isMinimal;
}

function classIn(
  history: History,
  given: SecondSet,
  ahead: number | undefined,
): ResetClass | undefined {
  const merge = mergeOf(history, honestIfItIs(history, given));
  if (merge === undefined) return undefined;
  if (ahead === undefined) return classify(merge, resetsOf(merge), undefined);
  const skewed = { ...merge, graphs: history.retimed((deed) => deed === ahead) };
  return classify(skewed, resetsOf(skewed), () => merge);
}
