/** Hands a file to the reader: it is made in the page, and goes nowhere else. */
import type { Picture, Tones } from "#tardis/render/display-list";
import { PRINT_TONES, svgOf } from "#tardis/render/svg";
import { paint } from "./paint.ts";

/** Pixels of a PNG for each of the picture's. */
const SCALE = 2;

export function saveText(text: string, name: string, type: string): void {
  save(new Blob([text], { type }), name);
}

export function saveSvg(picture: Picture): void {
  saveText(svgOf(picture), `${fileName(picture.title)}.svg`, "image/svg+xml");
}

/** Light, as the one in SVG. */
export async function savePng(picture: Picture): Promise<void> {
  const canvas = new OffscreenCanvas(picture.wide * SCALE, picture.high * SCALE);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser has nothing to draw on");
  context.scale(SCALE, SCALE);
  const tones: Tones = PRINT_TONES;
  const paper = { kind: "rect", x: 0, y: 0, wide: picture.wide, high: picture.high } as const;
  paint(context, [{ ...paper, fill: "paper" }, ...picture.shapes], tones);
  save(await canvas.convertToBlob({ type: "image/png" }), `${fileName(picture.title)}.png`);
}

/** Of a text of strangers, nothing that a file system could take for something else. */
export function fileName(text: string): string {
  return (
    text
      .replaceAll(/[^\w-]+/g, "-")
      .replaceAll(/^-+|-+$/g, "")
      .slice(0, 80) || "room"
  );
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Once the browser has taken it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
