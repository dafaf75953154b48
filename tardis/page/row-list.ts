/** The rows in sight as elements: what is selected, found by the browser, and read aloud. */

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

export class RowList {
  readonly element = h("div", { class: "rows", role: "rowgroup" });
  readonly #unfold: (newest: number, count: number) => void;
  /** By place. */
  #made = new Map<number, HTMLElement>();

  constructor(unfold: (newest: number, count: number) => void) {
    this.#unfold = unfold;
  }

  /** All rows are made anew when they are shown next. */
  forget(): void {
    this.#made = new Map();
  }

  /** @param places in the order in which they stand, from the top */
  show(places: readonly number[], look: RowLook): void {
    const shown = new Map(
      places.map((place) => [place, this.#made.get(place) ?? this.#make(place, look)]),
    );
    this.#made = shown;
    const wanted = new Set<Node>(shown.values());
    for (const old of [...this.element.childNodes]) if (!wanted.has(old)) old.remove();
    let before = this.element.firstChild;
    for (const element of shown.values()) {
      if (element === before) before = before.nextSibling;
      else this.element.insertBefore(element, before);
    }
  }

  /** Without moving what is in sight. */
  focus(place: number): void {
    this.#made.get(place)?.focus({ preventScroll: true });
  }

  #make(place: number, look: RowLook): HTMLElement {
    const { scene, hits, marked, rowHeight, isNewestFirst } = look;
    const { rows, layout, flags, knowledge, cursor } = scene;
    const row = layout.rows[place] ?? 0;
    const view = rowAt(rows, row);
    if (view === undefined) return h("div");
    const isText = rowHeight >= TEXT_ROW;
    const words = wordsOf(view, flags[row] ?? 0, knowledge?.[row]);
    const classes = [
      "row",
      ...(row === cursor ? ["at"] : row > cursor ? ["later"] : []),
      ...(hits.has(row) ? ["hit"] : []),
      ...(marked.has(view.id) ? ["marked"] : []),
    ];
    const line = isNewestFirst ? layout.rows.length - 1 - place : place;
    const element = h("div", {
      class: classes.join(" "),
      role: "row",
      id: `row-${row}`,
      "data-row": row,
      "aria-rowindex": line + 1,
      tabindex: row === cursor ? 0 : -1,
      "aria-selected": row === cursor ? "true" : "false",
    });
    element.style.top = `${line * rowHeight}px`;
    element.style.height = `${rowHeight}px`;
    if (!isText) {
      const all = [view.label, ...words.map(([word]) => word), view.sender].join(", ");
      element.append(h("span", { class: "hidden", role: "gridcell" }, `${row + 1} `, bdi(all)));
      return element;
    }
    const text = h("span", { class: "what", role: "gridcell" }, bdi(view.label));
    for (const [word, tone] of words) text.append(" ", h("span", { class: `tag ${tone}` }, word));
    text.append(" ", bdi(view.sender, "by"));
    for (const [newest, count] of foldedAbove(scene, place)) {
      const unfold = () => this.#unfold(newest, count);
      text.append(" ", button(`+${count} folded`, unfold, { class: "fold", title: "show them" }));
    }
    text.style.marginLeft = `${pitchOf(layout) * layout.lanes + 14}px`;
    element.append(
      h("span", { class: "n", role: "gridcell" }, String(row + 1)),
      h("span", { class: "n time", role: "gridcell" }, timeText(view.time)),
      h(
        "span",
        { class: `letter ${toneOf(view.server)}`, role: "gridcell" },
        letterOf(view.server),
      ),
      text,
    );
    return element;
  }
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
