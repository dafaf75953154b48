import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import {
  EVERYTHING,
  fence,
  forget,
  isMemberOf,
  KEEPS_SECRET,
  membershipsIn,
  ownRoom,
  shows,
  untilMembership,
} from "./membership.ts";
import { idsIn, LATER, resultOf } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

check(
  "MSC4186.member.leave-forget-between",
  "the server tells that a room is gone which was left and forgotten between two requests",
  {
    mutant: answers(
      "keeps it secret",
      { remove: ["/rooms"], set: { "/lists/all/count": 2 } },
      LATER,
    ),
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
      await forget(tablet, roomId);

      const results = await fence(connection, EVERYTHING, own, roomId);
      const later = await fence(connection, EVERYTHING, own, roomId);

      expectEqual(later, [], "later results for the room");
      expectThat(results.length <= 1, "one result at most", results);
      const [room] = results;
      if (room === undefined) {
        expectEqual(connection.view.counts.all, 1, "the count of the list");
        return;
      }
      expectEqual(membershipsIn(room, bob.userId).at(-1), "leave", "the own membership");
      const last = room.timeline?.at(-1);
      if (last !== undefined)
        expectThat(isMemberOf(last, bob.userId), "the leave to be last", last);
    });
  },
);

check(
  "MSC4186.member.forget",
  "the server has nothing of a forgotten room",
  {
    mutant: [
      answers("counts it", { set: { "/lists/all/count": 2 } }),
      answers("shows it", { set: { "/rooms": { "!forgotten:example.org": {} } } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const own = await ownRoom(bob);
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      await alice.kick(roomId, bob);
      await untilMembership(sync.connection(bob, "before"), EVERYTHING, roomId, "leave");
      await forget(bob, roomId);
      const config = { timelineLimit: 5, requiredState: { include: [{}] } };

      const listed = await sync.connection(bob, "list").initial(EVERYTHING);
      const subscribed = await sync
        .connection(bob, "subscription")
        .initial({ subscriptions: { [roomId]: config } });

      expectEqual(Object.keys(listed.rooms), [own], "the rooms of a list");
      expectEqual(listed.counts, { all: 1 }, "its count");
      expectEqual(Object.keys(subscribed.rooms), [], "the rooms of a subscription");
    });
  },
);

check(
  "MSC4186.member.forget-return",
  "the server shows a forgotten room again when one is invited and joins",
  {
    mutant: [
      KEEPS_SECRET,
      answers("hides it from fresh connections", { remove: ["/rooms"] }, { contains: "fresh" }),
      answers("does not mark it", { remove: ["/rooms/*/initial"] }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ name: "named" });
      await alice.invite(roomId, bob);
      await bob.join(roomId);
      const connection = sync.connection(bob);
      await connection.initial(EVERYTHING);
      await bob.leave(roomId);
      await untilMembership(connection, EVERYTHING, roomId, "leave");
      await forget(bob, roomId);
      await alice.invite(roomId, bob);

      await untilMembership(connection, EVERYTHING, roomId, "invite");
      const invited = resultOf(await sync.connection(bob, "fresh").initial(EVERYTHING), roomId);
      await bob.join(roomId);
      const live = await untilMembership(connection, EVERYTHING, roomId, "join");
      const fresh = resultOf(await sync.connection(bob, "fresh 2").initial(EVERYTHING), roomId);

      expectThat(shows(invited, bob.userId, "invite"), "the invite on a fresh connection", invited);
      for (const room of [live, fresh]) {
        expectEqual([room.initial, room.name], [true, "named"], "initial and the name");
        expectEqual(room.joined_count, 2, "the joined users");
        expectThat(idsIn(room).length > 0, "a timeline", room);
      }
    });
  },
);
