/** The graph of a window of rows: lines in their lanes, a dot for each event, and what it cites where that is asked for. */
import type { EdgeIndex } from "#tardis/layout/edge-index";
import type { Edges } from "#tardis/model/graph";
import { HAS, OUTLIER, REJECTED as REFUSED, SOFT_FAILED } from "#tardis/model/knowledge";
import {
  CONFLICTS,
  type LayoutView,
  REJECTED,
  ROW_KINDS,
  type RowColumns,
} from "#tardis/view/messages";
import { type Shape, type Tone, toneOf } from "./display-list.ts";

export interface Scene {
  readonly rows: RowColumns;
  readonly layout: LayoutView;
  /** Of the layout. */
  readonly index: EdgeIndex;
  /** Between rows: what events cite. */
  readonly cited: Edges;
  /** Between rows: whose state events follow, in rooms that say so (MSC4242). */
  readonly stateFollowed: Edges;
  /** By row, as in JudgedView. */
  readonly flags: Uint8Array;
  /** By row, what the chosen server made of it; undefined while none is chosen. */
  readonly knowledge: Uint8Array | undefined;
  /** The row of the cursor: what came later is faint. */
  readonly cursor: number;
  /** Rows whose citations are drawn. */
  readonly citing: readonly number[];
}

export interface Frame {
  /** Places, both ends included. */
  readonly first: number;
  readonly last: number;
  readonly rowHeight: number;
  /** Where the lanes begin. */
  readonly left: number;
  readonly wide: number;
  /** How far down the list the frame begins. */
  readonly scrolled: number;
  readonly isNewestFirst: boolean;
}

const MOST_WIDTH = 260;
const MOST_PITCH = 24;
/** Of rows with texts: dots have their full size in them. */
export const TEXT_ROW = 28;
const LATER = 0.35;

/** How far lanes stand from one another. */
export function pitchOf({ lanes }: LayoutView): number {
  return Math.min(MOST_PITCH, MOST_WIDTH / Math.max(1, lanes));
}

/** The place of a row, or of the next older one that is in the list; -1 where there is none. */
export function placeOf({ rows }: LayoutView, row: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] ?? 0) <= row) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export function dagShapes(scene: Scene, frame: Frame): readonly Shape[] {
  return new DagDrawing(scene, frame).shapes();
}

class DagDrawing {
  readonly #scene: Scene;
  readonly #frame: Frame;
  readonly #shapes: Shape[] = [];
  readonly #pitch: number;
  /** Of dots. */
  readonly #scale: number;
  readonly #cursor: number;

  constructor(scene: Scene, frame: Frame) {
    this.#scene = scene;
    this.#frame = frame;
    this.#pitch = pitchOf(scene.layout);
    this.#scale = Math.max(0.3, Math.min(1, frame.rowHeight / TEXT_ROW, this.#pitch / 12));
    this.#cursor = placeOf(scene.layout, scene.cursor);
  }

  shapes(): readonly Shape[] {
    const { first, last, rowHeight, wide } = this.#frame;
    const isThere = this.#row(this.#cursor) === this.#scene.cursor;
    if (isThere && this.#cursor >= first && this.#cursor <= last) {
      const y = this.#y(this.#cursor) - rowHeight / 2;
      this.#shapes.push({ kind: "rect", x: 0, y, wide, high: rowHeight, fill: "select" });
    }
    for (const place of this.#scene.index.crossing(first, last)) this.#line(place);
    for (let place = first; place <= Math.min(last + 1, this.#size - 1); place++)
      this.#turns(place);
    for (let place = first; place <= last; place++) this.#stateFollowed(place);
    for (const row of this.#scene.citing) this.#citations(row);
    for (let place = first; place <= last; place++) this.#dot(place);
    return this.#shapes;
  }

  get #size(): number {
    return this.#scene.layout.rows.length;
  }

  #x(place: number): number {
    return this.#frame.left + this.#pitch * ((this.#scene.layout.lane[place] ?? 0) + 0.5);
  }

  #y(place: number): number {
    const { rowHeight, scrolled, isNewestFirst } = this.#frame;
    const line = isNewestFirst ? this.#size - 1 - place : place;
    return (line + 0.5) * rowHeight - scrolled;
  }

  /** Down, as far as the next newer row is. */
  get #step(): number {
    return this.#frame.isNewestFirst ? -this.#frame.rowHeight : this.#frame.rowHeight;
  }

