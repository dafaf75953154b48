/** The graph: lanes on a canvas, and over it the rows that are in sight, which are what readers of the page's text have. */
import { EdgeIndex } from "#tardis/layout/edge-index";
import { dagShapes, type Frame, placeOf, type Scene, TEXT_ROW } from "#tardis/render/dag-picture";
import type { Shape } from "#tardis/render/display-list";
import type { LoadedView } from "#tardis/view/messages";
import { h } from "./dom.ts";
import { paint } from "./paint.ts";
import { RowList } from "./row-list.ts";
import { Surface } from "./surface.ts";
import { colours } from "./theme.ts";
import { WholeRoom } from "./whole-room.ts";

/** Of one row; after the last of them comes the whole room at once. */
const ROW_HEIGHTS = [TEXT_ROW, 12, 6, 3] as const;
const TEXT_LEFT = 148;
const LEFT = 60;
const SPARE_ROWS = 3;
/** Pixels between numbers of rows where rows have no texts. */
const NUMBER_EVERY = 60;

export interface DagActions {
  readonly choose: (row: number) => void;
  readonly hover: (row: number | undefined) => void;
  readonly unfold: (newest: number, count: number) => void;
}

/** What may change about rows that stay where they are. */
interface Looks {
  readonly hits: ReadonlySet<number>;
  readonly marked: ReadonlySet<string>;
}

export class Dag {
  readonly #surface = new Surface(() => this.#redraw());
  readonly #scroller: HTMLElement;
  readonly #list: RowList;
  #scene: Scene | undefined;
  #looks: Looks = { hits: new Set(), marked: new Set() };
  #isNewestFirst = false;
  /** Of ROW_HEIGHTS, or one more. */
  #zoom = 0;
  #tones = colours();
  /** How far down the list its picture begins: where the scroller is, or is going to be with the next one. */
  #scrolled = 0;
  #isWaiting = false;
  readonly #hover: DagActions["hover"];
  /** What the pointer came to last: it tells of it no more when the row under it becomes another. */
  #pointed: Event | undefined;
  /** The row of the cursor gets the focus once it is there. */
  #wantsFocus = false;
  readonly #whole = new WholeRoom();

