/** Does one thing at a time: of what is wanted meanwhile only the last, so that nothing is asked that is of no use by then. */
export class Latest {
  #next: (() => Promise<void>) | undefined;
  #isBusy = false;

  do(task: () => Promise<void>): void {
    this.#next = task;
    if (!this.#isBusy) void this.#go();
  }

  async #go(): Promise<void> {
    const task = this.#next;
    if (task === undefined) return;
    this.#next = undefined;
    this.#isBusy = true;
    try {
      await task();
    } finally {
      this.#isBusy = false;
      void this.#go();
    }
  }
}
