import { expect, test } from "vitest";
import { Departures } from "./departures.ts";
import type { Homeservers } from "./homeservers.ts";
import type { Sfu } from "./sfu.ts";

test("puts out who is known to have left, again and again, and nobody else", async () => {
  const removed: string[] = [];
  const asked: string[] = [];
  const sfu = {
    occupiedRooms: async () => ["room", "of somebody else"],
    identitiesIn: async () => ["gone", "there", "unknown"],
    remove: async (room: string, identity: string) => void removed.push(`${room} ${identity}`),
  } as unknown as Sfu;
  const homeservers = {
    hasLeft: async (userId: string, roomId: string) => {
      asked.push(`${userId} ${roomId}`);
      return userId === "@gone:hs1";
    },
  } as unknown as Homeservers;
  const departures = new Departures(homeservers, sfu);
  for (const name of ["gone", "there", "absent"]) {
    const admission = { room: "room", identity: name, userId: `@${name}:hs1`, roomId: "!r:hs1" };
    departures.admitted(admission, new Set());
  }

  await expect.poll(() => removed.length).toBeGreaterThan(1);

  expect(new Set(removed)).toEqual(new Set(["room gone"]));
  expect(new Set(asked)).toEqual(new Set(["@gone:hs1 !r:hs1", "@there:hs1 !r:hs1"]));
});
