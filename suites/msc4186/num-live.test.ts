import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { idsIn, LATER, resultOf, sendMessages, settled } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

function window(end: number, timelineLimit: number): SlidingRequest {
  return { lists: { all: { range: [0, end], timelineLimit } } };
}

const COUNTS_NOTHING = [
  answers("counts nothing", { remove: ["/rooms/*/num_live"] }, LATER),
  answers("counts more", { set: { "/rooms/*/num_live": 3 } }, LATER),
];

check(
  "MSC4186.timeline.num-live",
  "the server counts the events since the last request",
  { mutant: COUNTS_NOTHING },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 4 });
      const first = resultOf(await connection.initial(request), roomId);
      if ((first.num_live ?? 0) > 0) world.note("live events in the answer without a position");
      const message = await alice.send(roomId, "one");

      const one = await connection.untilEvent(request, roomId, message);

      expectEqual(one.num_live, 1, "num_live after one message");
      const many = await sendMessages(alice, roomId, 8);
      await settled(alice, roomId, many.at(-1) ?? "");
      const gappy = resultOf(await connection.sync(request), roomId);
      expectEqual(gappy.num_live, 4, "num_live of 4 events out of 8 new ones");
    });
  },
);

check(
  "MSC4186.timeline.num-live",
  "the server counts the message that brings a room into the window, and nothing before it",
  {
    mutant: [...COUNTS_NOTHING, answers("counts all", { set: { "/rooms/*/num_live": 5 } }, LATER)],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      await sendMessages(alice, roomId, 6);
      const above = await alice.createRoom();
      await settled(alice, above, await alice.send(above, "newest"));
      const connection = sync.connection(alice);
      const first = await connection.initial(window(0, 5));
      const message = await alice.send(roomId, "one");

      const room = await connection.untilEvent(window(0, 5), roomId, message);

      expectEqual(Object.keys(first.rooms), [above], "the rooms in the window at first");
      expectEqual(idsIn(room).length, 5, "the length of the timeline");
      expectEqual(room.initial, true, "initial");
      expectEqual(room.num_live, 1, "num_live");
    });
  },
);

check(
  "MSC4186.timeline.num-live-not-gap",
  "the server does not count events from before the last request",
  {
    mutant: answers(
      "counts all that is new to the client",
      { set: { "/rooms/*/num_live": 2 } },
      LATER,
    ),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const [roomId, above] = [await alice.createRoom(), await alice.createRoom()];
      await settled(alice, above, await alice.send(above, "newest"));
      const connection = sync.connection(alice);
      await connection.initial(window(1, 5));
      await connection.drain(window(0, 5));
      const missed = await sendMessages(alice, roomId, 2);
      const bump = await alice.send(above, "newer");
      await settled(alice, above, bump);

      const narrow = await connection.sync(window(0, 5));
      const room = resultOf(await connection.sync(window(1, 5)), roomId);

      expectEqual(Object.keys(narrow.rooms), [above], "the rooms in the window");
      expectEqual(idsIn(room), missed, "the timeline of the room that came back");
      expectEqual(room.num_live ?? 0, 0, "num_live");
    });
  },
);