  #row(place: number): number {
    return this.#scene.layout.rows[place] ?? 0;
  }

  #tone(place: number): Tone {
    return toneOf(this.#scene.rows.server[this.#row(place)] ?? 0);
  }

  /** From a parent to its newest child, in the lane of the parent. */
  #line(parent: number): void {
    const { first, last } = this.#frame;
    const top = this.#scene.layout.top[parent] ?? parent;
    const x = this.#x(parent);
    const turn = this.#x(top) === x ? 0 : this.#step;
    const clamp = (place: number) => Math.max(first - 2, Math.min(place, last + 2));
    const [from, to] = [clamp(parent), clamp(top)];
    const yTo = this.#y(to) - (to === top ? turn : 0);
    const now = Math.max(from, Math.min(to, this.#cursor));
    const yNow = now === to ? yTo : this.#y(now);
    const stroke = this.#tone(parent);
    const style = { kind: "line", stroke } as const;
    if (now > from)
      this.#shapes.push({ ...style, points: [x, this.#y(from), x, yNow], opacity: 0.75 });
    if (now < to) this.#shapes.push({ ...style, points: [x, yNow, x, yTo], opacity: LATER });
  }

  /** From a child to the lines of those parents that have lanes of their own, and marks where rows are folded. */
  #turns(place: number): void {
    const { edges, hidden } = this.#scene.layout;
    const [x, y, step] = [this.#x(place), this.#y(place), this.#step];
    for (let edge = edges.offsets[place] ?? 0; edge < (edges.offsets[place + 1] ?? 0); edge++) {
      const parent = edges.targets[edge] ?? -1;
      if (parent < 0) continue;
      const to = this.#x(parent);
      const opacity = place > this.#cursor ? LATER : 0.75;
      if (to !== x) {
        const points = [x, y, x, y - step * 0.6, to, y - step * 0.4, to, y - step];
        this.#shapes.push({ kind: "curve", points, stroke: this.#tone(parent), opacity });
      }
      if ((hidden[edge] ?? 0) > 0) this.#fold((x + to) / 2, y - step / 2);
    }
  }

  /** Two bars over a line. */
  #fold(x: number, y: number): void {
    const half = 5 * this.#scale;
    this.#shapes.push({
      kind: "rect",
      x: x - half,
      y: y - 2,
      wide: 2 * half,
      high: 4,
      fill: "paper",
    });
    for (const dy of [-2, 2]) {
      const points = [x - half, y + dy, x + half, y + dy];
      this.#shapes.push({ kind: "line", points, stroke: "ink-2", width: 1.5 });
    }
  }

  #stateFollowed(place: number): void {
    this.#bows(this.#row(place), this.#scene.stateFollowed, { stroke: "ink-2", dash: [1, 4] });
  }

  #citations(row: number): void {
    this.#bows(row, this.#scene.cited, { stroke: "focus", dash: [5, 4] });
  }

  /** Bowed lines from a row to others, which take no lane. */
  #bows(
    row: number,
    { offsets, targets }: Edges,
    style: { readonly stroke: Tone; readonly dash: readonly number[] },
  ): void {
    const place = placeOf(this.#scene.layout, row);
    if (place < 0 || this.#row(place) !== row) return;
    const [x, y] = [this.#x(place), this.#y(place)];
    for (let edge = offsets[row] ?? 0; edge < (offsets[row + 1] ?? 0); edge++) {
      const target = targets[edge] ?? -1;
      const at = target < 0 ? -1 : placeOf(this.#scene.layout, target);
      if (at < 0) continue;
      const [toX, toY] = [this.#x(at), this.#y(at)];
      const out = Math.max(x, toX) + Math.min(60, 12 + Math.abs(toY - y) / 8);
      const points = [x, y, out, y + (toY - y) / 4, out, toY - (toY - y) / 4, toX, toY];
      this.#shapes.push({ kind: "curve", points, width: 1.5, ...style });
    }
  }

  #dot(place: number): void {
    const row = this.#row(place);
    const [x, y, scale] = [this.#x(place), this.#y(place), this.#scale];
    const tone = this.#tone(place);
    const known = this.#scene.knowledge?.[row];
    const isFaint = place > this.#cursor || known === 0;
    const style = { stroke: tone, ...(isFaint ? { opacity: LATER } : {}) };
    const at = (...points: readonly number[]) =>
      points.map((value, index) => (index % 2 === 0 ? x : y) + value * scale);
    const full = { ...style, fill: tone };
    const hollow = { ...style, fill: "paper" as const };
    switch (ROW_KINDS[this.#scene.rows.kind[row] ?? 0]) {
      case "create":
        this.#shapes.push({ kind: "polygon", points: at(0, -7, 7, 6, -7, 6), ...full });
        break;
      case "member":
        this.#shapes.push({ kind: "polygon", points: at(-5, -5, 5, -5, 5, 5, -5, 5), ...hollow });
        break;
      case "power":
        this.#shapes.push({ kind: "polygon", points: at(0, -7, 7, 0, 0, 7, -7, 0), ...full });
        break;
      case "join-rules":
        this.#shapes.push({ kind: "polygon", points: at(0, -7, 7, 0, 0, 7, -7, 0), ...hollow });
        break;
      case "message":
        this.#shapes.push({ kind: "circle", x, y, r: 4 * scale, ...full });
        break;
      default:
        this.#shapes.push({ kind: "circle", x, y, r: 6 * scale, ...full });
    }
    this.#rings(x, y, this.#scene.flags[row] ?? 0, known);
  }

  #rings(x: number, y: number, flags: number, known: number | undefined): void {
    const scale = this.#scale;
    if ((flags & CONFLICTS) !== 0) {
      this.#shapes.push({ kind: "circle", x, y, r: 10 * scale, stroke: "warn" });
    }
    if (known !== undefined && (known & HAS) !== 0) {
      const ring = { kind: "circle", x, y, r: 8 * scale, width: 1.5 } as const;
      if ((known & SOFT_FAILED) !== 0) this.#shapes.push({ ...ring, stroke: "warn", dash: [4, 3] });
      else if ((known & OUTLIER) !== 0) this.#shapes.push({ ...ring, stroke: "ink", dash: [1, 3] });
      else if ((known & REFUSED) === 0) this.#shapes.push({ ...ring, stroke: "ink" });
    }
    const isRefused = known === undefined ? (flags & REJECTED) !== 0 : (known & REFUSED) !== 0;
    if (!isRefused) return;
    const half = 8 * scale;
    const cross = { kind: "line", stroke: "fail" } as const;
    this.#shapes.push({ ...cross, points: [x - half, y - half, x + half, y + half] });
    this.#shapes.push({ ...cross, points: [x + half, y - half, x - half, y + half] });
  }
}
