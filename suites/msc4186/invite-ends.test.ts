import { STABLE } from "#harness/clients/sliding-sync/dialect";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import {
  EVERYTHING,
  expectAbsent,
  expectNothingOf,
  fence,
  isMemberOf,
  KEEPS_SECRET,
  knock,
  ownMembers,
  ownRoom,
  untilMembership,
} from "./membership.ts";
import { LATER, STRAY_EVENT } from "./rooms.ts";
import { answers, inDialect, inEachDialect } from "./sync.ts";

const LEAKS = [
  answers("shows events", { set: { "/rooms/*/timeline": [STRAY_EVENT] } }, LATER),
  answers("names heroes", { set: { "/rooms/*/heroes": [{ user_id: "@hero:x" }] } }, LATER),
];

/** @param between happens between the invite and its rejection */
async function expectRejectionReported(
  world: World,
  inviter: string,
  between: (bob: Session) => Promise<unknown> = async () => undefined,
): Promise<void> {
  await inEachDialect(world, async (sync) => {
    const [alice, bob] = await Promise.all([world.user("alice", inviter), world.user("bob")]);
    const [tablet, own] = [await world.login(bob), await ownRoom(bob)];
    const roomId = await alice.createRoom({ name: "named" });
    await alice.invite(roomId, bob);
    const connection = sync.connection(bob);
    await untilMembership(connection, EVERYTHING, roomId, "invite");
    await between(bob);
    await tablet.leave(roomId);

    await untilMembership(connection, EVERYTHING, roomId, "leave");

    const later = await fence(connection, EVERYTHING, own, roomId);
    expectEqual(later, [], "later results for the room");
    await expectAbsent(sync.connection(bob, "fresh"), EVERYTHING, roomId, 1);
  });
}

check(
  "MSC4186.member.invite-reject",
  "the server tells a device that another one has rejected an invite",
  {
    mutant: [
      KEEPS_SECRET,
      answers("counts it still", { set: { "/lists/all/count": 2 } }, { contains: "fresh" }),
    ],
  },
  (world) => expectRejectionReported(world, "hs1"),
);

check(
  "MSC4186.member.invite-reject",
  "the server tells a device that another one has rejected an invite to a room of another server",
  { mutant: KEEPS_SECRET },
  async (world) => {
    world.server("hs2");
    await expectRejectionReported(world, "hs2");
  },
);

check(
  "MSC4186.member.invite-reject",
  "the server tells it when the other server is not there, too",
  { mutant: KEEPS_SECRET },
  async (world) => {
    world.server("hs2");
    await expectRejectionReported(world, "hs2", async ({ userId }) => {
      const path = `/_matrix/federation/v1/make_leave/*/${encodeURIComponent(userId)}`;
      await world.fault({ from: "hs1", to: "hs2", path }, "before", { kind: "reset" });
    });
  },
);

check(
  "MSC4186.member.rejection-stripped",
  "the server sends stripped state with a rejected invite",
  {
    mutant: [
      answers("sends none", { set: { "/rooms/*/stripped_state": [] } }, LATER),
      answers("sends nothing", { remove: ["/rooms"] }, LATER),
    ],
  },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom();
      await alice.invite(roomId, bob);
      const connection = sync.connection(bob);
      await untilMembership(connection, EVERYTHING, roomId, "invite");
      await bob.leave(roomId);

      const room = await untilMembership(connection, EVERYTHING, roomId, "leave");

      if (room.stripped_state === undefined && room.membership === "leave") {
        world.note("the membership alone tells that the invite was rejected");
        return;
      }
      const own = room.stripped_state?.filter((event) => isMemberOf(event, bob.userId));
      const memberships = own?.map(({ content }) => content.membership);
      expectEqual(memberships, ["leave"], "the own membership in the stripped state");
    });
  },
);

check(
  "MSC4186.member.invite-rescinded",
  "the server tells that an invite was withdrawn, and nothing of the room",
  { mutant: [KEEPS_SECRET, ...LEAKS] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ name: "named" });
      await alice.invite(roomId, bob);
      const connection = sync.connection(bob);
      await untilMembership(connection, EVERYTHING, roomId, "invite");
      await alice.send(roomId, "not for bob");
      await alice.kick(roomId, bob);

      const room = await untilMembership(connection, EVERYTHING, roomId, "leave");

      const senders = new Set(ownMembers(room, bob.userId).map(({ sender }) => sender));
      expectThat(
        [...senders].every((sender) => sender === alice.userId),
        "no own member event but that of the inviter",
        [...senders],
      );
      expectNothingOf(room, bob.userId);
    });
  },
);

const KNOCKABLE = {
  name: "named",
  initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }],
};

check(
  "MSC4186.member.knock",
  "the server sends stripped state with the own knock, and counts the room",
  {
    mutant: [
      answers("does not send it", { remove: ["/rooms"] }),
      answers("does not count it", { set: { "/lists/all/count": 0 } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom(KNOCKABLE);
      const connection = sync.connection(bob);
      await connection.initial(EVERYTHING);
      await knock(bob, roomId);

      const room = await untilMembership(connection, EVERYTHING, roomId, "knock");
      const fresh = await sync.connection(bob, "fresh").initial(EVERYTHING);

      for (const { stripped_state: stripped = [] } of [room, fresh.rooms[roomId] ?? {}]) {
        const own = stripped.filter((event) => isMemberOf(event, bob.userId));
        const memberships = own.map(({ content }) => content.membership);
        expectEqual(memberships, ["knock"], "the own membership in the stripped state");
      }
      expectEqual(fresh.counts, { all: 1 }, "the count of a fresh connection");
    });
  },
);

check(
  "MSC4186.member.knock-rejected",
  "the server tells that a knock was rejected, and nothing of the room",
  { mutant: [KEEPS_SECRET, ...LEAKS] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom(KNOCKABLE);
      const connection = sync.connection(bob);
      await connection.initial(EVERYTHING);
      await knock(bob, roomId);
      await untilMembership(connection, EVERYTHING, roomId, "knock");
      await alice.send(roomId, "not for bob");
      await alice.kick(roomId, bob);

      const room = await untilMembership(connection, EVERYTHING, roomId, "leave");

      expectNothingOf(room, bob.userId);
    });
  },
);
