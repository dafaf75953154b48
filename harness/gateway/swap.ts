/** Lets two exchanges of a rule pass in swapped order. */
import { setTimeout as sleep } from "node:timers/promises";

export class Swap {
  /** Pairs so far of which the second has overtaken the first. */
  pairs = 0;
  /** Of the first of a pair, while it waits: called once the second has been answered. */
  #passSecond: (() => void) | undefined;

  /**
   * The first of a pair waits until the second has been answered; at most so long, so that it never hangs when none
   * comes. The second goes on at once.
   *
   * @param ended resolves when nobody need wait any longer.
   * @returns to be called when this exchange has been answered, or has failed.
   */
  async enter(withinMs: number, ended: Promise<void>, signal: AbortSignal): Promise<() => void> {
    const second = this.#passSecond;
    if (second !== undefined) {
      this.#passSecond = undefined;
      this.pairs++;
      return second;
    }
    const { promise: hasPassed, resolve } = Promise.withResolvers<void>();
    this.#passSecond = resolve;
    const timer = new AbortController();
    try {
      const isOver = sleep(withinMs, undefined, {
        signal: AbortSignal.any([signal, timer.signal]),
      });
      await Promise.race([hasPassed, ended, isOver]);
    } finally {
      timer.abort();
      if (this.#passSecond === resolve) this.#passSecond = undefined;
    }
    return () => undefined;
  }
}
