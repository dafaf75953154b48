/** A canvas that knows the size of its box without asking, since to ask makes a browser lay out the page again. */
import { h } from "./dom.ts";

export class Surface {
  readonly canvas = h("canvas", { "aria-hidden": "true" });
  wide = 0;
  high = 0;

  /** @param onResize draws it again: a canvas of another size is empty */
  constructor(onResize: () => void) {
    new ResizeObserver(([entry]) => {
      if (entry === undefined) return;
      const { width, height } = entry.contentRect;
      [this.wide, this.high] = [width, height];
      const scale = window.devicePixelRatio;
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      onResize();
    }).observe(this.canvas);
  }

  /** Empty, in the pixels of the page; undefined where there is nothing to draw on. */
  cleared(): CanvasRenderingContext2D | undefined {
    if (this.canvas.width === 0 || this.canvas.height === 0) return undefined;
    const context = this.canvas.getContext("2d") ?? undefined;
    const scale = window.devicePixelRatio;
    context?.setTransform(scale, 0, 0, scale, 0, 0);
    context?.clearRect(0, 0, this.wide, this.high);
    return context;
  }
}
