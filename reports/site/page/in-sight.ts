/** Which element shows which row of a long list of rows: elements are used again, and are in the order of their rows. */

export interface RowElement {
  readonly element: HTMLElement;
  readonly isArea: boolean;
}

export interface Source<Row extends RowElement> {
  isArea(at: number): boolean;
  /** Has a row shown, by an element of its kind that is free, else by a new one. */
  show(at: number, free: Row | undefined): Row;
}

/** So many new rows come in by themselves; for more of them all rows change what they show, which leaves elements in place. */
const FEW = 6;

export class InSight<Row extends RowElement> {
  readonly #body: HTMLElement;
  readonly #source: Source<Row>;
  readonly #shown = new Map<number, Row>();
  #spare: Row[] = [];
  #isStale = false;

  constructor(body: HTMLElement, source: Source<Row>) {
    this.#body = body;
    this.#source = source;
  }

  element(at: number | undefined): HTMLElement | undefined {
    return this.#shown.get(at ?? -1)?.element;
  }

  /** What rows there are, or where they are, is no longer so. */
  renew(): void {
    // The element with the focus will show another row.
    this.element(this.#held())?.querySelector("a")?.blur();
    this.#isStale = true;
  }

  /** Elements have to be made anew. */
  clear(): void {
    this.#body.replaceChildren();
    this.#shown.clear();
    this.#spare = [];
  }

  /** Whether nearly all of some rows would have to come in. */
  isFarFrom(from: number, to: number): boolean {
    let count = 0;
    for (let at = from; at < to; at++) if (!this.#shown.has(at)) count++;
    return this.#isStale || count > FEW;
  }

  /** @param to the row after the last one */
  draw(from: number, to: number): void {
    const held = this.#held();
    const isWanted = (at: number) => (at >= from && at < to) || at === held;
    const wanted = Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
    if (held !== undefined && (held < from || held >= to)) wanted.push(held);
    wanted.sort((a, b) => a - b);
    const entering = wanted.filter((at) => !this.#shown.has(at));
    const isJump = this.#isStale || entering.length > FEW;
    this.#isStale = false;
    const staying = [...this.#shown].toSorted(([a], [b]) => a - b);
    const free: Row[] = [];
    for (const [at, row] of staying) {
      const changes = isJump && at !== held;
      if (isWanted(at) && !changes) continue;
      this.#shown.delete(at);
      if (changes && !row.isArea) free.push(row);
      else this.#putAway(row);
    }
    for (const at of wanted) {
      if (this.#shown.has(at)) continue;
      const isArea = this.#source.isArea(at);
      this.#shown.set(
        at,
        this.#source.show(at, isArea ? this.#taken(true) : (free.shift() ?? this.#taken(false))),
      );
    }
    for (const row of free) this.#putAway(row);
    this.#arrange(wanted);
  }

  /** The row that has the focus: its element stays its own. */
  #held(): number | undefined {
    const { activeElement } = document;
    if (!this.#body.contains(activeElement)) return undefined;
    return [...this.#shown].find(([, { element }]) => element.contains(activeElement))?.[0];
  }

  #putAway(row: Row): void {
    row.element.remove();
    this.#spare.push(row);
  }

  #taken(isArea: boolean): Row | undefined {
    const at = this.#spare.findIndex((row) => row.isArea === isArea);
    return at < 0 ? undefined : this.#spare.splice(at, 1)[0];
  }

  /** Puts in what is not there. Nothing that is in order is moved, nor what has the focus, which it would lose. */
  #arrange(wanted: readonly number[]): void {
    let next = this.#body.firstChild;
    for (const at of wanted) {
      const element = this.element(at);
      if (element === undefined) continue;
      if (next === element || element.contains(document.activeElement)) next = element.nextSibling;
      else this.#body.insertBefore(element, next);
    }
  }
}
