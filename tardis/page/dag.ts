/** The graph: lanes on a canvas, and over it the rows that are in sight, which are what readers of the page's text have. */
import { EdgeIndex } from "#tardis/layout/edge-index";
import { CONFLICTS, type LoadedView, MERGES, REJECTED, type RowView } from "#tardis/view/messages";
import { rowAt } from "#tardis/view/row-columns";
import { timeText } from "#tardis/view/time-text";
import { bdi, fitted, h } from "./dom.ts";
import { type Colours, colours } from "./theme.ts";

const ROW_HEIGHT = 28;
const LEFT = 148;
const MOST_WIDTH = 260;
const SPARE_ROWS = 6;

export class Dag {
  readonly #scroller: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #list: HTMLElement;
  readonly #onChoose: (row: number) => void;
  #loaded: LoadedView | undefined;
  #index = new EdgeIndex(new Int32Array(0));
  #flags = new Uint8Array(0);
  #hits: ReadonlySet<number> = new Set();
  #marked: ReadonlySet<string> = new Set();
  #row = 0;
  #colours: Colours = colours();
  #isWaiting = false;
  /** Rows as they were last made; forgotten when anything but the place in the list changes. */
  #made = new Map<number, HTMLElement>();

  constructor(parent: HTMLElement, onChoose: (row: number) => void) {
    this.#onChoose = onChoose;
    this.#canvas = h("canvas", { "aria-hidden": "true" });
    this.#list = h("div", { class: "rows", role: "rowgroup" });
    this.#scroller = h(
      "div",
      {
        class: "scroller",
        role: "grid",
        tabindex: 0,
        id: "grid",
        "aria-label": "events, oldest first",
      },
      this.#list,
    );
    parent.append(this.#canvas, this.#scroller);
    this.#scroller.addEventListener("scroll", () => this.#redraw());
    this.#scroller.addEventListener("click", ({ target }) => {
      const row = target instanceof Element ? target.closest("[data-row]") : null;
      if (row !== null) this.#onChoose(Number(row.getAttribute("data-row")));
    });
    new ResizeObserver(() => this.#redraw()).observe(parent);
  }

  load(loaded: LoadedView): void {
    this.#loaded = loaded;
    this.#index = new EdgeIndex(loaded.layout.top, loaded.layout.levels);
    this.#flags = new Uint8Array(loaded.rows.size);
    this.#hits = new Set();
    this.#list.style.height = `${loaded.rows.size * ROW_HEIGHT}px`;
    this.#scroller.setAttribute("aria-rowcount", String(loaded.rows.size));
    this.#renew();
  }

  judge(flags: Uint8Array): void {
    this.#flags = new Uint8Array(flags);
    this.#renew();
  }

  find(hits: ReadonlySet<number>): void {
    this.#hits = hits;
    this.#renew();
  }

  /** @param ids of events that a sentence is about */
  mark(ids: ReadonlySet<string>): void {
    this.#marked = ids;
    this.#renew();
  }

  show(row: number): void {
    this.#row = row;
    const top = row * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.#scroller;
    if (top < scrollTop + ROW_HEIGHT || top > scrollTop + clientHeight - 2 * ROW_HEIGHT) {
      this.#scroller.scrollTop = Math.max(0, top - clientHeight / 2);
    }
    this.#renew();
  }

  recolour(): void {
    this.#colours = colours();
    this.#renew();
  }

  focus(): void {
    this.#scroller.focus();
  }

  #renew(): void {
    this.#made = new Map();
    this.#redraw();
  }

  #redraw(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    requestAnimationFrame(() => {
      this.#isWaiting = false;
      const loaded = this.#loaded;
      if (loaded === undefined) return;
      const { scrollTop, clientHeight } = this.#scroller;
      const first = Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - SPARE_ROWS);
      const last = Math.min(
        loaded.rows.size - 1,
        Math.ceil((scrollTop + clientHeight) / ROW_HEIGHT) + SPARE_ROWS,
      );
      const rows = new Map<number, HTMLElement>();
      for (let row = first; row <= last; row++) {
        rows.set(row, this.#made.get(row) ?? this.#rowElement(loaded, row));
      }
      this.#made = rows;
      const wanted = new Set<Node>(rows.values());
      for (const old of [...this.#list.childNodes]) if (!wanted.has(old)) old.remove();
      for (const [at, element] of [...rows.values()].entries()) {
        const there = this.#list.childNodes[at] ?? null;
        if (there !== element) this.#list.insertBefore(element, there);
      }
      // Elsewhere than in sight there is no such element.
      const isInSight = this.#row >= first && this.#row <= last;
      if (isInSight) this.#scroller.setAttribute("aria-activedescendant", `row-${this.#row}`);
      else this.#scroller.removeAttribute("aria-activedescendant");
      this.#draw(loaded, first, last, scrollTop);
    });
  }

  #pitch({ layout: { lanes } }: LoadedView): number {
    return Math.min(24, MOST_WIDTH / Math.max(1, lanes));
  }

  #rowElement(loaded: LoadedView, row: number): HTMLElement {
    const view = rowAt(loaded.rows, row);
    if (view === undefined) return h("div");
    const words = wordsOf(view, this.#flags[row] ?? 0);
    const text = h("span", { class: "what", role: "gridcell" }, bdi(view.label));
    for (const [word, tone] of words) text.append(" ", h("span", { class: `tag ${tone}` }, word));
    text.append(" ", bdi(view.sender, "by"));
    text.style.marginLeft = `${this.#pitch(loaded) * loaded.layout.lanes + 14}px`;
    const classes = [
      "row",
      ...(row === this.#row ? ["at"] : []),
      ...(this.#hits.has(row) ? ["hit"] : []),
      ...(this.#marked.has(view.id) ? ["marked"] : []),
    ];
    const element = h(
      "div",
      {
        class: classes.join(" "),
        role: "row",
        id: `row-${row}`,
        "data-row": row,
        "aria-rowindex": row + 1,
        "aria-selected": row === this.#row ? "true" : "false",
      },
      h("span", { class: "n", role: "gridcell" }, String(row + 1)),
      h("span", { class: "n time", role: "gridcell" }, timeText(view.time)),
      h("span", { class: `letter s${view.server % 4}`, role: "gridcell" }, letterOf(view.server)),
      text,
    );
    element.style.top = `${row * ROW_HEIGHT}px`;
    return element;
  }

  #draw(loaded: LoadedView, first: number, last: number, scrollTop: number): void {
    const context = fitted(this.#canvas);
    if (context === undefined) return;
    const pitch = this.#pitch(loaded);
    const x = (row: number) => LEFT + pitch * ((loaded.layout.lane[row] ?? 0) + 0.5);
    const y = (row: number) => row * ROW_HEIGHT + ROW_HEIGHT / 2 - scrollTop;
    const tone = (row: number) =>
      this.#colours.servers[(loaded.rows.server[row] ?? 0) % 4] ?? this.#colours.ink;
    if (this.#row >= first && this.#row <= last) {
      context.fillStyle = this.#colours.select;
      context.fillRect(0, y(this.#row) - ROW_HEIGHT / 2, this.#canvas.clientWidth, ROW_HEIGHT);
    }
    context.lineWidth = 2;
    for (const parent of this.#index.crossing(first, last)) {
      const { offsets, targets } = loaded.layout.edges;
      const top = loaded.layout.top[parent] ?? parent;
      context.strokeStyle = tone(parent);
      context.globalAlpha = 0.75;
      // The line of a parent, up from it to its newest child.
      context.beginPath();
      context.moveTo(x(parent), y(Math.max(parent, first - 2)));
      context.lineTo(
        x(parent),
        y(Math.min(top, last + 2)) - (x(top) === x(parent) ? 0 : ROW_HEIGHT),
      );
      context.stroke();
      for (let row = Math.max(first, parent + 1); row <= Math.min(last + 1, top); row++) {
        const from = offsets[row] ?? 0;
        const to = offsets[row + 1] ?? 0;
        for (let edge = from; edge < to; edge++) {
          if (targets[edge] !== parent || x(row) === x(parent)) continue;
          context.beginPath();
          context.moveTo(x(row), y(row));
          context.bezierCurveTo(
            x(row),
            y(row) - ROW_HEIGHT * 0.6,
            x(parent),
            y(row) - ROW_HEIGHT * 0.4,
            x(parent),
            y(row) - ROW_HEIGHT,
          );
          context.stroke();
        }
      }
    }
    context.globalAlpha = 1;
    for (let row = first; row <= last; row++) this.#dot(context, loaded, row, x(row), y(row));
  }

  #dot(
    context: CanvasRenderingContext2D,
    { rows }: LoadedView,
    row: number,
    x: number,
    y: number,
  ): void {
    const view = rowAt(rows, row);
    if (view === undefined) return;
    const flags = this.#flags[row] ?? 0;
    const tone = this.#colours.servers[view.server % 4] ?? this.#colours.ink;
    context.fillStyle = tone;
    context.strokeStyle = tone;
    context.lineWidth = 2;
    context.beginPath();
    if (view.kind === "member") {
      context.fillStyle = this.#colours.paper;
      context.rect(x - 5, y - 5, 10, 10);
    } else if (view.kind === "power" || view.kind === "join-rules") {
      context.moveTo(x, y - 7);
      for (const [dx, dy] of [
        [7, 0],
        [0, 7],
        [-7, 0],
      ] as const)
        context.lineTo(x + dx, y + dy);
      context.closePath();
    } else context.arc(x, y, view.kind === "message" ? 4 : 6, 0, 7);
    context.fill();
    context.stroke();
    if ((flags & (CONFLICTS | REJECTED)) === 0) return;
    context.strokeStyle = (flags & REJECTED) === 0 ? this.#colours.warn : this.#colours.fail;
    context.beginPath();
    if ((flags & REJECTED) === 0) context.arc(x, y, 9, 0, 7);
    else {
      context.moveTo(x - 8, y - 8);
      context.lineTo(x + 8, y + 8);
      context.moveTo(x + 8, y - 8);
      context.lineTo(x - 8, y + 8);
    }
    context.stroke();
  }
}

export function wordsOf(
  { hasGap }: RowView,
  flags: number,
): readonly (readonly [word: string, tone: string])[] {
  return [
    ...((flags & CONFLICTS) !== 0 ? [["conflict", "warn"] as const] : []),
    ...((flags & (MERGES | CONFLICTS)) === MERGES ? [["merge", "plain"] as const] : []),
    ...((flags & REJECTED) !== 0 ? [["rejected", "fail"] as const] : []),
    ...(hasGap ? [["follows what is missing", "warn"] as const] : []),
  ];
}

export function letterOf(server: number): string {
  return server < 26 ? String.fromCharCode(65 + server) : String(server + 1);
}
