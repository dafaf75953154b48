import { expect, test } from "vitest";
import { createRandom, type Random } from "./random.ts";

function draw(random: Random): number[] {
  return Array.from({ length: 5 }, () => random.next());
}

test("the same seed gives the same numbers, another one others", () => {
  expect(draw(createRandom(7))).toEqual(draw(createRandom("7")));
  expect(draw(createRandom(7))).not.toEqual(draw(createRandom(8)));
});

test("numbers stay in their range and reach all of it", () => {
  const random = createRandom("range");
  const seen = Array.from({ length: 1000 }, () => random.integer(4));
  expect(new Set(seen)).toEqual(new Set([0, 1, 2, 3]));
  expect(draw(random).every((number) => number >= 0 && number < 1)).toBe(true);
});

test("a fork depends on seed and label, not on what was drawn before", () => {
  const used = createRandom(1);
  draw(used);
  expect(draw(used.fork("a"))).toEqual(draw(createRandom(1).fork("a")));
  expect(draw(used.fork("a"))).not.toEqual(draw(used.fork("b")));
  expect(draw(used.fork("a"))).not.toEqual(draw(createRandom(2).fork("a")));
});

test("names fit the localpart grammar and do not collide", () => {
  const random = createRandom("names");
  const names = Array.from({ length: 5000 }, () => random.name("alice"));
  expect(new Set(names).size).toBe(names.length);
  expect(names.every((name) => /^alice-[a-z0-9]{8}$/.test(name))).toBe(true);
});
