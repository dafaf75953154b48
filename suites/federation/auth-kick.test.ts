import { path } from "#harness/http/client";
import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectMatrixError, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import {
  agrees,
  ban,
  expectMembership,
  keeps,
  listed,
  member,
  offer,
  peerUsers,
  putLevels,
} from "./rejection.ts";

const MEMBER = "m.room.member";
const JOIN = { membership: "join" };
const LEAVE = { membership: "leave" };
const UNBAN = "/_matrix/client/v3/rooms/*/unban";

check(
  "FED.auth.leave-self",
  "the server rejects a leave by a banned user and by one who was never a member",
  { mutant: keeps("lifts the ban", MEMBER, LEAVE) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room } = meeting;
      const bob = await world.user("bob");
      const [banned, stranger] = peerUsers(peer, "banned", "stranger");
      await bob.join(room.roomId);
      await alice.ban(room.roomId, bob);
      await ban(meeting, banned);

      await offer(
        meeting,
        room.build(member(banned, banned, "leave")),
        room.build(member(stranger, stranger, "leave")),
      );
      // Whatever it answers: forgetting the room is another thing than leaving it.
      await bob.post(path`/_matrix/client/v3/rooms/${room.roomId}/leave`);

      await expectMembership(meeting, bob.userId, "ban");
      await expectMembership(meeting, banned, "ban");
      await expectMembership(meeting, stranger, undefined);
    }
  },
);

const KICK_OR_BAN = ["kick", "ban"].map((verb) => `/_matrix/client/v3/rooms/*/${verb}`);

check(
  "FED.auth.kick-needs-higher",
  "the server refuses kicks and bans of users of the same level, and takes a kick from above",
  {
    mutant: [
      ...KICK_OR_BAN.map((pattern) => agrees("lets equals remove each other", pattern)),
      keeps("keeps the user", MEMBER, JOIN),
      keeps("loses the user", MEMBER, LEAVE),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, room } = meeting;
      const [bob, charlie] = await world.users("bob", "charlie");
      for (const user of [bob, charlie]) await user.join(room.roomId);
      await putLevels(meeting, { users: { [bob.userId]: 50, [charlie.userId]: 50 } });
      const remove = (by: Session, verb: string, target: Session) =>
        by.post(path`/_matrix/client/v3/rooms/${room.roomId}/${verb}`, { user_id: target.userId });

      const refused = [await remove(bob, "kick", charlie), await remove(bob, "ban", charlie)];
      await expectMembership(meeting, charlie.userId, "join");
      const kicked = await remove(alice, "kick", bob);

      for (const response of refused) expectMatrixError(response, 403);
      ok(kicked);
      await expectMembership(meeting, bob.userId, "leave");
    }
  },
);

check(
  "FED.auth.kick-needs-higher",
  "the server rejects kicks and bans of equals and without the level, and a ban by a user who has left",
  { mutant: keeps("lets equals remove each other", MEMBER, LEAVE) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const [kicked, banned, lower, left] = peerUsers(peer, "kicked", "banned", "lower", "left");
      const [target, weak] = peerUsers(peer, "target", "weak");
      for (const user of [kicked, banned, lower, left, target, weak]) {
        await peer.join(room.roomId, user, { via: alice.server.serverName });
      }
      const users = { [mallory]: 50, [kicked]: 50, [banned]: 50, [left]: 75, [weak]: 49 };
      await putLevels(meeting, { users });
      await peer.send(room, member(left, left, "leave"));

      await offer(
        meeting,
        room.build(member(mallory, kicked, "leave")),
        room.build(member(mallory, banned, "ban")),
        room.build(member(left, target, "ban")),
        room.build(member(weak, target, "leave")),
        room.build(member(weak, target, "ban")),
      );
      await peer.send(room, member(mallory, lower, "leave"));
      await peer.fence(room, alice, { sender: mallory });

      await expectMembership(meeting, kicked, "join");
      await expectMembership(meeting, banned, "join");
      await expectMembership(meeting, target, "join");
      await expectMembership(meeting, lower, "leave");
    }
  },
);

check(
  "FED.auth.unban-levels",
  "the server lifts a ban for a user who has the ban level, the kick level and more power than the target",
  {
    mutant: [
      agrees("looks at one of the levels", UNBAN),
      keeps("lifts all bans", MEMBER, LEAVE),
      keeps("lifts no ban", MEMBER, { membership: "ban" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const bob = await world.user("bob");
      const [low, other, equal] = peerUsers(peer, "low", "other", "equal");
      await bob.join(room.roomId);
      for (const user of [low, other, equal]) await ban(meeting, user);
      const users = { [bob.userId]: 50, [mallory]: 50, [equal]: 50 };
      const unban = (userId: string) =>
        bob.post(path`/_matrix/client/v3/rooms/${room.roomId}/unban`, { user_id: userId });

      for (const levels of [
        { ban: 50, kick: 60 },
        { ban: 60, kick: 50 },
      ]) {
        await putLevels(meeting, { users, ...levels });
        const refused = await unban(low);
        await offer(meeting, room.build(member(mallory, low, "leave")));
        expectMatrixError(refused, 403);
        await expectMembership(meeting, low, "ban");
      }
      await putLevels(meeting, { ban: 50, kick: 50 });
      const refused = await unban(equal);
      await offer(meeting, room.build(member(mallory, equal, "leave")));
      const lifted = await unban(low);
      await peer.send(room, member(mallory, other, "leave"));
      await peer.fence(room, alice);

      expectMatrixError(refused, 403);
      await expectMembership(meeting, equal, "ban");
      ok(lifted);
      await expectMembership(meeting, low, "leave");
      await expectMembership(meeting, other, "leave");
    }
  },
);
