import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { answers, answersInstead, inEachDialect, reads, type Sync } from "./sync.ts";

/** Longer than the time that a server may need to tell the order of two events. */
const PAUSE_MS = 1_000;
const LARGEST = Number.MAX_SAFE_INTEGER;

function window(first: number, last: number, timelineLimit = 1): SlidingRequest {
  return { lists: { all: { range: [first, last], timelineLimit } } };
}

/** Ids of the rooms in a window, as a new connection gets them, sorted. */
async function roomsIn(
  sync: Sync,
  session: Session,
  first: number,
  last: number,
): Promise<readonly string[]> {
  const { rooms } = await sync.connection(session).initial(window(first, last));
  return Object.keys(rooms).sort();
}

/** One after the other, the oldest first. */
async function makeRooms(session: Session, count: number): Promise<readonly string[]> {
  const rooms: string[] = [];
  for (let index = 0; index < count; index++) {
    rooms.push(await session.createRoom({ name: `room ${index}` }));
  }
  return rooms;
}

check(
  "MSC4186.list.count",
  "the server counts all rooms that match, also those outside the range",
  {
    mutant: [
      answers("counts the rooms of the window", { set: { "/lists/*/count": 2 } }),
      answers("never corrects its count", { set: { "/lists/*/count": 7 } }),
      answers("leaves the counts out", { remove: ["/lists"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const eighth = await bob.createRoom({ preset: "public_chat" });
      await makeRooms(alice, 7);
      const connection = sync.connection(alice);
      const request = window(0, 1);

      const first = await connection.initial(request);
      await alice.join(eighth);
      const later = await connection.until(request, "the eighth room", (synced) =>
        synced.rooms[eighth] === undefined ? undefined : synced,
      );
      const { http } = await connection.sync(request);

      expectEqual(first.counts, { all: 7 }, "the counts with seven rooms", first.http);
      expectEqual(later.counts, { all: 8 }, "the counts after joining an eighth", later.http);
      if (!http.text.includes('"count"')) world.note("an answer without news has no counts");
    });
  },
);

check(
  "MSC4186.list.range-inclusive",
  "the server counts from zero and takes both ends of a range into it",
  {
    mutant: [
      reads("leaves out the last of a range", [["[0,1]", "[0,0]"]]),
      reads("leaves out the first of a range", [["[0,1]", "[1,1]"]]),
      reads("counts from one", [["[1,1]", "[0,0]"]]),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await makeRooms(alice, 3);
      const [second = "", first = ""] = await makeRooms(alice, 2);

      const top = await roomsIn(sync, alice, 0, 1);
      const one = await roomsIn(sync, alice, 1, 1);

      expectEqual(top, [first, second].sort(), "the rooms in [0,1]");
      expectEqual(one, [second], "the rooms in [1,1]");
    });
  },
);

check(
  "MSC4186.list.range-beyond-end",
  "the server gives the rooms that there are when a range goes past the end",
  {
    mutant: [
      reads("takes a range from the end back", [["[10,20]", "[0,1]"]]),
      answers("gives nothing of a range that ends too late", { remove: ["/rooms/*"] }),
      answersInstead(
        "refuses the largest number",
        400,
        { errcode: "M_INVALID_PARAM", error: "" },
        { contains: String(LARGEST) },
      ),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await makeRooms(alice, 3);

      for (const [first, last, expected] of [
        [0, 99, 3],
        [0, LARGEST, 3],
        [10, 20, 0],
      ] as const) {
        const { rooms, counts, http } = await sync.connection(alice).initial(window(first, last));

        const what = `the number of rooms in [${first},${last}] of three`;
        expectEqual(Object.keys(rooms).length, expected, what, http);
        expectEqual(counts, { all: 3 }, `the counts with [${first},${last}]`, http);
      }
    });
  },
);

check(
  "MSC4186.list.order-by-activity",
  "the server puts the room with the latest event first",
  { mutant: reads("orders otherwise", [["[0,0]", "[1,1]"]]) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const made: string[] = [];
      for (let index = 0; index < 4; index++) {
        made.push(await alice.createRoom());
        await world.quietPeriod(PAUSE_MS);
      }
      const [r1 = "", , r3 = "", r4 = ""] = made;

      const newest = await roomsIn(sync, alice, 0, 0);
      await alice.send(r1, "one");
      const afterOne = await roomsIn(sync, alice, 0, 0);
      await world.quietPeriod(PAUSE_MS);
      await alice.send(r3, "three");
      const afterThree = await roomsIn(sync, alice, 0, 0);

      expectEqual(newest, [r4], "the top when nothing was sent");
      expectEqual(afterOne, [r1], "the top after a message in the first room");
      expectEqual(afterThree, [r3], "the top after a message in the third room");
    });
  },
);

check(
  "MSC4186.list.order-not-bump-stamp",
  "the server orders rooms by events that leave the bump stamp alone, too",
  { mutant: reads("orders by the bump stamp", [["[0,0]", "[1,1]"]]) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const [older = "", newer = ""] = await makeRooms(alice, 2);
      await alice.send(older, "old");
      await world.quietPeriod(PAUSE_MS);
      await alice.send(newer, "new");
      await world.quietPeriod(PAUSE_MS);
      await alice.setState(older, "m.room.topic", { topic: "newest of all" });

      const top = await roomsIn(sync, alice, 0, 0);
      const { rooms } = await sync.connection(alice).initial(allRooms({ timelineLimit: 1 }));

      expectEqual(top, [older], "the top after a topic change there");
      const stamps = [rooms[older]?.bump_stamp, rooms[newer]?.bump_stamp];
      const [old = 0, young = 0] = stamps;
      if (old >= young) world.note(`the topic has moved the bump stamp: ${stamps.join(", ")}`);
    });
  },
);
