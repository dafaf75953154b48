/** Places for what may be there at the same time, given out in the order in which they were asked for. */
export class Places {
  readonly #size: number;
  #taken = 0;
  readonly #waiting: { readonly count: number; readonly enter: () => void }[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** Resolves once so many are left; of more than there are in all, all are taken. */
  async take(count: number): Promise<void> {
    await new Promise<void>((enter) => {
      this.#waiting.push({ count: this.#within(count), enter });
      this.#letIn();
    });
  }

  giveBack(count: number): void {
    this.#taken -= this.#within(count);
    this.#letIn();
  }

  #within(count: number): number {
    return Math.min(count, this.#size);
  }

  /** Who asks for little does not pass who asks for much, or that one would never come in. */
  #letIn(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || this.#taken + next.count > this.#size) return;
      this.#waiting.shift();
      this.#taken += next.count;
      next.enter();
    }
  }
}
