/** One row of the list, which tells another event when the reader moves on: that costs less than to make another row. */
import { pitchOf, type Scene, TEXT_ROW } from "#tardis/render/dag-picture";
import { letterOf, toneOf } from "#tardis/render/display-list";
import { rowAt } from "#tardis/view/row-columns";
import { wordsOf } from "#tardis/view/row-words";
import { timeText } from "#tardis/view/time-text";
import { bdi, button, h } from "./dom.ts";

export interface RowLook {
  readonly scene: Scene;
  readonly hits: ReadonlySet<number>;
  /** Ids of events that a sentence is about. */
  readonly marked: ReadonlySet<string>;
  readonly rowHeight: number;
  readonly isNewestFirst: boolean;
}

export type Unfold = (newest: number, count: number) => void;

export class RowElement {
  readonly element = h("div", { role: "row" });
  readonly #unfold: Unfold;
  readonly #isText: boolean;
  readonly #number = h("span", { class: "n", role: "gridcell" });
  readonly #time = h("span", { class: "n time", role: "gridcell" });
  readonly #letter = h("span", { role: "gridcell" });
  readonly #label = h("bdi");
  readonly #sender = bdi("", "by");
  readonly #what: HTMLElement;
  #row = -1;
  #id = "";
  #flag: number | undefined;
  #known: number | undefined;
  #classes = "";
  #margin = "";
  /** What there is beside label and sender. */
  #extras: readonly Node[] = [];

  /** @param isText rows that are too low for texts say theirs to those who listen */
  constructor(isText: boolean, unfold: Unfold) {
    this.#isText = isText;
    this.#unfold = unfold;
    this.#what = h(isText ? "span" : "bdi", {
      class: isText ? "what" : "hidden",
      role: "gridcell",
    });
    if (isText) {
      this.#what.append(this.#label, " ", this.#sender);
      this.element.append(this.#number, this.#time, this.#letter);
    }
    this.element.append(this.#what);
  }

  /** Whether what it says of its event is still so. */
  isRight({ scene }: RowLook): boolean {
    return this.#flag === scene.flags[this.#row] && this.#known === scene.knowledge?.[this.#row];
  }

  fill(place: number, look: RowLook): void {
    const { scene, rowHeight, isNewestFirst } = look;
    const { rows, layout, flags, knowledge } = scene;
    const row = layout.rows[place] ?? 0;
    [this.#row, this.#flag, this.#known] = [row, flags[row], knowledge?.[row]];
    const view = rowAt(rows, row);
    if (view === undefined) return;
    this.#id = view.id;
    const { element } = this;
    const line = isNewestFirst ? layout.rows.length - 1 - place : place;
    element.id = `row-${row}`;
    element.dataset.row = String(row);
    element.setAttribute("aria-rowindex", String(line + 1));
    element.style.top = `${line * rowHeight}px`;
    element.style.height = `${rowHeight}px`;
    const words = wordsOf(view, flags[row] ?? 0, knowledge?.[row]);
    if (!this.#isText) {
      const all = [view.label, ...words.map(([word]) => word), view.sender].join(", ");
      this.#what.textContent = `${row + 1} ${all}`;
      return;
    }
    this.#number.textContent = String(row + 1);
    this.#time.textContent = timeText(view.time);
    this.#letter.textContent = letterOf(view.server);
    this.#letter.className = `letter ${toneOf(view.server)}`;
    this.#label.textContent = view.label;
    this.#sender.textContent = view.sender;
    const tags = words.flatMap(([word, tone]) => [" ", h("span", { class: `tag ${tone}` }, word)]);
    const folds = foldedAbove(scene, place).flatMap(([newest, count]) => {
      const unfold = () => this.#unfold(newest, count);
      return [" ", button(`+${count} folded`, unfold, { class: "fold", title: "show them" })];
    });
    this.#decorate(tags, folds);
    const margin = `${pitchOf(layout) * layout.lanes + 14}px`;
    if (margin !== this.#margin) this.#what.style.marginLeft = margin;
    this.#margin = margin;
  }

  #decorate(tags: readonly (Node | string)[], folds: readonly (Node | string)[]): void {
    for (const old of this.#extras) old.parentNode?.removeChild(old);
    const nodes = (parts: readonly (Node | string)[]) =>
      parts.map((part) => (typeof part === "string" ? document.createTextNode(part) : part));
    const [before, after] = [nodes(tags), nodes(folds)];
    this.#label.after(...before);
    this.#sender.after(...after);
    this.#extras = [...before, ...after];
  }

  /** Shows where the cursor and marks are. */
  dress({ scene: { cursor }, hits, marked }: RowLook): void {
    const { element } = this;
    const isAt = this.#row === cursor;
    const classes = [
      "row",
      ...(isAt ? ["at"] : this.#row > cursor ? ["later"] : []),
      ...(hits.has(this.#row) ? ["hit"] : []),
      ...(marked.has(this.#id) ? ["marked"] : []),
    ].join(" ");
    // To change what is the same costs a look at its style.
    if (classes === this.#classes) return;
    this.#classes = classes;
    element.className = classes;
    element.tabIndex = isAt ? 0 : -1;
    element.ariaSelected = String(isAt);
  }
}

/** Whether rows need not be filled anew to go from one to the other, but for what `isRight` and `dress` see to. */
export function areAlike(one: RowLook, other: RowLook): boolean {
  return (
    one.scene.rows === other.scene.rows &&
    one.scene.layout === other.scene.layout &&
    one.rowHeight === other.rowHeight &&
    one.isNewestFirst === other.isNewestFirst
  );
}

export function isTextual({ rowHeight }: RowLook): boolean {
  return rowHeight >= TEXT_ROW;
}

/** Runs that are folded between an event and what it follows. */
function foldedAbove({ layout }: Scene, place: number): readonly (readonly [number, number])[] {
  const { edges, hidden, through } = layout;
  const found: [newest: number, count: number][] = [];
  for (let edge = edges.offsets[place] ?? 0; edge < (edges.offsets[place + 1] ?? 0); edge++) {
    const count = hidden[edge] ?? 0;
    if (count > 0) found.push([through[edge] ?? 0, count]);
  }
  return found;
}
