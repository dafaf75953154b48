import { expect, test } from "vitest";
import { firstTone, framesOf, Hearing, lastTone, shareOf } from "./hearing.ts";

function heard(
  ...sounds: readonly (readonly [sound: number | "noise" | "silence", frames: number])[]
) {
  const hearing = new Hearing();
  let at = 1_000;
  for (const [sound, frames] of sounds) {
    for (let frame = 0; frame < frames; frame++, at += 10) hearing.take(sound, at);
  }
  return hearing;
}

test("tells when a tone began and ended, and how much of the sound it was", () => {
  const { spells } = heard(["silence", 10], [400, 20], ["noise", 5], [400, 5], ["silence", 10]);
  expect(firstTone(spells, 400)).toBe(1_100);
  expect(firstTone(spells, 400, 1_200)).toBe(1_200);
  expect(firstTone(spells, 400, 1_320)).toBe(1_350);
  expect(firstTone(spells, 400, 1_400)).toBeUndefined();
  expect(lastTone(spells, 400)).toBe(1_390);
  expect(framesOf(spells, 400)).toBe(25);
  expect(framesOf(spells, 500)).toBe(0);
  expect(shareOf(spells, 400)).toBe(0.5);
  expect(shareOf(spells, 400, 1_400)).toBe(0);
  expect(shareOf([], 400)).toBe(0);
});

test("takes no tone of a packet or two for one", () => {
  const { spells } = heard(["noise", 5], [400, 4], ["noise", 5], [500, 5]);
  expect(framesOf(spells, 400)).toBe(0);
  expect(firstTone(spells, 400)).toBeUndefined();
  expect(lastTone(spells, 400)).toBeUndefined();
  expect(framesOf(spells, 500)).toBe(5);
});

test("keeps the last spells when there are too many", () => {
  const flicker = Array.from(
    { length: 2_100 },
    (_, index) => [index % 2 ? "noise" : 400, 1] as const,
  );
  const hearing = heard(...flicker);
  expect(hearing.spells).toHaveLength(2_000);
  expect(hearing.dropped).toBe(100);
});
