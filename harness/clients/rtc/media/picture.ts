/**
 * The test picture: above, eight bars from dark to bright; below, its number in eight bars of black and white. So it survives a codec, and
 * pictures that come in another order are seen.
 */

export const WIDTH = 320;
export const HEIGHT = 240;
/** Numbers begin again after this many pictures. */
export const NUMBERS = 256;

const BARS = 8;
const BAR = WIDTH / BARS;
const DARK = 16;
const BRIGHT = 235;
const STEP = Math.floor((BRIGHT - DARK) / (BARS - 1));
const GREY = 128;

/** In I420: luma, then both chroma planes at a quarter of the size. */
export function pictureOf(number: number): Uint8Array {
  const luma = WIDTH * HEIGHT;
  const picture = new Uint8Array((luma * 3) / 2).fill(GREY, luma);
  for (let y = 0; y < HEIGHT; y++) {
    for (let bar = 0; bar < BARS; bar++) {
      const isSet = ((number >> bar) & 1) === 1;
      const shade = y < HEIGHT / 2 ? DARK + STEP * bar : isSet ? BRIGHT : DARK;
      picture.fill(shade, y * WIDTH + bar * BAR, y * WIDTH + (bar + 1) * BAR);
    }
  }
  return picture;
}

/** Number of a test picture of that size; undefined: it is none. */
export function numberIn(luma: Uint8Array, width: number, height: number): number | undefined {
  const shades = (row: number) =>
    Array.from({ length: BARS }, (_, bar) => {
      const [x, y] = [Math.floor(((bar + 0.5) * width) / BARS), Math.floor(row * height)];
      return luma[y * width + x] ?? 0;
    });
  const ramp = shades(0.25);
  const isRamp = ramp.every((shade, bar) => bar === 0 || shade > (ramp[bar - 1] ?? 0) + STEP / 3);
  if (!isRamp) return undefined;
  return shades(0.75).reduce((sum, shade, bar) => sum + (shade > GREY ? 1 << bar : 0), 0);
}
