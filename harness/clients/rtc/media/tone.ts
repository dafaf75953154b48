/**
 * Pure tones by which participants are told apart, and what is heard in a frame of sound. Counting frames would not do: a decoder
 * delivers them for ever, silent ones when nothing comes and loud ones when it has decrypted with a wrong key.
 */

export const SAMPLE_RATE = 48_000;
export const FRAME_MS = 10;
const FRAME_SAMPLES = (SAMPLE_RATE * FRAME_MS) / 1_000;

/**
 * Hertz, one for each participant. Each fits a frame a whole number of times, so that of two none is heard in the other, and none is a
 * multiple of another.
 */
export const TONES = [400, 500, 700, 900, 1100, 1300, 1700, 1900] as const;

const AMPLITUDE = 8_000;
/** Share of a frame's energy, as a root, that the tone has to have. */
const PURITY = 0.9;
/** Root mean square below which a frame is silent, of 32768. */
const SILENCE = 60;

/** Hertz of the tone of which a frame is; of no tone that is known: `noise`. */
export type Sound = number | "noise" | "silence";

/** Sound of a whole number of frames. */
export function toneOf(hz: number, frames: number): Int16Array {
  const step = (2 * Math.PI * hz) / SAMPLE_RATE;
  return Int16Array.from({ length: frames * FRAME_SAMPLES }, (_, index) =>
    Math.round(AMPLITUDE * Math.sin(step * index)),
  );
}

/** A longer sound frame by frame; the last one may be shorter. */
export function framesIn(samples: Int16Array): readonly Int16Array[] {
  const count = Math.ceil(samples.length / FRAME_SAMPLES);
  return Array.from({ length: count }, (_, index) =>
    samples.subarray(index * FRAME_SAMPLES, (index + 1) * FRAME_SAMPLES),
  );
}

export function soundOf(samples: Int16Array): Sound {
  let energy = 0;
  for (const sample of samples) energy += sample * sample;
  const loudness = Math.sqrt(energy / samples.length);
  if (!(loudness >= SILENCE)) return "silence";
  return TONES.find((hz) => amplitudeOf(samples, hz) / Math.SQRT2 > PURITY * loudness) ?? "noise";
}

/** Of one frequency in the samples, by Goertzel's algorithm. */
function amplitudeOf(samples: Int16Array, hz: number): number {
  const turn = (2 * Math.PI * hz) / SAMPLE_RATE;
  const factor = 2 * Math.cos(turn);
  let [last, before] = [0, 0];
  for (const sample of samples) [last, before] = [sample + factor * last - before, last];
  const power = last * last + before * before - factor * last * before;
  return (2 * Math.sqrt(Math.max(0, power))) / samples.length;
}
