/** The rows in sight as elements: what is selected, found by the browser, and read aloud. */
import { h } from "./dom.ts";
import { areAlike, isTextual, RowElement, type RowLook, type Unfold } from "./row-element.ts";

export class RowList {
  readonly element = h("div", { class: "rows", role: "rowgroup" });
  readonly #unfold: Unfold;
  /** By place, in the order in which they stand. */
  #rows = new Map<number, RowElement>();
  #look: RowLook | undefined;
  /** Out of sight, until there is another one to tell: rows with texts, and lower ones. */
  readonly #idle = { textual: [] as RowElement[], low: [] as RowElement[] };

  constructor(unfold: Unfold) {
    this.#unfold = unfold;
  }

  /** @param places in the order in which they stand, from the top */
  show(places: readonly number[], look: RowLook): void {
    const before = this.#look;
    this.#look = look;
    const old = this.#rows;
    const kept = new Map<number, RowElement>();
    if (before !== undefined && areAlike(before, look)) {
      for (const place of places) {
        const row = old.get(place);
        if (row?.isRight(look)) kept.set(place, row);
      }
    }
    const spare = this.#spare(old, kept);
    if (before !== undefined && isTextual(before) !== isTextual(look)) {
      this.#idleOf(before).push(...spare.splice(0));
    }
    this.#rows = new Map(
      places.map((place) => [place, kept.get(place) ?? this.#filled(spare.shift(), place, look)]),
    );
    this.#idleOf(look).push(...spare);
    for (const row of this.#rows.values()) row.dress(look);
    this.#order();
  }

  /** Without moving what is in sight. */
  focus(place: number): void {
    this.#rows.get(place)?.element.focus({ preventScroll: true });
  }

  /** Those that may tell something else: not the one with the focus, or who listens would not hear of it. */
  #spare(
    old: ReadonlyMap<number, RowElement>,
    kept: ReadonlyMap<number, RowElement>,
  ): RowElement[] {
    const spare: RowElement[] = [];
    for (const [place, row] of old) {
      if (kept.get(place) === row || row.element.contains(document.activeElement)) continue;
      // Among rows that stay each has to be put where it belongs; else all are in order already.
      if (kept.size > 0) row.element.remove();
      spare.push(row);
    }
    return spare;
  }

  #filled(spare: RowElement | undefined, place: number, look: RowLook): RowElement {
    const row = spare ?? this.#idleOf(look).pop() ?? new RowElement(isTextual(look), this.#unfold);
    row.fill(place, look);
    return row;
  }

  #idleOf(look: RowLook): RowElement[] {
    return isTextual(look) ? this.#idle.textual : this.#idle.low;
  }

  #order(): void {
    const wanted = new Set<Node>(Array.from(this.#rows.values(), ({ element }) => element));
    for (const old of [...this.element.childNodes]) if (!wanted.has(old)) old.remove();
    let next = this.element.firstChild;
    for (const { element } of this.#rows.values()) {
      if (element === next) next = next.nextSibling;
      else this.element.insertBefore(element, next);
    }
  }
}
