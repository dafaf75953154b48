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
    const card = this.drawOf(choice, () => true);
    if (card === undefined) throw new RangeError("there is nothing to draw");
    return card;
  }

  /** One of those that fit; undefined: none of those that have not come does. */
  drawOf(choice: Choice, fits: (card: Card) => boolean): Card | undefined {
    if (this.#left.length === 0) this.#left = [...this.#cards];
    const fitting = this.#left.filter(fits);
    if (fitting.length === 0) return undefined;
    const card = choice.pick(fitting);
    this.#left.splice(this.#left.indexOf(card), 1);
    return card;
  }
}
