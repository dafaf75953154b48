import { expect, test } from "vitest";
import { Room } from "./room.ts";

/** Takes parts in this order, and tells who is in. */
async function entered(room: Room, ...asked: readonly (readonly [string, number])[]) {
  const inside: string[] = [];
  for (const [name, parts] of asked) void room.take(parts).then(() => inside.push(name));
  await Promise.resolve();
  await Promise.resolve();
  return inside;
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("parts are given out while there are some, and again when they come back", async () => {
  const room = new Room(3);

  const inside = await entered(room, ["a", 2], ["b", 1], ["c", 1]);
  await settled();
  expect(inside).toEqual(["a", "b"]);

  room.giveBack(2);
  await settled();
  expect(inside).toEqual(["a", "b", "c"]);
});

test("who asks for much is not passed by who asks for little", async () => {
  const room = new Room(3);

  const inside = await entered(room, ["a", 2], ["b", 2], ["c", 1]);
  await settled();
  expect(inside).toEqual(["a"]);

  room.giveBack(2);
  await settled();
  expect(inside).toEqual(["a", "b", "c"]);
});

test("who asks for more than there is gets all of it", async () => {
  const room = new Room(2);

  const inside = await entered(room, ["a", 5], ["b", 1]);
  await settled();
  expect(inside).toEqual(["a"]);

  room.giveBack(5);
  await settled();
  expect(inside).toEqual(["a", "b"]);
});