  constructor(parent: HTMLElement, actions: DagActions) {
    this.#list = new RowList(actions.unfold);
    this.#scroller = h(
      "div",
      { class: "scroller", role: "grid", tabindex: 0, id: "grid" },
      this.#list.element,
    );
    parent.append(this.#surface.canvas, this.#scroller);
    this.#scroller.addEventListener("scroll", () => {
      const { scrollTop } = this.#scroller;
      if (scrollTop === this.#scrolled) return;
      this.#scrolled = scrollTop;
      this.#redraw();
    });
    this.#scroller.addEventListener("click", (event) => {
      const row = this.#isWhole ? this.#rowAtHeight(event.offsetY) : rowOf(event);
      if (row !== undefined) actions.choose(row);
    });
    this.#scroller.addEventListener("pointerover", (event) => {
      this.#pointed = event;
      actions.hover(rowOf(event));
    });
    this.#scroller.addEventListener("pointerleave", () => {
      this.#pointed = undefined;
      actions.hover(undefined);
    });
    this.#hover = actions.hover;
  }

  load({ rows, layout, cited, stateFollowed }: LoadedView): void {
    this.#scene = {
      rows,
      layout,
      index: new EdgeIndex(layout.top, layout.levels),
      cited,
      stateFollowed,
      flags: new Uint8Array(rows.size),
      knowledge: undefined,
      cursor: 0,
      citing: [],
    };
    this.#looks = { hits: new Set(), marked: new Set() };
    this.#resize();
  }

  /** Changes what is known or shown of rows; with a layout, where they stand. */
  change(
    change: Partial<Pick<Scene, "layout" | "flags" | "knowledge" | "citing">> & Partial<Looks>,
  ): void {
    const scene = this.#scene;
    if (scene === undefined) return;
    const { hits = this.#looks.hits, marked = this.#looks.marked, layout, ...rest } = change;
    this.#looks = { hits, marked };
    if (layout === undefined) {
      this.#scene = { ...scene, ...rest };
      this.#redraw();
      return;
    }
    const before = this.#topOf(scene.cursor) - this.#scrolled;
    const index = new EdgeIndex(layout.top, layout.levels);
    this.#scene = { ...scene, ...rest, layout, index };
    this.#resize();
    this.#scrollTo(this.#topOf(scene.cursor) - before);
  }

  turn(isNewestFirst: boolean): void {
    if (isNewestFirst === this.#isNewestFirst) return;
    this.#isNewestFirst = isNewestFirst;
    this.#resize();
    this.#reveal(true);
  }

  /** Moves the cursor, and brings it into sight. */
  show(row: number): void {
    if (this.#scene === undefined) return;
    const isOther = row !== this.#scene.cursor;
    this.#scene = { ...this.#scene, cursor: row };
    this.#reveal(false);
    if (isOther) this.#redraw();
  }

  /** @param by 1: smaller rows, and more of them */
  zoom(by: 1 | -1): void {
    this.#zoom = Math.max(0, Math.min(ROW_HEIGHTS.length, this.#zoom + by));
    this.#resize();
    this.#reveal(true);
  }

  /** The row that stands above another one, or below. */
  beside(row: number, by: 1 | -1): number {
    const layout = this.#scene?.layout;
    if (layout === undefined) return row;
    const place = placeOf(layout, row) + (this.#isNewestFirst ? -by : by);
    return layout.rows[Math.max(0, Math.min(layout.rows.length - 1, place))] ?? row;
  }

  recolour(): void {
    this.#tones = colours();
    this.#redraw();
  }

  focus(): void {
    this.#wantsFocus = true;
    this.#scroller.focus();
    this.#redraw();
  }

  /** What is in sight. */
  get inSight(): { readonly scene: Scene; readonly frame: Frame } | undefined {
    const scene = this.#scene;
    return scene === undefined ? undefined : { scene, frame: this.#frame(scene, 0) };
  }

  get #isWhole(): boolean {
    return this.#zoom >= ROW_HEIGHTS.length;
  }

  get #rowHeight(): number {
    const count = Math.max(1, this.#scene?.layout.rows.length ?? 1);
    return ROW_HEIGHTS[this.#zoom] ?? this.#surface.high / count;
  }

  #rowAtHeight(y: number): number | undefined {
    const rows = this.#scene?.layout.rows ?? new Uint32Array(0);
    const line = Math.floor(y / this.#rowHeight);
    return rows[this.#isNewestFirst ? rows.length - 1 - line : line];
  }

  /** How far down the list a row stands. */
  #topOf(row: number): number {
    const layout = this.#scene?.layout;
    if (layout === undefined) return 0;
    const place = Math.max(0, placeOf(layout, row));
    return (this.#isNewestFirst ? layout.rows.length - 1 - place : place) * this.#rowHeight;
  }

  #reveal(isMoved: boolean): void {
    const scene = this.#scene;
    if (scene === undefined || this.#isWhole) return;
    const [top, tall] = [this.#topOf(scene.cursor), this.#rowHeight];
    const [scrolled, high] = [this.#scrolled, this.#surface.high];
    const isInSight = top >= scrolled + tall && top <= scrolled + high - 2 * tall;
    if (isMoved || !isInSight) this.#scrollTo(top - high / 2);
  }

  /** With the next picture: to scroll makes a browser lay out the page, and once a frame is enough. */
  #scrollTo(top: number): void {
    const count = this.#scene?.layout.rows.length ?? 0;
    const most = count * this.#rowHeight - this.#surface.high;
    this.#scrolled = Math.round(Math.max(0, Math.min(most, top)));
    this.#redraw();
  }

  #resize(): void {
    const count = this.#scene?.layout.rows.length ?? 0;
    this.#list.element.style.height = this.#isWhole ? "100%" : `${count * this.#rowHeight}px`;
    this.#scroller.setAttribute("aria-rowcount", String(count));
    const order = this.#isNewestFirst ? "newest first" : "oldest first";
    this.#scroller.setAttribute("aria-label", `events, ${order}`);
    // A shorter list may have been scrolled back.
    this.#scrolled = this.#scroller.scrollTop;
    this.#redraw();
  }

  #redraw(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    requestAnimationFrame(() => {
      this.#isWaiting = false;
      if (this.#scene !== undefined) this.#draw(this.#scene);
    });
  }

  #frame({ layout }: Scene, spare: number): Frame {
    const [rowHeight, count] = [this.#rowHeight, layout.rows.length];
    const scrolled = this.#isWhole ? 0 : this.#scrolled;
    const top = Math.max(0, Math.floor(scrolled / rowHeight) - spare);
    const end = Math.min(count, Math.ceil((scrolled + this.#surface.high) / rowHeight) + spare);
    return {
      first: this.#isNewestFirst ? count - end : top,
      last: this.#isNewestFirst ? count - 1 - top : end - 1,
      rowHeight,
      left: rowHeight >= TEXT_ROW ? TEXT_LEFT : LEFT,
      wide: this.#surface.wide,
      scrolled,
      isNewestFirst: this.#isNewestFirst,
    };
  }

  #draw(scene: Scene): void {
    const frame = this.#frame(scene, SPARE_ROWS);
    const context = this.#surface.cleared();
    if (context !== undefined) {
      const [numbers, tones] = [numbersOf(scene, frame), this.#tones];
      if (this.#isWhole) {
        const [y, { high, wide }, { hits }] = [
          this.#topOf(scene.cursor),
          this.#surface,
          this.#looks,
        ];
        this.#whole.draw(context, { scene, frame, high, hits, tones, numbers });
        paint(context, [{ kind: "line", points: [0, y, wide, y], stroke: "focus" }], tones);
      } else paint(context, [...dagShapes(scene, frame), ...numbers], tones);
    }
    const cursor = placeOf(scene.layout, scene.cursor);
    const isThere = scene.layout.rows[cursor] === scene.cursor;
    const places = this.#placesIn(frame, isThere ? cursor : undefined);
    const { rowHeight } = frame;
    const { activeElement } = document;
    const hadFocus = this.#scroller.contains(activeElement);
    this.#list.show(places, {
      ...this.#looks,
      scene,
      rowHeight,
      isNewestFirst: this.#isNewestFirst,
    });
    this.#scroller.tabIndex = isThere ? -1 : 0;
    if (!this.#isWhole) this.#scroll();
    // Whoever has gone elsewhere since is not called back.
    const isLeft = document.activeElement !== activeElement || activeElement?.matches(".row");
    const isDue = hadFocus && (this.#wantsFocus || isLeft);
    this.#wantsFocus = false;
    if (isDue && isThere) this.#list.focus(cursor);
    if (this.#pointed !== undefined) this.#hover(rowOf(this.#pointed));
  }
  /** To where the picture is; it is drawn again where that is not to be had. */
  #scroll(): void {
    this.#scroller.scrollTop = this.#scrolled;
    const { scrollTop } = this.#scroller;
    if (scrollTop === this.#scrolled) return;
    this.#scrolled = scrollTop;
    this.#redraw();
  }

  /** Those of the rows that there have to be, in the order in which they stand; of the whole room only the cursor's. */
  #placesIn({ first, last }: Frame, cursor: number | undefined): readonly number[] {
    const places: number[] = [];
    if (!this.#isWhole) for (let place = first; place <= last; place++) places.push(place);
    // The row that can have the focus is always there, in sight or not.
    if (cursor !== undefined && (this.#isWhole || cursor < first)) places.unshift(cursor);
    else if (cursor !== undefined && cursor > last) places.push(cursor);
    return this.#isNewestFirst ? places.reverse() : places;
  }
}

/** Where rows have no texts, every so many have a number. */
function numbersOf({ layout }: Scene, frame: Frame): readonly Shape[] {
  const { first, last, rowHeight, scrolled, isNewestFirst } = frame;
  if (rowHeight >= TEXT_ROW) return [];
  const every = Math.max(1, Math.round(NUMBER_EVERY / rowHeight));
  const shapes: Shape[] = [];
  for (let place = Math.ceil(first / every) * every; place <= last; place += every) {
    const line = isNewestFirst ? layout.rows.length - 1 - place : place;
    const y = (line + 0.5) * rowHeight - scrolled + 4;
    const text = String((layout.rows[place] ?? 0) + 1);
    shapes.push({ kind: "text", x: 4, y, runs: [{ text, tone: "ink-2" }], isMono: true });
  }
  return shapes;
}

function rowOf({ target }: Event): number | undefined {
  if (!(target instanceof Element) || target.closest("button") !== null) return undefined;
  const row = target.closest("[data-row]")?.getAttribute("data-row");
  return row === null || row === undefined ? undefined : Number(row);
}
