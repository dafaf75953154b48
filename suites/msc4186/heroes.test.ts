import { allRooms } from "#harness/clients/sliding-sync/request";
import type { RoomResult } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectThat, ok } from "#harness/world/expect";
import { LATER, resultOf, settled } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

const REQUEST = allRooms({ timelineLimit: 5 });
const NONE = answers("names none", { remove: ["/rooms/*/heroes"] });

function heroesOf({ heroes = [] }: RoomResult): readonly string[] {
  return heroes.map(({ user_id }) => user_id);
}

check(
  "MSC4186.meta.heroes",
  "the server names five of those in a room without a name, and who they are",
  {
    mutant: [
      NONE,
      answers("names four", { remove: ["/rooms/*/heroes/-1"] }),
      answers("does not tell their names", { remove: ["/rooms/*/heroes/*/displayname"] }),
      answers("does not tell their avatars", { remove: ["/rooms/*/heroes/*/avatar_url"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const others = await world.users("u1", "u2", "u3", "u4", "u5", "u6", "u7");
      const roomId = await alice.createRoom({ preset: "public_chat" });
      const avatar = "mxc://example.org/avatar";
      for (const other of others) {
        const profile = path`/_matrix/client/v3/profile/${other.userId}`;
        const displayname = `the ${other.localpart}`;
        ok(await other.put(`${profile}/displayname`, { displayname }));
        ok(await other.put(`${profile}/avatar_url`, { avatar_url: avatar }));
        await other.join(roomId);
      }

      const full = resultOf(await sync.connection(alice).initial(REQUEST), roomId);

      expectEqual(new Set(heroesOf(full)).size, 5, "the number of heroes");
      for (const hero of full.heroes ?? []) {
        const user = others.find(({ userId }) => userId === hero.user_id);
        expectThat(user !== undefined, "one of the others as hero", hero);
        expectEqual(hero.displayname, `the ${user.localpart}`, "the name of a hero");
        expectEqual(hero.avatar_url, avatar, "the avatar of a hero");
      }
      for (const other of others) await other.leave(roomId);
      const last = await alice.send(roomId, "alone");
      await settled(alice, roomId, last);
      const alone = resultOf(await sync.connection(alice, "alone").initial(REQUEST), roomId);
      const left = heroesOf(alone);
      expectEqual(new Set(left).size, 5, "the number of heroes when all have left");
      const ids = others.map(({ userId }) => userId);
      expectThat(
        left.every((id) => ids.includes(id)),
        "those who left as heroes",
        left,
      );
    });
  },
);

check(
  "MSC4186.meta.heroes",
  "the server names joined users before invited ones, and those who left last",
  { mutant: [NONE, answers("names one only", { remove: ["/rooms/*/heroes/-1"] })] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, left, invited, joined] = await world.users(
        "alice",
        "left",
        "invited",
        "joined",
      );
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await left.join(roomId);
      await left.leave(roomId);
      await alice.invite(roomId, invited);
      await joined.join(roomId);
      await settled(alice, roomId, await alice.send(roomId, "last"));

      const room = resultOf(await sync.connection(alice).initial(REQUEST), roomId);

      const heroes = heroesOf(room);
      expectEqual(heroes.slice(0, 2), [joined.userId, invited.userId], "the first two heroes");
      const others = heroes.slice(2).filter((id) => id !== left.userId);
      expectEqual(others, [], "further heroes besides the one who left");
    });
  },
);

check(
  "MSC4186.meta.heroes",
  "the server names those in a room whose name is empty",
  { mutant: NONE },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ preset: "public_chat", name: "named" });
      await bob.join(roomId);
      const last = await alice.setState(roomId, "m.room.name", { name: "" });
      await settled(alice, roomId, last);

      const room = resultOf(await sync.connection(alice).initial(REQUEST), roomId);

      expectEqual(heroesOf(room), [bob.userId], "the heroes of a room whose name is empty");
    });
  },
);

const NAMES_ALWAYS = { set: { "/rooms/*/heroes": [{ user_id: "@hero:example.org" }] } };

check(
  "MSC4186.meta.heroes-not-when-named",
  "the server names no heroes of a room with a name at first",
  { mutant: answers("names some", NAMES_ALWAYS) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ preset: "public_chat", name: "named" });
      await bob.join(roomId);

      const room = resultOf(await sync.connection(alice).initial(REQUEST), roomId);

      expectEqual(heroesOf(room), [], "the heroes");
    });
  },
);

check(
  "MSC4186.meta.heroes-not-when-named",
  "the server names no heroes of a room with a name when members change",
  { mutant: answers("names some", NAMES_ALWAYS, LATER) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ preset: "public_chat", name: "named" });
      const connection = sync.connection(alice);
      const first = await connection.initial(REQUEST);
      await bob.join(roomId);
      const last = await alice.send(roomId, "welcome");
      await settled(alice, roomId, last);

      const room = await connection.untilEvent(REQUEST, roomId, last);

      expectContains(first.rooms[roomId], { name: "named" }, "the room at first");
      expectEqual(heroesOf(room), [], "the heroes");
    });
  },
);

check(
  "MSC4186.meta.heroes-update",
  "the server sends all heroes again when members join or change their names",
  {
    mutant: [
      answers("sends none", { remove: ["/rooms/*/heroes"] }, LATER),
      answers("sends not all", { remove: ["/rooms/*/heroes/0"] }, LATER),
      answers("sends old names", { set: { "/rooms/*/heroes/*/displayname": "old" } }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const roomId = await alice.createRoom({ preset: "public_chat" });
      const connection = sync.connection(alice);
      await connection.initial(REQUEST);
      const next = async (what: string) => {
        const last = await alice.send(roomId, what);
        await settled(alice, roomId, last);
        const room = await connection.untilEvent(REQUEST, roomId, last);
        return { room, heroes: [...heroesOf(room)].sort() };
      };

      await bob.join(roomId);
      const one = await next("one other");
      await carol.join(roomId);
      const two = await next("two others");
      const content = { membership: "join", displayname: "new name" };
      await bob.setState(roomId, "m.room.member", content, bob.userId);
      const renamed = await next("another name");

      const both = [bob.userId, carol.userId].sort();
      expectEqual(one.heroes, [bob.userId], "the heroes after the first join");
      expectEqual(two.heroes, both, "the heroes after the second join");
      expectEqual(renamed.heroes, both, "the heroes after a change of name");
      const hero = renamed.room.heroes?.find(({ user_id }) => user_id === bob.userId);
      expectEqual(hero?.displayname, "new name", "the new name");
    });
  },
);
