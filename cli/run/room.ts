/** Room for what may be there at the same time, given out in the order in which it was asked for. */
export class Room {
  readonly #size: number;
  #taken = 0;
  readonly #waiting: { readonly parts: number; readonly enter: () => void }[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** Resolves once there are so many parts left; of more than there are in all, all are taken. */
  async take(parts: number): Promise<void> {
    await new Promise<void>((enter) => {
      this.#waiting.push({ parts: this.#within(parts), enter });
      this.#letIn();
    });
  }

  giveBack(parts: number): void {
    this.#taken -= this.#within(parts);
    this.#letIn();
  }

  #within(parts: number): number {
    return Math.min(parts, this.#size);
  }

  /** Who asks for little does not pass who asks for much, or that one would never come in. */
  #letIn(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || this.#taken + next.parts > this.#size) return;
      this.#waiting.shift();
      this.#taken += next.parts;
      next.enter();
    }
  }
}
