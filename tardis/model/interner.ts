/** Texts as small integers, in order of first sight. */
export class Interner {
  readonly texts: string[] = [];
  readonly #numbers = new Map<string, number>();

  /** The number of a text; a new one when it was not seen before. */
  intern(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.texts.length;
    this.texts.push(text);
    this.#numbers.set(text, number);
    return number;
  }

  numberOf(text: string): number | undefined {
    return this.#numbers.get(text);
  }
}
