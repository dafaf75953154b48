/** Choices out of a source of random numbers in [0, 1), which decides them all. */
export class Choice {
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
  }

  /** In [0, max), max at least 1. */
  integer(max: number): number {
    return Math.floor(this.#next() * max);
  }

  chance(share: number): boolean {
    return this.#next() < share;
  }

  /** @param from at least one */
  pick<T>(from: readonly T[]): T {
    const picked = from[this.integer(from.length)];
    if (picked === undefined) throw new RangeError("there is nothing to pick from");
    return picked;
  }

  /** By weight. */
  weighted<T>(from: readonly (readonly [weight: number, item: T])[]): T {
    let left = this.#next() * from.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, item] of from) {
      left -= weight;
      if (left < 0) return item;
    }
    return this.pick(from)[1];
  }
}
