/** Paints a display list. */
import type { Shape, Tones } from "#tardis/render/display-list";

const SANS = "13px system-ui, sans-serif";
const MONO = "12px ui-monospace, monospace";

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export function paint(context: Context, shapes: readonly Shape[], tones: Tones): void {
  for (const shape of shapes) {
    if (shape.kind === "text") {
      paintText(context, shape, tones);
      continue;
    }
    context.globalAlpha = shape.opacity ?? 1;
    context.beginPath();
    trace(context, shape);
    if (shape.fill !== undefined) {
      context.fillStyle = tones[shape.fill];
      context.fill();
    }
    if (shape.stroke !== undefined) {
      context.strokeStyle = tones[shape.stroke];
      context.lineWidth = shape.width ?? 2;
      if (shape.dash !== undefined) context.setLineDash([...shape.dash]);
      context.stroke();
      if (shape.dash !== undefined) context.setLineDash([]);
    }
  }
  context.globalAlpha = 1;
}

function trace(context: Context, shape: Exclude<Shape, { readonly kind: "text" }>): void {
  if (shape.kind === "circle") context.arc(shape.x, shape.y, shape.r, 0, 2 * Math.PI);
  else if (shape.kind === "rect") context.rect(shape.x, shape.y, shape.wide, shape.high);
  else {
    const [x = 0, y = 0, ...rest] = shape.points;
    context.moveTo(x, y);
    if (shape.kind === "curve") {
      const [x1 = 0, y1 = 0, x2 = 0, y2 = 0, x3 = 0, y3 = 0] = rest;
      context.bezierCurveTo(x1, y1, x2, y2, x3, y3);
    } else {
      for (let at = 0; at + 1 < rest.length; at += 2)
        context.lineTo(rest[at] ?? 0, rest[at + 1] ?? 0);
    }
    if (shape.kind === "polygon") context.closePath();
  }
}

function paintText(
  context: Context,
  { x, y, runs, isMono, isCentred }: Extract<Shape, { readonly kind: "text" }>,
  tones: Tones,
): void {
  context.globalAlpha = 1;
  context.textAlign = isCentred ? "center" : "left";
  let left = x;
  for (const [at, { text, tone, isBold }] of runs.entries()) {
    context.font = `${isBold ? "600 " : ""}${isMono ? MONO : SANS}`;
    context.fillStyle = tones[tone];
    context.fillText(text, left, y);
    if (at < runs.length - 1) left += context.measureText(text).width;
  }
}
