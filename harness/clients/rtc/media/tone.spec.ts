import { expect, test } from "vitest";
import { createRandom } from "#harness/random";
import { framesIn, SAMPLE_RATE, soundOf, TONES, toneOf } from "./tone.ts";

const FRAME = SAMPLE_RATE / 100;

function noise(amplitude: number): Int16Array {
  const random = createRandom(7);
  return Int16Array.from({ length: FRAME }, () => random.integer(2 * amplitude) - amplitude);
}

function sum(left: Int16Array, right: Int16Array): Int16Array {
  return left.map((sample, index) => sample + (right[index] ?? 0));
}

test.each(TONES)("hears a tone of %i Hz, wherever the frame begins", (hz) => {
  const sound = toneOf(hz, 3);
  expect([0, 17, 333].map((at) => soundOf(sound.subarray(at, at + FRAME)))).toEqual([hz, hz, hz]);
});

test("hears no tone in silence, in loud noise, and in two tones at once", () => {
  expect(soundOf(new Int16Array(FRAME))).toBe("silence");
  expect(soundOf(noise(20_000))).toBe("noise");
  expect(soundOf(sum(toneOf(400, 1), toneOf(700, 1)))).toBe("noise");
});

test("hears a tone through a little noise, and none that it does not know", () => {
  expect(soundOf(sum(toneOf(900, 1), noise(1_000)))).toBe(900);
  expect(soundOf(toneOf(800, 1))).toBe("noise");
});

test("takes a longer sound frame by frame, and what is left of it", () => {
  const sound = Int16Array.from([...toneOf(400, 2), ...toneOf(700, 1), ...noise(20_000).slice(7)]);

  expect(framesIn(sound).map(soundOf)).toEqual([400, 400, 700, "noise"]);
  expect(framesIn(sound).map(({ length }) => length)).toEqual([FRAME, FRAME, FRAME, FRAME - 7]);
  expect(framesIn(new Int16Array())).toEqual([]);
});
