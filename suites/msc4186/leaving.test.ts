import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import {
  EVERYTHING,
  expectAbsent,
  fence,
  isMemberOf,
  KEEPS_SECRET,
  ownRoom,
  shows,
  untilMembership,
} from "./membership.ts";
import { LATER, resultOf, sendMessages, settled } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

check(
  "MSC4186.member.leave-reported",
  "the server tells a device that another one has left a room, and nothing that happens there later",
  {
    mutant: [
      KEEPS_SECRET,
      answers("does not end with it", { remove: ["/rooms/*/timeline/-1"] }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const [tablet, own] = [await world.login(bob), await ownRoom(bob)];
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      const connection = sync.connection(bob);
      await connection.initial(EVERYTHING);
      await tablet.leave(roomId);
      await sendMessages(alice, roomId, 2, "not for bob");

      const room = await untilMembership(connection, EVERYTHING, roomId, "leave");
      const reported = connection.view.counts.all;
      await alice.send(roomId, "later");
      const later = await fence(connection, EVERYTHING, own, roomId);

      const last = room.timeline?.at(-1);
      expectThat(
        last !== undefined && isMemberOf(last, bob.userId) && last.content.membership === "leave",
        "the own leave as the last event",
        room.timeline,
      );
      expectEqual(later, [], "later results for the room");
      world.note(`rooms counted: ${reported} with the leave, ${connection.view.counts.all} later`);
    });
  },
);

check(
  "MSC4186.member.leave-not-initial",
  "the server has nothing of a room that one has left on a fresh connection",
  { mutant: answers("counts it", { set: { "/lists/all/count": 2 } }) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      await ownRoom(bob);
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      await bob.leave(roomId);

      await expectAbsent(sync.connection(bob), EVERYTHING, roomId, 1);
    });
  },
);

check(
  "MSC4186.member.leave-out-of-range",
  "the server tells of a leave outside the window when the window reaches the room",
  { mutant: KEEPS_SECRET },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const tablet = await world.login(bob);
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      const noisy = await ownRoom(bob);
      const connection = sync.connection(bob);
      resultOf(await connection.initial(EVERYTHING), roomId);
      const window = {
        lists: { all: { ...EVERYTHING.lists?.all, timelineLimit: 10, range: [0, 0] as const } },
      };
      await connection.drain(window);
      await tablet.leave(roomId);
      const noise = await bob.send(noisy, "noise");
      await settled(bob, noisy, noise);
      const between = await connection.sync(window);

      const reported = between.rooms[roomId];
      if (reported !== undefined && shows(reported, bob.userId, "leave")) {
        world.note("the leave is told outside the window");
        return;
      }
      await untilMembership(connection, EVERYTHING, roomId, "leave");
    });
  },
);

check(
  "MSC4186.member.rejoin",
  "the server brings a client up to date that left and came back between two requests",
  {
    mutant: [
      KEEPS_SECRET,
      answers("forgets the new state", { remove: ["/rooms/*/required_state"] }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const roomId = await alice.createRoom({ preset: "public_chat", name: "old" });
      await bob.join(roomId);
      const connection = sync.connection(bob);
      await connection.initial(EVERYTHING);
      await bob.leave(roomId);
      await alice.setState(roomId, "m.room.name", { name: "new" });
      await carol.join(roomId);
      await bob.join(roomId);
      const last = await alice.send(roomId, "last");
      await settled(bob, roomId, last);

      await connection.untilEvent(EVERYTHING, roomId, last);
      const fresh = sync.connection(bob, "fresh");
      await fresh.initial(EVERYTHING);

      const [live, whole] = [connection, fresh].map(({ view }) => {
        const room = view.room(roomId);
        const state = [...(room?.state ?? [])].map(([key, { event_id }]) => `${key} ${event_id}`);
        return {
          name: room?.name,
          joined: room?.joinedCount,
          state: state.sort(),
          last: room?.timeline.at(-1)?.at(-1)?.event_id,
        };
      });
      expectEqual(live, whole, "the room as the client sees it");
      expectEqual([whole?.name, whole?.joined], ["new", 3], "its name and the joined users");
    });
  },
);
