import { expect, test } from "vitest";
import { HEIGHT, numberIn, pictureOf, WIDTH } from "./picture.ts";

test.each([0, 1, 129, 255])("reads number %i", (number) => {
  expect(numberIn(pictureOf(number), WIDTH, HEIGHT)).toBe(number);
});

test("reads nothing in a picture that is grey, or the other way round", () => {
  const size = WIDTH * HEIGHT;
  expect(numberIn(new Uint8Array(size).fill(128), WIDTH, HEIGHT)).toBeUndefined();
  expect(numberIn(pictureOf(3).subarray(0, size).reverse(), WIDTH, HEIGHT)).toBeUndefined();
});
