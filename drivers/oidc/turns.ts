/** Work on one thing goes one after the other; on different things, side by side. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does the work when what came before it for this key has ended, well or not. */
  take<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const turn = before.then(work, work);
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, settled);
    settled.then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    return turn;
  }
}
