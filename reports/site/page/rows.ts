/**
 * Rows of the matrix. They are used again for other requirements: most cells then stay as they are, and a browser has no
 * styles and places to work out for them.
 */
import { markOf } from "#reports/site/marks";
import { h, lead } from "./dom.ts";
import { pastMarks } from "./marks.ts";
import { requirementAt } from "./places.ts";
import type { Site } from "./site.ts";

export interface Place {
  /** Number of the row. */
  readonly at: number;
  readonly top: number;
  readonly high: number;
}

export class AreaRow {
  readonly isArea = true;
  readonly element = h("div", { role: "row", class: "row area" });
  readonly #name = new Text();

  constructor() {
    this.element.append(h("div", { role: "rowheader" }, h("bdi", {}, this.#name)));
  }

  show(area: string, place: Place): void {
    put(this.element, place);
    this.#name.data = area;
  }
}

export class RequirementRow {
  readonly isArea = false;
  readonly element = h("div", { role: "row", class: "row" });
  readonly #site: Site;
  readonly #id = new Text();
  readonly #link = h("a", { class: "id" }, h("bdi", {}, this.#id));
  readonly #level = new Text();
  readonly #said = new Text();
  readonly #statement = h("div", { class: "statement" }, h("bdi", {}, this.#said));
  readonly #cells: readonly Cell[];

  constructor(site: Site, columns: readonly number[], isWorded: boolean) {
    this.#site = site;
    this.#cells = columns.map((column) => new Cell(site, column, isWorded));
    this.element.append(
      h(
        "div",
        { role: "rowheader", class: "rule" },
        h("div", { class: "line" }, this.#link, h("span", { class: "level" }, this.#level)),
        this.#statement,
      ),
      ...this.#cells.map(({ element }) => element),
    );
  }

  show(requirement: number, place: Place, isAt: boolean): void {
    put(this.element, place);
    this.element.classList.toggle("at", isAt);
    this.element.dataset.requirement = String(requirement);
    const { requirements } = this.#site.index;
    const { id = "", level = "", basis, party, statement = "" } = requirements[requirement] ?? {};
    const authority = [level, basis ?? "not known", ...(party === undefined ? [] : [party])];
    lead(this.#link, requirementAt(id));
    this.#id.data = id;
    this.#level.data = authority.join(" · ");
    this.#statement.title = statement;
    this.#said.data = statement;
    for (const cell of this.#cells) cell.show(requirement);
  }
}

class Cell {
  readonly element: HTMLElement;
  readonly #site: Site;
  readonly #column: number;
  readonly #isWorded: boolean;
  /** One element and one text: of these there are the most. */
  readonly #sign = new Text();
  readonly #now = h("span", { role: "img" }, this.#sign);
  /** Letters of what is shown. */
  #shown = "";

  constructor(site: Site, column: number, isWorded: boolean) {
    this.#site = site;
    this.#column = column;
    this.#isWorded = isWorded;
    this.element = h("div", { role: "cell", "data-column": column }, this.#now);
  }

  show(requirement: number): void {
    const { table } = this.#site;
    const letter = table.outcome(this.#column, requirement);
    const past = table.hasChanged(this.#column, requirement)
      ? table.past(this.#column, requirement).slice(-3)
      : "";
    if (past + letter === this.#shown) return;
    this.#shown = past + letter;
    const { shape, word, tone } = markOf(letter);
    const before = past.at(-1);
    const said = before === undefined ? word : `${word}, was ${markOf(before).word}`;
    const isQuiet = letter === "p" || letter === "-";
    const inWords = this.#isWorded && !isQuiet ? ` ${shortWord(word)}` : "";
    this.element.className = `cell ${tone}${before === undefined ? "" : " changed"}`;
    this.element.title = `${table.columns[this.#column]?.name ?? ""}: ${said}`;
    this.#sign.data = `${shape}${inWords}`;
    this.#now.setAttribute("aria-label", said);
    if (before !== undefined)
      this.element.replaceChildren(pastMarks(past), h("span", { class: "to" }, "→"), this.#now);
    else if (this.element.childNodes.length > 1) this.element.replaceChildren(this.#now);
  }
}

function put(element: HTMLElement, { at, top, high }: Place): void {
  element.setAttribute("aria-rowindex", String(at + 2));
  element.style.top = `${top}px`;
  element.style.height = `${high}px`;
}

/** What fits beside the shape. */
function shortWord(word: string): string {
  return word.split(/[ ,]/)[0] ?? word;
}
