/** What the state sets disagree about, and which events have to be looked at again because of it. */
import { type EventGraph, NONE } from "./event-graph.ts";

/** A state: indexes of events by key, NONE where there is none. May be shorter than the keys of the graph. */
export type State = Int32Array;

export interface Separated {
  readonly unconflicted: State;
  /** Keys with a conflict, ascending. */
  readonly conflictedKeys: readonly number[];
  /** Events of those keys, each once, ascending. */
  readonly conflicted: readonly number[];
}

/**
 * Unconflicted: the same event in every set (`everywhere`, v2), or in every set that has the key (`where-present`, v1).
 */
export function separate(
  graph: EventGraph,
  sets: readonly (readonly number[])[],
  rule: "everywhere" | "where-present",
): Separated {
  const unconflicted = new Int32Array(graph.keyCount).fill(NONE);
  const holders = new Int32Array(graph.keyCount);
  const isConflicted = new Uint8Array(graph.keyCount);
  for (const set of sets) {
    for (const index of set) {
      const { key } = graph.node(index);
      if (key === NONE) continue;
      const first = unconflicted[key] ?? NONE;
      if (first === NONE) unconflicted[key] = index;
      else if (first !== index) isConflicted[key] = 1;
      holders[key] = (holders[key] ?? 0) + 1;
    }
  }
  const conflictedKeys: number[] = [];
  for (let key = 0; key < isConflicted.length; key++) {
    const count = holders[key] ?? 0;
    if (count === 0) continue;
    if (rule === "everywhere" && count < sets.length) isConflicted[key] = 1;
    if (isConflicted[key] === 0) continue;
    conflictedKeys.push(key);
    unconflicted[key] = NONE;
  }
  const conflicted = new Set<number>();
  for (const set of sets) {
    for (const index of set) {
      const { key } = graph.node(index);
      if (key !== NONE && isConflicted[key] === 1) conflicted.add(index);
    }
  }
  return { unconflicted, conflictedKeys, conflicted: [...conflicted].sort(ascending) };
}

/**
 * Events that are in the auth chains of some sets but not of all. An event counts as part of the chain of a set that
 * holds it, as every implementation reads the definition.
 */
export function authDifference(
  graph: EventGraph,
  sets: readonly (readonly number[])[],
): readonly number[] {
  const words = (sets.length + 31) >>> 5;
  let top = NONE;
  for (const set of sets) for (const index of set) if (index > top) top = index;
  // Which sets reach an event: one bit a set. Indexes fall along citations, so one pass from the top sees them all.
  const reach = new Reach(top + 1, words, sets.length);
  for (const [set, indexes] of sets.entries()) {
    for (const index of indexes) reach.mark(index, set);
  }
  const difference: number[] = [];
  for (let index = top; index >= 0 && reach.partial > 0; index--) {
    const status = reach.status(index);
    if (status === EMPTY) continue;
    if (status === PARTIAL) {
      difference.push(index);
      reach.partial--;
    }
    for (const cited of graph.node(index).auth) reach.pass(index, cited);
  }
  return difference.reverse();
}

const EMPTY = 0;
const PARTIAL = 1;
const FULL = 2;

/** Sets of sets, as bits. */
class Reach {
  readonly #bits: Int32Array;
  readonly #words: number;
  /** The last word of a full one. */
  readonly #lastFull: number;
  /** Events that some sets reach and others do not, and that were not passed yet: without any, the walk is over. */
  partial = 0;

  constructor(events: number, words: number, sets: number) {
    this.#bits = new Int32Array(events * words);
    this.#words = words;
    this.#lastFull = (sets & 31) === 0 ? -1 : (1 << (sets & 31)) - 1;
  }

  status(index: number): number {
    const words = this.#words;
    const from = index * words;
    let isEmpty = true;
    let isFull = true;
    for (let word = 0; word < words; word++) {
      const bits = this.#bits[from + word] ?? 0;
      if (bits !== 0) isEmpty = false;
      if (bits !== (word === words - 1 ? this.#lastFull : -1)) isFull = false;
    }
    return isEmpty ? EMPTY : isFull ? FULL : PARTIAL;
  }

  mark(index: number, set: number): void {
    const before = this.status(index);
    const at = index * this.#words + (set >>> 5);
    this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (set & 31));
    this.#count(before, this.status(index));
  }

  /** What reaches an event reaches what it cites. */
  pass(index: number, cited: number): void {
    const before = this.status(cited);
    if (before === FULL) return;
    const words = this.#words;
    for (let word = 0; word < words; word++) {
      const at = cited * words + word;
      this.#bits[at] = (this.#bits[at] ?? 0) | (this.#bits[index * words + word] ?? 0);
    }
    this.#count(before, this.status(cited));
  }

  #count(before: number, after: number): void {
    if (before === after) return;
    if (before === PARTIAL) this.partial--;
    else if (after === PARTIAL) this.partial++;
  }
}

/** Events on a way along citations from one conflicted event to another, both ends included (MSC4297). */
export function conflictedSubgraph(
  graph: EventGraph,
  conflicted: readonly number[],
): readonly number[] {
  const [bottom = 0] = conflicted;
  const top = conflicted.at(-1) ?? NONE;
  const size = top - bottom + 1;
  // Bit 1: a conflicted event reaches it. Bit 2: it reaches a conflicted event.
  const marks = new Uint8Array(Math.max(size, 0));
  for (const index of conflicted) marks[index - bottom] = 3;
  for (let index = top; index >= bottom; index--) {
    if (((marks[index - bottom] ?? 0) & 1) === 0) continue;
    for (const cited of graph.node(index).auth) {
      if (cited >= bottom) marks[cited - bottom] = (marks[cited - bottom] ?? 0) | 1;
    }
  }
  const subgraph: number[] = [];
  for (let index = bottom; index <= top; index++) {
    const mark = marks[index - bottom] ?? 0;
    if ((mark & 1) === 0) continue;
    const reaches =
      (mark & 2) !== 0 ||
      graph.node(index).auth.some((cited) => cited >= bottom && (marks[cited - bottom] ?? 0) & 2);
    if (!reaches) continue;
    marks[index - bottom] = 3;
    subgraph.push(index);
  }
  return subgraph;
}

export function ascending(a: number, b: number): number {
  return a - b;
}
