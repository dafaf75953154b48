import { STABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { membersOf, stateIdsOf, stateOfRoom } from "./results.ts";
import { answers, inDialect, inEachDialect, reads } from "./sync.ts";

const LAZY = { lazyMembers: true };
const SILENT = 8;

interface Crowd {
  readonly roomId: string;
  readonly alice: Session;
  /** The last who spoke. */
  readonly bob: Session;
  /** Who never spoke, though they are in the room. */
  readonly silent: readonly Session[];
}

/** A room of ten. */
async function crowd(world: World): Promise<Crowd> {
  const [alice, bob] = await world.users("alice", "bob");
  const silent = await Promise.all(Array.from({ length: SILENT }, () => world.user("silent")));
  const roomId = await alice.createRoom({ preset: "public_chat", name: "a crowd" });
  for (const session of [...silent, bob]) await session.join(roomId);
  await bob.send(roomId, "the only message");
  return { roomId, alice, bob, silent };
}

const NO_STATE = answers("sends no state", { remove: ["/rooms/*/required_state"] });
const NOT_LAZY = reads("does not load members lazily", [
  ['"$LAZY"', '"$NOBODY"'],
  ['"lazy_members":true', '"lazy_members":false'],
]);

check(
  "MSC4186.lazy.not-excluded",
  "the server sends lazily loaded members although members are excluded",
  { mutant: NO_STATE },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const { roomId, alice, bob } = await crowd(world);
      const requiredState = { ...LAZY, exclude: [{ type: "m.room.member" }] };

      const { rooms } = await sync
        .connection(alice)
        .initial(allRooms({ timelineLimit: 1, requiredState }));

      expectThat(membersOf(rooms[roomId]).includes(bob.userId), "the sender", rooms[roomId]);
    });
  },
);

check(
  "MSC4186.lazy.narrows-wildcard",
  "the server sends all other state, and of the members only those that lazy loading calls for",
  { mutant: [NO_STATE, NOT_LAZY] },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const { roomId, alice, bob, silent } = await crowd(world);
      const requiredState = { ...LAZY, include: [{}] };

      const { rooms } = await sync
        .connection(alice)
        .initial(allRooms({ timelineLimit: 1, requiredState }));

      const room = rooms[roomId];
      const sent = stateIdsOf(room);
      const state = await stateOfRoom(alice, roomId);
      const others = state.filter(({ type }) => type !== "m.room.member");
      const missing = others.filter(({ event_id }) => !sent.includes(event_id));
      expectEqual(missing, [], "state other than members that is not there");
      const members = membersOf(room);
      expectThat(members.includes(bob.userId), "the sender", members);
      const surplus = silent.filter(({ userId }) => members.includes(userId));
      expectEqual(surplus.length, 0, "the number of members who have nothing to do with it");
    });
  },
);

check(
  "MSC4186.lazy.explicit-member",
  "the server sends a member who is asked for besides those it loads lazily",
  { mutant: [NO_STATE, NOT_LAZY] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { roomId, alice, bob, silent } = await crowd(world);
      const [asked] = silent;
      const include = [{ type: "m.room.member", stateKey: asked?.userId ?? "" }];

      const { rooms } = await sync
        .connection(alice)
        .initial(allRooms({ timelineLimit: 1, requiredState: { ...LAZY, include } }));

      const members = membersOf(rooms[roomId]);
      const missing = [bob.userId, asked?.userId ?? ""].filter((id) => !members.includes(id));
      expectEqual(missing, [], "the sender and the one who is asked for, if not there");
    });
  },
);

check(
  "MSC4186.lazy.combine",
  "the server sends all members when one of two rules wants them all",
  {
    mutant: [
      answers("leaves one member out", { remove: ["/rooms/*/required_state/0"] }),
      reads("takes no subscriptions", [['"room_subscriptions"', '"x"']]),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { roomId, alice, bob, silent } = await crowd(world);
      const all = { include: [{ type: "m.room.member" }] };

      const { rooms } = await sync.connection(alice).initial({
        ...allRooms({ timelineLimit: 1, requiredState: LAZY }),
        subscriptions: { [roomId]: { timelineLimit: 1, requiredState: all } },
      });

      const expected = [alice, bob, ...silent].map(({ userId }) => userId).sort();
      expectEqual(membersOf(rooms[roomId]), expected, "the members");
    });
  },
);

check(
  "MSC4186.lazy.per-connection",
  "the server sends a member on each connection, and again when the answer was lost",
  {
    mutant: [
      answers(
        "takes it as sent on another connection",
        { remove: ["/rooms/*/required_state"] },
        { contains: '"conn_id":"second"' },
      ),
      NO_STATE,
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { roomId, alice, bob, silent } = await crowd(world);
      const request = allRooms({ timelineLimit: 1, requiredState: LAZY });
      const connections = ["first", "second"].map((name) => sync.connection(alice, name));
      for (const connection of connections) {
        const { rooms, http } = await connection.initial(request);
        const members = membersOf(rooms[roomId]);
        expectThat(members.includes(bob.userId), "the sender on each connection", members, http);
      }

      const [speaker] = silent;
      const [connection] = connections;
      if (speaker === undefined || connection === undefined) throw new TypeError("no such");
      const message = await speaker.send(roomId, "not so silent");
      const lost = await connection.lose(request);
      const retried = await connection.untilEvent(request, roomId, message);

      const members = [lost.rooms[roomId], retried].map((result) =>
        membersOf(result).includes(speaker.userId),
      );
      expectEqual(members, [true, true], "the sender in the lost answer, and in the next one");
    });
  },
);

check(
  "MSC4186.lazy.heroes-independent",
  "the server names heroes whose member events it does not send",
  {
    mutant: [
      answers("leaves their names out", { remove: ["/rooms/*/heroes/*/displayname"] }),
      answers("leaves their avatars out", { remove: ["/rooms/*/heroes/*/avatar_url"] }),
      answers("names none", { remove: ["/rooms/*/heroes"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const [displayname, avatar] = ["Bob the hero", "mxc://crucible.example/bob"];
      const profile = path`/_matrix/client/v3/profile/${bob.userId}`;
      ok(await bob.put(`${profile}/displayname`, { displayname }));
      ok(await bob.put(`${profile}/avatar_url`, { avatar_url: avatar }));
      const roomId = await alice.createRoom({ preset: "public_chat" });
      for (const session of [bob, carol]) await session.join(roomId);
      await alice.send(roomId, "the only message");

      const { rooms } = await sync
        .connection(alice)
        .initial(allRooms({ timelineLimit: 1, requiredState: LAZY }));

      const room = rooms[roomId];
      const heroes = (room?.heroes ?? []).toSorted((a, b) => (a.user_id < b.user_id ? -1 : 1));
      const expected = [bob.userId, carol.userId].sort();
      expectEqual(
        heroes.map(({ user_id }) => user_id),
        expected,
        "the heroes",
      );
      const hero = heroes.find(({ user_id }) => user_id === bob.userId);
      expectEqual(
        [hero?.displayname, hero?.avatar_url],
        [displayname, avatar],
        "the hero's profile",
      );
      if (membersOf(room).includes(bob.userId)) world.note("a hero's member event is sent");
    });
  },
);
