import type { Choice } from "#protocol/dag/choice";

/** Cards in any order; each comes once before one comes again. */
export class Deck<Card> {
  readonly #cards: readonly Card[];
  #left: Card[] = [];

  constructor(cards: readonly Card[]) {
    this.#cards = cards;
  }

  get isEmpty(): boolean {
    return this.#cards.length === 0;
  }

  /** @throws RangeError when there are no cards */
  draw(choice: Choice): Card {
    if (this.#left.length === 0) this.#left = [...this.#cards];
    const [card] = this.#left.splice(choice.integer(this.#left.length), 1);
    if (card === undefined) throw new RangeError("there is nothing to draw");
    return card;
  }
}
