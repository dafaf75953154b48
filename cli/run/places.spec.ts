import { expect, test } from "vitest";
import { Places } from "./places.ts";

/** Takes places in this order, and tells who is in. */
async function entered(places: Places, ...asked: readonly (readonly [string, number])[]) {
  const inside: string[] = [];
  for (const [name, count] of asked) void places.take(count).then(() => inside.push(name));
  await Promise.resolve();
  await Promise.resolve();
  return inside;
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("places are given out while there are some, and again when they come back", async () => {
  const places = new Places(3);

  const inside = await entered(places, ["a", 2], ["b", 1], ["c", 1]);
  await settled();
  expect(inside).toEqual(["a", "b"]);

  places.giveBack(2);
  await settled();
  expect(inside).toEqual(["a", "b", "c"]);
});

test("who asks for much is not passed by who asks for little", async () => {
  const places = new Places(3);

  const inside = await entered(places, ["a", 2], ["b", 2], ["c", 1]);
  await settled();
  expect(inside).toEqual(["a"]);

  places.giveBack(2);
  await settled();
  expect(inside).toEqual(["a", "b", "c"]);
});

test("who asks for more than there is gets all of it", async () => {
  const places = new Places(2);

  const inside = await entered(places, ["a", 5], ["b", 1]);
  await settled();
  expect(inside).toEqual(["a"]);

  places.giveBack(5);
  await settled();
  expect(inside).toEqual(["a", "b"]);
});
