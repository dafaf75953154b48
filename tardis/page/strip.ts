/** The whole run in a line, and a slider over it: a click or the cursor's handle moves, and a drag elsewhere chooses a range. */
import { stripRow, stripShapes, stripX } from "#tardis/render/strip-picture";
import type { LoadedView } from "#tardis/view/messages";
import { h } from "./dom.ts";
import { paint } from "./paint.ts";
import { Surface } from "./surface.ts";
import { colours } from "./theme.ts";

/** Pixels from the cursor that still are its handle, and of a drag that is none. */
const NEAR = 8;

export interface StripActions {
  readonly choose: (row: number) => void;
  readonly range: (range: readonly [number, number]) => void;
}

export class Strip {
  /** What seldom changes, and over it what follows the cursor. */
  readonly #base = new Surface(() => this.#drawBase());
  readonly #over = new Surface(() => this.#drawOver());
  readonly #slider = h("input", { type: "range", min: 0, step: 1, "aria-label": "event" });
  readonly #actions: StripActions;
  #loaded: LoadedView | undefined;
  #hits: ReadonlySet<number> = new Set();
  #row = 0;
  #range: readonly [number, number] | undefined;
  #tones = colours();
  /** From and to, in pixels; of the cursor, where `isHandle`. */
  #drag: { readonly from: number; to: number; readonly isHandle: boolean } | undefined;

  constructor(parent: HTMLElement, actions: StripActions) {
    this.#actions = actions;
    parent.append(this.#base.canvas, this.#over.canvas, this.#slider);
    this.#slider.addEventListener("input", () => actions.choose(Number(this.#slider.value)));
    parent.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.#loaded === undefined) return;
      parent.setPointerCapture(event.pointerId);
      const from = event.clientX;
      const isHandle = Math.abs(from - stripX(this.#row, this.#size)) <= NEAR;
      this.#drag = { from, to: from, isHandle };
    });
    parent.addEventListener("pointermove", ({ clientX }) => this.#move(clientX));
    parent.addEventListener("pointerup", () => this.#drop());
    parent.addEventListener("pointercancel", () => {
      this.#drag = undefined;
      this.#drawOver();
    });
  }

  load(loaded: LoadedView): void {
    this.#loaded = loaded;
    this.#hits = new Set();
    this.#slider.max = String(Math.max(0, loaded.rows.size - 1));
    this.#drawBase();
  }

  find(hits: ReadonlySet<number>): void {
    this.#hits = hits;
    this.#drawBase();
  }

  /** @param text of the event, for those who hear the slider */
  show(row: number, text: string, range: readonly [number, number] | undefined): void {
    this.#row = row;
    this.#slider.value = String(row);
    this.#slider.setAttribute("aria-valuetext", text);
    if (String(range) !== String(this.#range)) {
      this.#range = range;
      this.#drawBase();
    }
    this.#drawOver();
  }

  recolour(): void {
    this.#tones = colours();
    this.#drawBase();
    this.#drawOver();
  }

  get #size() {
    return { wide: this.#base.wide, rows: this.#loaded?.rows.size ?? 0 };
  }

  #move(x: number): void {
    if (this.#drag === undefined) return;
    this.#drag.to = x;
    if (this.#drag.isHandle) this.#actions.choose(stripRow(x, this.#size));
    else this.#drawOver();
  }

  #drop(): void {
    const drag = this.#drag;
    this.#drag = undefined;
    if (drag === undefined || drag.isHandle) return;
    const [from, to] = [drag.from, drag.to]
      .sort((a, b) => a - b)
      .map((x) => stripRow(x, this.#size));
    if (Math.abs(drag.to - drag.from) < NEAR) this.#actions.choose(to ?? 0);
    else this.#actions.range([from ?? 0, to ?? 0]);
    this.#drawOver();
  }

  #drawBase(): void {
    const context = this.#base.cleared();
    if (context === undefined || this.#loaded === undefined) return;
    paint(context, stripShapes(this.#loaded, this.#hits, this.#range, this.#size), this.#tones);
  }

  #drawOver(): void {
    const context = this.#over.cleared();
    if (context === undefined || this.#loaded === undefined) return;
    const x = stripX(this.#row, this.#size);
    paint(
      context,
      [
        { kind: "rect", x: x - 1, y: 2, wide: 2, high: 60, fill: "focus" },
        { kind: "polygon", points: [x - 6, 0, x + 6, 0, x, 8], fill: "focus" },
      ],
      this.#tones,
    );
    if (this.#drag === undefined || this.#drag.isHandle) return;
    const { from, to } = this.#drag;
    const [left, wide] = [Math.min(from, to), Math.abs(to - from)];
    const rect = { kind: "rect", x: left, y: 0, wide, high: 74, fill: "focus" } as const;
    paint(context, [{ ...rect, opacity: 0.25 }], this.#tones);
  }
}
