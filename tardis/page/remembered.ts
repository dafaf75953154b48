/** What a reader has chosen, from one time to the next. A page from a file may have no storage: then it is known until it is closed. */

export class Remembered {
  readonly #key: string;
  #here: string | undefined;

  /** @param name of what is chosen */
  constructor(name: string) {
    this.#key = `crucible-tardis-${name}`;
  }

  /** Empty: nothing was chosen. */
  get value(): string {
    try {
      return localStorage.getItem(this.#key) ?? this.#here ?? "";
    } catch {
      return this.#here ?? "";
    }
  }

  set value(value: string) {
    this.#here = value;
    try {
      localStorage.setItem(this.#key, value);
    } catch {
      // Known here, and nowhere else.
    }
  }
}
