import { path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectMatrixError, ok } from "#harness/world/expect";
import { meet } from "./meeting.ts";
import { ban, expectMembership, keeps, listed, member, offer, putLevels } from "./rejection.ts";

const MEMBER = "m.room.member";
const JOIN = { membership: "join" };
const INVITE = { membership: "invite" };
const LEAVE = { membership: "leave" };

check(
  "FED.auth.member-missing-membership",
  "the server rejects a member event without membership or state key",
  { mutant: keeps("loses the membership of the user", MEMBER, {}) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { room, mallory } = meeting;
      const pdus = [
        room.build({ type: MEMBER, stateKey: mallory, sender: mallory, content: {} }),
        room.build({
          ...member(mallory, mallory, "leave"),
          beforeHash: ({ state_key: _, ...event }) => event,
        }),
      ];

      await offer(meeting, ...pdus);

      await expectMembership(meeting, mallory, "join");
    }
  },
);

check(
  "FED.auth.join-not-self",
  "the server rejects a join that somebody else sent",
  { mutant: keeps("shows a user as joined who never asked", MEMBER, JOIN) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { peer, room, mallory } = meeting;
      const victim = peer.user("victim");

      await offer(meeting, room.build(member(mallory, victim, "join")));

      await expectMembership(meeting, victim, undefined);
    }
  },
);

check(
  "FED.auth.membership-unknown",
  "the server rejects a member event with an unknown membership",
  { mutant: keeps("stores an unknown membership", MEMBER, { membership: "x.weird" }) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { room, mallory } = meeting;

      await offer(meeting, room.build(member(mallory, mallory, "x.weird")));

      await expectMembership(meeting, mallory, "join");
    }
  },
);

check(
  "FED.auth.membership-unknown",
  "the server rejects a knock in version 6",
  { mutant: keeps("stores a knock", MEMBER, { membership: "knock" }) },
  async (world) => {
    const meeting = await meet(world, { version: "6" });
    const { alice, peer, room } = meeting;
    const stranger = peer.user("stranger");
    const rules = await alice.setState(room.roomId, "m.room.join_rules", { join_rule: "knock" });
    await peer.waitForPdu(room, "the join rules", ({ id }) => id === rules);

    await offer(meeting, room.build(member(stranger, stranger, "knock")));

    await expectMembership(meeting, stranger, undefined);
  },
);

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
  "the server rejects an invite by a user without the invite level",
  { mutant: keeps("takes the invite", MEMBER, INVITE) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, {
        version,
        creation: { power_level_content_override: { invite: 50 } },
      });
      const { peer, room, mallory } = meeting;
      const target = peer.user("target");

      await offer(meeting, room.build(member(mallory, target, "invite")));

      await expectMembership(meeting, target, undefined);
    }
  },
);

check(
  "FED.auth.invite-level",
  "the server takes an invite by anybody when no invite level is given",
  { mutant: keeps("takes 50 as the default", MEMBER, LEAVE) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const target = peer.user("target");
      const { invite: _, ...levels } =
        (await alice.state(room.roomId, "m.room.power_levels")) ?? {};
      const id = await alice.setState(room.roomId, "m.room.power_levels", levels);
      await peer.waitForPdu(room, "the power levels", (pdu) => pdu.id === id);

      await peer.send(room, member(mallory, target, "invite"));
      await peer.fence(room, alice);

      await expectMembership(meeting, target, "invite");
    }
  },
);

check(
  "FED.auth.leave-self",
  "the server rejects a leave by a banned user and by one who was never a member",
  { mutant: keeps("lifts the ban", MEMBER, LEAVE) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { peer, room } = meeting;
      const [banned, stranger] = [peer.user("banned"), peer.user("stranger")];
      await ban(meeting, banned);

      await offer(
        meeting,
        room.build(member(banned, banned, "leave")),
        room.build(member(stranger, stranger, "leave")),
      );

      await expectMembership(meeting, banned, "ban");
      await expectMembership(meeting, stranger, undefined);
    }
  },
);

check(
  "FED.auth.kick-needs-higher",
  "the server rejects kicks and bans of users of the same level, and a ban by a user who has left",
  { mutant: keeps("lets equals remove each other", MEMBER, LEAVE) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const [kicked, banned, left] = ["kicked", "banned", "left"].map((name) => peer.user(name));
      const users = { [mallory]: 50, [String(kicked)]: 50, [String(banned)]: 50 };
      for (const user of [kicked, banned, left]) {
        await peer.join(room.roomId, String(user), { via: alice.server.serverName });
      }
      await putLevels(meeting, { users: { ...users, [String(left)]: 75 } });
      await peer.send(room, member(String(left), String(left), "leave"));

      await offer(
        meeting,
        room.build(member(mallory, String(kicked), "leave")),
        room.build(member(mallory, String(banned), "ban")),
        room.build(member(String(left), mallory, "ban")),
      );

      await expectMembership(meeting, String(kicked), "join");
      await expectMembership(meeting, String(banned), "join");
      await expectMembership(meeting, mallory, "join");
    }
  },
);

check(
  "FED.auth.kick-needs-higher",
  "the server takes a kick of a user of a lower level",
  { mutant: keeps("keeps the user", MEMBER, JOIN) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, room, mallory } = meeting;

      ok(
        await alice.post(path`/_matrix/client/v3/rooms/${room.roomId}/kick`, { user_id: mallory }),
      );

      await expectMembership(meeting, mallory, "leave");
    }
  },
);
