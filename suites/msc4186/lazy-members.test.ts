import { allRooms, type RoomConfig } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { membersOf, timelineOf } from "./results.ts";
import { answers, inEachDialect, reads } from "./sync.ts";

const LAZY = { lazyMembers: true };

/** A room of the first that the others have joined, one after the other. */
async function roomOf(founder: Session, ...others: readonly Session[]): Promise<string> {
  const roomId = await founder.createRoom({ preset: "public_chat" });
  for (const other of others) await other.join(roomId);
  return roomId;
}

/** The own member event in a room, with another name. */
function rename(session: Session, roomId: string, displayname: string): Promise<string> {
  const content = { membership: "join", displayname };
  return session.setState(roomId, "m.room.member", content, session.userId);
}

const NOT_LAZY = reads("does not load members lazily", [
  ['"$LAZY"', '"$NOBODY"'],
  ['"lazy_members":true', '"lazy_members":false'],
]);
const NO_STATE = answers("sends no state", { remove: ["/rooms/*/required_state"] });

check(
  "MSC4186.lazy.senders",
  "the server sends the members who sent what is in the timeline",
  { mutant: [NOT_LAZY, NO_STATE] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const roomId = await roomOf(alice, bob, carol);
      await bob.send(roomId, "first");
      const request = allRooms({ timelineLimit: 1, requiredState: LAZY });
      const connection = sync.connection(alice);

      const { rooms } = await connection.initial(request);
      const again = await connection.untilEvent(request, roomId, await bob.send(roomId, "again"));
      const other = await connection.untilEvent(
        request,
        roomId,
        await carol.send(roomId, "I, too"),
      );

      const first = membersOf(rooms[roomId]);
      expectThat(first.includes(bob.userId), "the sender of the only event", first);
      if (membersOf(again).includes(bob.userId)) world.note("a member is sent with each message");
      const second = membersOf(other);
      expectThat(second.includes(carol.userId), "the sender of the third message", second);
    });
  },
);

check(
  "MSC4186.lazy.default-off",
  "the server sends no members when it is not asked to",
  {
    mutant: reads("loads members lazily always", [
      ['["m.room.create",""]', '["m.room.create",""],["m.room.member","$LAZY"]'],
      ['"required_state":{', '"required_state":{"lazy_members":true,'],
    ]),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await roomOf(alice, bob);
      for (const session of [alice, bob]) await session.send(roomId, "hello");
      const requiredState = { include: [{ type: "m.room.create", stateKey: "" }] };

      const { rooms } = await sync
        .connection(alice)
        .initial(allRooms({ timelineLimit: 2, requiredState }));

      expectEqual(rooms[roomId]?.timeline?.length, 2, "the number of events in the timeline");
      expectEqual(membersOf(rooms[roomId]), [], "the members in the required state");
    });
  },
);

check(
  "MSC4186.lazy.targets",
  "the server sends the members whom the timeline's membership events are about",
  {
    mutant: [NOT_LAZY, answers("leaves one member out", { remove: ["/rooms/*/required_state/0"] })],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const roomId = await roomOf(alice, bob);
      await alice.invite(roomId, carol);

      const { rooms } = await sync
        .connection(bob)
        .initial(allRooms({ timelineLimit: 1, requiredState: LAZY }));

      const members = membersOf(rooms[roomId]);
      const missing = [alice.userId, carol.userId].filter((id) => !members.includes(id));
      expectEqual(missing, [], "members that the invite is from and about, and that are not there");
    });
  },
);

check(
  "MSC4186.lazy.nongappy-all-changes",
  "the server sends all changes of members when there is no gap",
  {
    mutant: [NO_STATE, answers("leaves one member out", { remove: ["/rooms/*/required_state/0"] })],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol, dave, erin, frank] = await world.users(
        "alice",
        "bob",
        "carol",
        "dave",
        "erin",
        "frank",
      );
      const roomId = await roomOf(alice, bob, carol, dave);
      const request = allRooms({ timelineLimit: 20, requiredState: LAZY });
      const connection = sync.connection(alice);
      await connection.initial(request);

      await bob.leave(roomId);
      await rename(carol, roomId, "another name");
      await alice.kick(roomId, dave);
      await erin.join(roomId);
      await alice.invite(roomId, frank);
      const fence = await alice.send(roomId, "after all that");
      const result = await connection.untilEvent(request, roomId, fence);

      expectThat(result.limited !== true, "limited false, as the limit is large enough", result);
      const sent = new Map(
        (result.required_state ?? []).map((entry) => [
          entry.state_key,
          "content" in entry ? entry.content : undefined,
        ]),
      );
      const memberships = [bob, carol, dave, erin, frank].map(
        ({ userId }) => (sent.get(userId) as { membership?: string } | undefined)?.membership,
      );
      const expected = ["leave", "join", "leave", "join", "invite"];
      expectEqual(memberships, expected, "the changed members in the required state");
    });
  },
);

check(
  "MSC4186.lazy.gappy-only-timeline",
  "the server may leave out changes of members when there is a gap, and tells of it",
  { mutant: answers("hides the gap", { set: { "/rooms/*/limited": false } }) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const roomId = await roomOf(alice, bob, carol);
      const request = allRooms({ timelineLimit: 1, requiredState: LAZY });
      const connection = sync.connection(alice);
      await connection.initial(request);

      await carol.leave(roomId);
      let last = "";
      for (const text of ["one", "two", "three"]) last = await bob.send(roomId, text);
      const result = await connection.untilEvent(request, roomId, last);

      expectEqual(result.limited, true, "limited");
      const isSent = membersOf(result).includes(carol.userId);
      world.note(`a member who left in the gap is ${isSent ? "sent" : "left out"}`);
    });
  },
);

check(
  "MSC4186.lazy.changed-after-sent",
  "the server sends a member again who changed in a gap",
  { mutant: [NO_STATE, NOT_LAZY] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const roomId = await roomOf(alice, bob, carol);
      await bob.send(roomId, "with the old name");
      const request = allRooms({ timelineLimit: 1, requiredState: LAZY });
      const connection = sync.connection(alice);
      await connection.initial(request);

      const renamed = await rename(bob, roomId, "the new name");
      let last = "";
      for (const text of ["one", "two", "three"]) last = await carol.send(roomId, text);
      const gap = await connection.untilEvent(request, roomId, last);
      const message = await bob.send(roomId, "with the new name");
      await connection.untilEvent(request, roomId, message);

      expectThat(!timelineOf(gap).includes(renamed), "the new name in the gap", gap);
      const shown = connection.view.room(roomId)?.state.get(`m.room.member|${bob.userId}`);
      expectEqual(shown?.event_id, renamed, "the sender's member event that a client has");
    });
  },
);

check(
  "MSC4186.lazy.own-not-implied",
  "the server sends the own member event when it is asked for besides",
  { mutant: NO_STATE },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await roomOf(bob, alice);
      await bob.send(roomId, "hello");
      const membersWith = async (requiredState: RoomConfig["requiredState"] & object) => {
        const request = allRooms({ timelineLimit: 1, requiredState });
        return membersOf((await sync.connection(alice).initial(request)).rooms[roomId]);
      };

      const lazily = await membersWith(LAZY);
      const include = [{ type: "m.room.member", stateKey: alice.userId }];
      const both = await membersWith({ ...LAZY, include });

      if (lazily.includes(alice.userId)) world.note("the own member event is sent unasked");
      expectEqual(both, [alice.userId, bob.userId].sort(), "the members with the own one");
    });
  },
);
