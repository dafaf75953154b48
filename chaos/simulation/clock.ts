/**
 * Time of a simulation. What can happen now is chosen by fast-check's scheduler; when nothing can, time goes on to the next
 * thing that waits for it. Each choice takes a millisecond.
 */
import fc from "fast-check";

export type Scheduler = ReturnType<typeof schedulerOf>;

/** A scheduler whose choices follow from a seed. */
export function schedulerOf(seed: number) {
  const [scheduler] = fc.sample(fc.scheduler(), { seed, numRuns: 1 });
  if (scheduler === undefined) throw new RangeError("there is no scheduler");
  return scheduler;
}

const START_MS = 1_700_000_000_000;

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly act: () => void;
  /** Does not keep a simulation from being at rest. */
  readonly isIdle: boolean;
}

export class VirtualClock {
  now = START_MS;
  readonly #scheduler: Scheduler;
  readonly #timers: Timer[] = [];
  #order = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** To be done among the other things that can happen now. */
  soon(label: string, act: () => void): void {
    void this.#scheduler.schedule(Promise.resolve(), label).then(act);
  }

  /**
   * @param isIdle does not keep a simulation from being at rest
   * @returns takes it back
   */
  after(ms: number, act: () => void, isIdle = false): () => void {
    const timer = { due: this.now + ms, order: this.#order++, act, isIdle };
    const at = this.#timers.findIndex(({ due }) => due > timer.due);
    this.#timers.splice(at < 0 ? this.#timers.length : at, 0, timer);
    return () => {
      const place = this.#timers.indexOf(timer);
      if (place >= 0) this.#timers.splice(place, 1);
    };
  }

  get isBusy(): boolean {
    return this.#scheduler.count() > 0;
  }

  /** Whether only idle timers are left. */
  get isAtRest(): boolean {
    return !this.isBusy && this.#timers.every(({ isIdle }) => isIdle);
  }

  /** Does the next thing. False: there is none before `until`, and it is that late now. */
  async step(until: number): Promise<boolean> {
    if (this.isBusy) {
      this.now += 1;
      await this.#scheduler.waitNext(1);
    } else {
      const [next] = this.#timers;
      if (next === undefined || next.due > until) {
        this.now = Math.max(this.now, Math.min(until, next?.due ?? until));
        return false;
      }
      this.now = Math.max(this.now, next.due);
    }
    for (
      let [next] = this.#timers;
      next !== undefined && next.due <= this.now;
      [next] = this.#timers
    ) {
      this.#timers.shift();
      next.act();
    }
    await settled();
    return true;
  }
}

/** All promises that can settle have, and have told who waits for them. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
