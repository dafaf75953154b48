/** The whole run in a line: events of each server, faults as bands, failures as marks, and a slider over it. */
import { density } from "#tardis/layout/density";
import type { LoadedView } from "#tardis/view/messages";
import { fitted, h } from "./dom.ts";
import { type Colours, colours } from "./theme.ts";

const MARGIN = 14;
const MOST_SERIES = 6;

export class Strip {
  readonly #canvas = h("canvas", { "aria-hidden": "true" });
  readonly #slider = h("input", { type: "range", min: 0, step: 1, "aria-label": "event" });
  #loaded: LoadedView | undefined;
  #hits: ReadonlySet<number> = new Set();
  #row = 0;
  #colours: Colours = colours();

  constructor(parent: HTMLElement, onChoose: (row: number) => void) {
    parent.append(this.#canvas, this.#slider);
    this.#slider.addEventListener("input", () => onChoose(Number(this.#slider.value)));
    new ResizeObserver(() => this.redraw()).observe(parent);
  }

  load(loaded: LoadedView): void {
    this.#loaded = loaded;
    this.#hits = new Set();
    this.#slider.max = String(Math.max(0, loaded.rows.size - 1));
    this.redraw();
  }

  find(hits: ReadonlySet<number>): void {
    this.#hits = hits;
    this.redraw();
  }

  /** @param text of the event, for those who hear the slider */
  show(row: number, text: string): void {
    this.#row = row;
    this.#slider.value = String(row);
    this.#slider.setAttribute("aria-valuetext", text);
    this.redraw();
  }

  recolour(): void {
    this.#colours = colours();
    this.redraw();
  }

  redraw(): void {
    const context = fitted(this.#canvas);
    const loaded = this.#loaded;
    if (context === undefined || loaded === undefined) return;
    const width = this.#canvas.clientWidth - 2 * MARGIN;
    const count = Math.max(1, loaded.rows.size - 1);
    const x = (row: number) => MARGIN + (row / count) * width;
    const tones = this.#colours;
    context.font = "12px system-ui, sans-serif";
    for (const { from, to, isLink, text } of loaded.faults) {
      context.globalAlpha = isLink ? 0.2 : 0.3;
      context.fillStyle = isLink ? tones.fail : tones.warn;
      const wide = Math.max(3, x(to) - x(from));
      context.fillRect(x(from), 6, wide, 44);
      context.globalAlpha = 1;
      context.fillStyle = tones.ink;
      context.fillText(text, x(from), 62, Math.max(90, wide));
    }
    this.#events(context, loaded, width);
    context.fillStyle = tones.warn;
    for (const row of this.#hits) context.fillRect(x(row) - 1, 2, 2, 6);
    context.fillStyle = tones.fail;
    for (const { row, isOk } of loaded.steps) {
      if (isOk === false) context.fillRect(x(row) - 2, 44, 4, 8);
    }
    const at = x(this.#row);
    context.fillStyle = tones.focus;
    context.fillRect(at - 1, 2, 2, 60);
    context.beginPath();
    context.moveTo(at - 6, 0);
    context.lineTo(at + 6, 0);
    context.lineTo(at, 8);
    context.fill();
  }

  #events(context: CanvasRenderingContext2D, { rows, servers }: LoadedView, width: number): void {
    const series = Math.min(MOST_SERIES, Math.max(1, servers.length));
    const buckets = Math.max(1, Math.min(rows.size, Math.floor(width / 4)));
    const seriesOf = rows.server.map((server) => Math.min(server, series - 1));
    const { counts } = density(seriesOf, [], { series, buckets });
    const most = counts.reduce((one, other) => Math.max(one, other), 1);
    const last = Math.max(1, rows.size <= buckets ? rows.size - 1 : buckets);
    const gap = 36 / series;
    for (let bucket = 0; bucket < buckets; bucket++) {
      for (let one = 0; one < series; one++) {
        const count = counts[bucket * series + one] ?? 0;
        if (count === 0) continue;
        context.fillStyle = this.#colours.servers[one % 4] ?? this.#colours.ink;
        context.beginPath();
        const radius = 1.6 + 1.6 * (count / most);
        context.arc(MARGIN + (bucket / last) * width, 14 + one * gap, radius, 0, 7);
        context.fill();
      }
    }
  }
}
