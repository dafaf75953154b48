/** Requirements by deployment: as many rows as are in sight, however many there are. */
import { bdi, h } from "./dom.ts";
import { InSight } from "./in-sight.ts";
import { AreaRow, RequirementRow } from "./rows.ts";
import type { Site } from "./site.ts";

type Row = { readonly area: string } | { readonly requirement: number };

const NARROW = "(max-width: 719px)";
const AREA_HIGH = 34;
const ROW_HIGH = 50;
const LINE_HIGH = 26;
const RULE_WIDE = 340;
const CELL = { least: 38, most: 118, worded: 92, onPhone: 34 };
/** Rows above and below what is in sight. */
const BEYOND = 8;
/** After a jump those in sight come first, and the others once it rests there. */
const REST_MS = 100;

export class Matrix {
  readonly element = h("div", { class: "matrix", role: "table", id: "matrix" });
  readonly #site: Site;
  readonly #scroller: HTMLElement;
  readonly #head = h("div", { class: "head", role: "row", "aria-rowindex": 1 });
  readonly #body = h("div", { class: "body", role: "rowgroup" });
  #rows: readonly Row[] = [];
  /** Where each row begins, and where the last one ends. */
  #tops: readonly number[] = [0];
  #columns: readonly number[] = [];
  readonly #inSight = new InSight<AreaRow | RequirementRow>(this.#body, {
    isArea: (at) => "area" in (this.#rows[at] ?? {}),
    show: (at, free) => this.#show(at, free),
  });
  /** Of the rows, from where the scroller begins. */
  #bodyTop = 0;
  #timer = 0;
  #isWorded = false;
  /** What the elements of rows are made for. */
  #made = "";
  #at: number | undefined;

  constructor(site: Site, scroller: HTMLElement) {
    this.#site = site;
    this.#scroller = scroller;
    this.element.setAttribute("aria-label", "requirements by deployment");
    this.element.append(h("div", { role: "rowgroup", class: "top" }, this.#head), this.#body);
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.#fit()).observe(scroller);
  }

  /** The rows and columns of a filter. */
  show(requirements: readonly number[], columns: readonly number[]): void {
    const all = this.#site.index.requirements;
    const rows: Row[] = [];
    let last = "";
    for (const requirement of requirements) {
      const { suite = "", id = "" } = all[requirement] ?? {};
      const area = `${suite} · ${id.split(".").slice(0, -1).join(".")}`;
      if (area !== last) rows.push({ area });
      last = area;
      rows.push({ requirement });
    }
    this.#rows = rows;
    this.#columns = columns;
    this.#at = undefined;
    this.element.setAttribute("aria-rowcount", String(rows.length + 1));
    this.#fit();
  }

  /** Goes to the next row of some kind, and shows it. */
  step(by: 1 | -1, isWanted: (requirement: number) => boolean = () => true): void {
    let at = this.#at ?? (by > 0 ? this.#firstInSight() - 1 : this.#rows.length);
    for (at += by; at >= 0 && at < this.#rows.length; at += by) {
      const row = this.#rows[at];
      if (row !== undefined && "requirement" in row && isWanted(row.requirement)) break;
    }
    if (at < 0 || at >= this.#rows.length) return;
    this.#inSight.element(this.#at)?.classList.remove("at");
    this.#at = at;
    this.#reveal(at);
    this.draw();
    const element = this.#inSight.element(at);
    element?.classList.add("at");
    element?.querySelector("a")?.focus({ preventScroll: true });
  }

  /** Where a column shows a failure. */
  isFailing(requirement: number): boolean {
    return this.#columns.some((at) => this.#site.table.outcome(at, requirement) === "f");
  }

  draw(): void {
    if (!this.element.isConnected) return;
    const top = this.#scroller.scrollTop - this.#bodyTop;
    const from = this.#rowAt(top);
    const to = Math.min(this.#rows.length, this.#rowAt(top + this.#scroller.clientHeight) + 1);
    const drawBeyond = () =>
      this.#inSight.draw(Math.max(0, from - BEYOND), Math.min(this.#rows.length, to + BEYOND));
    clearTimeout(this.#timer);
    if (this.#inSight.isFarFrom(from, to)) {
      this.#inSight.draw(from, to);
      this.#timer = window.setTimeout(drawBeyond, REST_MS);
    } else drawBeyond();
  }

  /** Measures anew, and draws all rows again. */
  #fit(): void {
    if (!this.element.isConnected) return;
    const wide = this.#scroller.clientWidth - 32;
    const isNarrow = matchMedia(NARROW).matches;
    const count = Math.max(1, this.#columns.length);
    const share = Math.floor((wide - RULE_WIDE) / count);
    const cell = isNarrow ? CELL.onPhone : Math.max(CELL.least, Math.min(CELL.most, share));
    this.#isWorded = !isNarrow && cell >= CELL.worded;
    const lines = isNarrow ? Math.ceil((count * cell) / Math.max(cell, wide)) : 0;
    const high = ROW_HIGH + lines * LINE_HIGH;
    let end = 0;
    this.#tops = [
      0,
      ...this.#rows.map((row) => {
        end += "area" in row ? AREA_HIGH : high;
        return end;
      }),
    ];
    const { style } = this.element;
    style.setProperty("--cell", `${cell}px`);
    style.setProperty("--count", String(count));
    style.setProperty("--rule", `${RULE_WIDE}px`);
    this.#body.style.height = `${end}px`;
    this.element.classList.toggle("worded", this.#isWorded);
    this.#head.replaceChildren(
      h("div", { role: "columnheader" }, "requirement"),
      ...this.#columns.map((at) => this.#headOf(at)),
    );
    const made = `${this.#columns} ${this.#isWorded}`;
    if (made === this.#made) this.#inSight.renew();
    else this.#inSight.clear();
    this.#made = made;
    const { top } = this.#body.getBoundingClientRect();
    const begin = this.#scroller.getBoundingClientRect().top;
    this.#bodyTop = top - begin + this.#scroller.scrollTop;
    this.draw();
  }

  #headOf(column: number): HTMLElement {
    const name = this.#site.table.columns[column]?.name ?? "";
    const [server = name, ...rest] = name.split("/");
    const number = h("b", { class: "number", "aria-hidden": "true" }, String(column + 1));
    return h(
      "div",
      { role: "columnheader", class: "cell", title: name },
      number,
      h("span", { class: "name" }, bdi(server), h("small", {}, bdi(rest.join("/")))),
    );
  }

  #show(at: number, free: AreaRow | RequirementRow | undefined): AreaRow | RequirementRow {
    const row = this.#rows[at];
    const top = this.#tops[at] ?? 0;
    const place = { at, top, high: (this.#tops[at + 1] ?? 0) - top };
    if (row === undefined || "area" in row) {
      const shown = free instanceof AreaRow ? free : new AreaRow();
      shown.show(row?.area ?? "", place);
      return shown;
    }
    const shown =
      free instanceof RequirementRow
        ? free
        : new RequirementRow(this.#site, this.#columns, this.#isWorded);
    shown.show(row.requirement, place, at === this.#at);
    return shown;
  }

  #firstInSight(): number {
    return this.#rowAt(this.#scroller.scrollTop - this.#bodyTop + this.#head.offsetHeight);
  }

  #reveal(at: number): void {
    const top = (this.#tops[at] ?? 0) + this.#bodyTop;
    const bottom = (this.#tops[at + 1] ?? 0) + this.#bodyTop;
    const { scrollTop, clientHeight } = this.#scroller;
    const head = this.#head.offsetHeight + AREA_HIGH;
    if (top - head < scrollTop) this.#scroller.scrollTop = top - head;
    else if (bottom > scrollTop + clientHeight) this.#scroller.scrollTop = bottom - clientHeight;
  }

  /** The row that has a place, by halves. */
  #rowAt(y: number): number {
    let [low, high] = [0, this.#rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#tops[middle + 1] ?? 0) <= y) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
