/** The fragment of the address: written as the reader moves, but not more often than browsers allow. */

/** Browsers drop what comes faster than about 20 times a second. */
const LEAST_PAUSE_MS = 100;

export class Address {
  #wanted: string | undefined;
  #isResting = false;

  /** @param onForeign of a fragment that somebody else wrote: a link, or the reader by hand */
  constructor(onForeign: (hash: string) => void) {
    addEventListener("hashchange", ({ newURL }) => {
      this.#wanted = undefined;
      onForeign(new URL(newURL).hash);
    });
  }

  write(hash: string): void {
    this.#wanted = hash;
    if (!this.#isResting) this.#flush();
  }

  #flush(): void {
    if (this.#wanted === undefined) return;
    history.replaceState(null, "", this.#wanted);
    this.#wanted = undefined;
    this.#isResting = true;
    setTimeout(() => {
      this.#isResting = false;
      this.#flush();
    }, LEAST_PAUSE_MS);
  }
}
