import { path } from "#harness/http/client";
import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectMatrixError, ok } from "#harness/world/expect";
import { refuses } from "#harness/world/mutants";
import {
  agrees,
  ban,
  expectMembership,
  keeps,
  listed,
  member,
  offer,
  peerUsers,
} from "./rejection.ts";

const MEMBER = "m.room.member";
const INVITE = { membership: "invite" };
const LEAVE = { membership: "leave" };
const POST = "/_matrix/client/v3/rooms/*/invite";

check(
  "FED.auth.invite-sender-joined",
  "the server rejects an invite by a user who has left",
  { mutant: keeps("shows the target as invited", MEMBER, INVITE) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room } = meeting;
      const left = peer.user("left");
      const target = peer.user("target");
      await peer.join(room.roomId, left, { via: alice.server.serverName });
      await peer.send(room, member(left, left, "leave"));

      await offer(meeting, room.build(member(left, target, "invite")));

      await expectMembership(meeting, left, "leave");
      await expectMembership(meeting, target, undefined);
    }
  },
);

check(
  "FED.auth.invite-target-joined-banned",
  "the server rejects invites of joined and of banned users",
  { mutant: keeps("turns a ban into an invite", MEMBER, INVITE) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const [banned, joined] = [peer.user("banned"), peer.user("joined")];
      await peer.join(room.roomId, joined, { via: alice.server.serverName });
      await ban(meeting, banned);

      const target = path`/_matrix/client/v3/rooms/${room.roomId}/invite`;
      const responses = [
        await alice.post(target, { user_id: banned }),
        await alice.post(target, { user_id: joined }),
      ];
      await offer(
        meeting,
        room.build(member(mallory, banned, "invite")),
        room.build(member(mallory, joined, "invite")),
      );

      for (const response of responses) expectMatrixError(response, 403);
      await expectMembership(meeting, banned, "ban");
      await expectMembership(meeting, joined, "join");
    }
  },
);

check(
  "FED.auth.invite-level",
  "the server refuses an invite by a user without the invite level",
  { mutant: [keeps("takes the invite", MEMBER, INVITE), agrees("invites all the same", POST)] },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, {
        version,
        creation: { power_level_content_override: { invite: 50 } },
      });
      const { peer, room, mallory } = meeting;
      const bob = await world.user("bob");
      const [target, other] = peerUsers(peer, "target", "other");
      await bob.join(room.roomId);

      const response = await bob.post(path`/_matrix/client/v3/rooms/${room.roomId}/invite`, {
        user_id: other,
      });
      await offer(meeting, room.build(member(mallory, target, "invite")));

      expectMatrixError(response, 403);
      await expectMembership(meeting, target, undefined);
      await expectMembership(meeting, other, undefined);
    }
  },
);

check(
  "FED.auth.invite-level",
  "the server takes an invite by anybody when no invite level is given",
  {
    mutant: [
      keeps("takes 50 as the default", MEMBER, LEAVE),
      refuses("refuses the invite of its own user", { path: POST }, 403, "M_FORBIDDEN"),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const [bob, charlie] = await world.users("bob", "charlie");
      const target = peer.user("target");
      const { invite: _, ...levels } =
        (await alice.state(room.roomId, "m.room.power_levels")) ?? {};
      const id = await alice.setState(room.roomId, "m.room.power_levels", levels);
      await peer.waitForPdu(room, "the power levels", (pdu) => pdu.id === id);
      await bob.join(room.roomId);

      const response = await bob.post(path`/_matrix/client/v3/rooms/${room.roomId}/invite`, {
        user_id: charlie.userId,
      });
      await peer.send(room, member(mallory, target, "invite"));
      await peer.fence(room, alice);

      ok(response);
      await expectMembership(meeting, target, "invite");
      await expectMembership(meeting, charlie.userId, "invite");
    }
  },
);
