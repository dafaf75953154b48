import { allRooms } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import {
  EVERYTHING,
  fence,
  isMemberOf,
  KEEPS_SECRET,
  ownRoom,
  unban,
  untilMembership,
} from "./membership.ts";
import { resultOf } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

check(
  "MSC4186.member.kick",
  "the server shows a room up to the kick, on fresh connections too",
  {
    mutant: [
      KEEPS_SECRET,
      answers("hides it from fresh connections", { remove: ["/rooms"] }, { contains: "fresh" }),
      answers("does not end with it", { remove: ["/rooms/*/timeline/-1"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const own = await ownRoom(bob);
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      const connection = sync.connection(bob);
      await connection.initial(EVERYTHING);
      await alice.kick(roomId, bob);
      await alice.send(roomId, "not for bob");

      const live = await untilMembership(connection, EVERYTHING, roomId, "leave");
      const later = await fence(connection, EVERYTHING, own, roomId);
      const fresh = resultOf(await sync.connection(bob, "fresh").initial(EVERYTHING), roomId);

      for (const room of [live, fresh]) {
        const last = room.timeline?.at(-1);
        expectEqual(
          [last?.type, last?.state_key, last?.sender, last?.content.membership],
          ["m.room.member", bob.userId, alice.userId, "leave"],
          "type, target, sender and membership of the last event",
        );
      }
      expectEqual(later, [], "later results for the room");
    });
  },
);

check(
  "MSC4186.member.ban",
  "the server shows a room up to the ban, and nothing but the own membership after it",
  {
    mutant: [
      KEEPS_SECRET,
      answers("hides it from fresh connections", { remove: ["/rooms"] }, { contains: "fresh" }),
      answers("does not end with it", { remove: ["/rooms/*/timeline/-1"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const own = await ownRoom(bob);
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      const connection = sync.connection(bob);
      await connection.initial(EVERYTHING);
      await alice.ban(roomId, bob);
      await alice.send(roomId, "not for bob");

      const live = await untilMembership(connection, EVERYTHING, roomId, "ban");
      const fresh = resultOf(await sync.connection(bob, "fresh").initial(EVERYTHING), roomId);
      await unban(alice, roomId, bob);
      await alice.send(roomId, "not for bob either");
      const later = await fence(connection, EVERYTHING, own, roomId);

      for (const room of [live, fresh]) {
        const last = room.timeline?.at(-1);
        expectEqual(
          [last?.type, last?.state_key, last?.sender, last?.content.membership],
          ["m.room.member", bob.userId, alice.userId, "ban"],
          "type, target, sender and membership of the last event",
        );
      }
      const events = later.flatMap(({ timeline = [], required_state: state = [] }) => [
        ...timeline,
        ...state,
      ]);
      const others = events.filter((event) => !isMemberOf(event, bob.userId));
      expectEqual(others, [], "other events than those of the own membership after the ban");
    });
  },
);

check(
  "MSC4186.member.ban-never-joined",
  "the server does not list a room for those whom it banned without their ever having joined",
  {
    mutant: answers("lists it", {
      replace: [['"rooms":{"', '"rooms":{"!banned:example.org":{},"']],
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const own = await ownRoom(bob);
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await alice.ban(roomId, bob);

      const { rooms } = await sync.connection(bob).initial(allRooms({ timelineLimit: 0 }));

      expectEqual(Object.keys(rooms), [own], "the rooms of a banned stranger");
    });
  },
);
