/** The whole room at once, kept as a picture: to draw it takes longer than a frame has, and to copy it does not. */
import type { Frame, Scene } from "#tardis/render/dag-picture";
import { densityShapes } from "#tardis/render/density-picture";
import type { Shape, Tones } from "#tardis/render/display-list";
import { paint } from "./paint.ts";

export interface WholeLook {
  readonly scene: Scene;
  readonly frame: Frame;
  readonly high: number;
  readonly hits: ReadonlySet<number>;
  readonly tones: Tones;
  /** Beside the events. */
  readonly numbers: readonly Shape[];
}

export class WholeRoom {
  #kept: { readonly look: WholeLook; readonly canvas: OffscreenCanvas } | undefined;

  /** @param context of a canvas that is as large as the picture is to be */
  draw(context: CanvasRenderingContext2D, look: WholeLook): void {
    const { wide } = look.frame;
    const { width, height } = context.canvas;
    const isKept =
      this.#kept !== undefined &&
      isSame(this.#kept.look, look) &&
      this.#kept.canvas.width === width &&
      this.#kept.canvas.height === height;
    const canvas = isKept ? this.#kept?.canvas : drawn(look, width, height);
    if (canvas === undefined) return;
    this.#kept = { look, canvas };
    context.drawImage(canvas, 0, 0, wide, look.high);
  }
}

/** What is at the cursor is not in it. */
function isSame(one: WholeLook, other: WholeLook): boolean {
  return (
    one.scene.layout === other.scene.layout &&
    one.scene.flags === other.scene.flags &&
    one.hits === other.hits &&
    one.tones === other.tones &&
    one.frame.isNewestFirst === other.frame.isNewestFirst &&
    one.frame.wide === other.frame.wide &&
    one.high === other.high
  );
}

function drawn(look: WholeLook, width: number, height: number): OffscreenCanvas | undefined {
  const { scene, frame, high, hits, tones, numbers } = look;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (context === null) return undefined;
  context.scale(width / Math.max(1, frame.wide), height / Math.max(1, high));
  const { left, isNewestFirst } = frame;
  paint(context, [...densityShapes(scene, { left, high, isNewestFirst, hits }), ...numbers], tones);
  return canvas;
}
