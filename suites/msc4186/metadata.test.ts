import { STABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms } from "#harness/clients/sliding-sync/request";
import type { RoomResult } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { LATER, resultOf, setDirect, settled } from "./rooms.ts";
import { answers, inDialect, inEachDialect } from "./sync.ts";

check(
  "MSC4186.meta.name",
  "the server sends the name of a room at first and when it changes",
  {
    mutant: [
      answers("never sends it", { remove: ["/rooms/*/name"] }),
      answers("sends it always", { set: { "/rooms/*/name": "old" } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ name: "old" });
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 1 });

      const first = resultOf(await connection.initial(request), roomId);
      const message = await alice.send(roomId, "hello");
      const same = await connection.untilEvent(request, roomId, message);
      const rename = await alice.setState(roomId, "m.room.name", { name: "new" });
      const renamed = await connection.untilEvent(request, roomId, rename);

      const names = [first, same, renamed].map(({ name }) => name);
      expectEqual(names, ["old", undefined, "new"], "names at first, after a message, and renamed");
    });
  },
);

check(
  "MSC4186.meta.name-null",
  "the server tells that a name is gone by null, and names heroes instead",
  {
    mutant: answers("leaves it out", { remove: ["/rooms/*/name"] }, LATER),
  },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ name: "old", preset: "public_chat" });
      await bob.join(roomId);
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 1 });
      await connection.initial(request);
      const unnamed = await alice.setState(roomId, "m.room.name", { name: "" });

      const room = await connection.untilEvent(request, roomId, unnamed);

      expectEqual(room.name, null, "the name");
      const heroes = (room.heroes ?? []).map(({ user_id }) => user_id);
      expectEqual(heroes, [bob.userId], "the heroes");
    });
  },
);

check(
  "MSC4186.meta.avatar-null",
  "the server tells that an avatar is gone by null",
  { mutant: answers("leaves it out", { remove: ["/rooms/*/avatar"] }, LATER) },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      await alice.setState(roomId, "m.room.avatar", { url: "mxc://example.org/avatar" });
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 1 });
      await connection.initial(request);
      const removal = await alice.setState(roomId, "m.room.avatar", {});

      const room = await connection.untilEvent(request, roomId, removal);

      expectEqual(room.avatar, null, "the avatar");
    });
  },
);

check(
  "MSC4186.meta.counts",
  "the server counts joined and invited users, at first and when they change",
  {
    mutant: [
      answers("does not count joined users", { remove: ["/rooms/*/joined_count"] }),
      answers("does not count invited users", { remove: ["/rooms/*/invited_count"] }),
      answers("does not count again", { set: { "/rooms/*/joined_count": 2 } }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const roomId = await alice.createRoom({ preset: "public_chat", invite: [carol.userId] });
      await bob.join(roomId);
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 5 });

      const first = resultOf(await connection.initial(request), roomId);
      await carol.join(roomId);
      const welcome = await alice.send(roomId, "welcome");
      await settled(alice, roomId, welcome);
      const joined = await connection.untilEvent(request, roomId, welcome);
      const message = await alice.send(roomId, "hello");
      const same = await connection.untilEvent(request, roomId, message);

      const countsIn = (room: RoomResult) => [room.joined_count, room.invited_count];
      expectEqual(countsIn(first), [2, 1], "joined and invited at first");
      expectEqual(countsIn(joined), [3, 0], "joined and invited after the join");
      const { joined_count: still = 3, invited_count: none = 0 } = same;
      expectEqual([still, none], [3, 0], "joined and invited after a message");
    });
  },
);

check(
  "MSC4186.meta.unread-counts-removed",
  "the server counts no notifications and highlights",
  {
    mutant: answers("counts them", {
      set: { "/rooms/*/notification_count": 0, "/rooms/*/highlight_count": 0 },
    }),
  },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);

      const { http } = await connection.initial(allRooms({ timelineLimit: 1 }));

      const room = at(http.json, "rooms", roomId);
      const counts = ["notification_count", "highlight_count"];
      const found = counts.filter((key) => isObject(room) && key in room);
      expectEqual(found, [], "the counts that were removed", http);
    });
  },
);

const DIRECT_MUTANTS = [answers("does not tell", { remove: ["/rooms/*/is_dm"] })];

check(
  "MSC4186.meta.is-dm",
  "the server tells that a room has become a direct one",
  { mutant: DIRECT_MUTANTS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 1 });
      const first = resultOf(await connection.initial(request), roomId);
      await setDirect(alice, { [bob.userId]: [roomId] });
      const alone = (await connection.sync(request)).rooms[roomId];

      const message = await alice.send(roomId, "hello");
      const later = await connection.untilEvent(request, roomId, message);
      const fresh = resultOf(await sync.connection(alice, "fresh").initial(request), roomId);

      world.note(`the change of m.direct alone makes ${alone === undefined ? "no" : "a"} result`);
      expectEqual(first.is_dm ?? false, false, "is_dm at first");
      expectEqual(alone?.is_dm ?? later.is_dm, true, "is_dm when it has changed");
      expectEqual(fresh.is_dm, true, "is_dm on a fresh connection");
    });
  },
);

check(
  "MSC4186.meta.is-dm",
  "the server tells that a room is no direct one any longer",
  {
    mutant: [
      ...DIRECT_MUTANTS,
      answers("tells that it still is one", { set: { "/rooms/*/is_dm": true } }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom();
      await setDirect(alice, { [bob.userId]: [roomId] });
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 1 });
      const first = resultOf(await connection.initial(request), roomId);
      await setDirect(alice, {});
      const alone = (await connection.sync(request)).rooms[roomId];

      const message = await alice.send(roomId, "hello");
      const later = await connection.untilEvent(request, roomId, message);

      expectEqual(first.is_dm, true, "is_dm at first");
      expectEqual(alone?.is_dm ?? later.is_dm, false, "is_dm when it has changed");
    });
  },
);

check(
  "MSC4186.meta.membership",
  "the server tells the membership of the user in each room",
  {
    mutant: [
      answers("does not tell", { remove: ["/rooms/*/membership"] }),
      answers("tells that all are joined", { set: { "/rooms/*/membership": "join" } }),
    ],
  },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({
        initial_state: [
          { type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } },
        ],
      });
      const connection = sync.connection(bob);
      const request = allRooms({ timelineLimit: 1 });
      await connection.initial(request);
      const transitions = {
        knock: async () => ok(await bob.post(path`/_matrix/client/v3/knock/${roomId}`)),
        invite: () => alice.invite(roomId, bob),
        join: () => bob.join(roomId),
        leave: () => alice.kick(roomId, bob),
        ban: () => alice.ban(roomId, bob),
      };

      for (const [membership, act] of Object.entries(transitions)) {
        await act();
        await connection.until(request, `membership ${membership}`, ({ rooms }) =>
          rooms[roomId]?.membership === membership ? true : undefined,
        );
      }
    });
  },
);
