import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectMembership, keeps, listed, member, offer } from "./rejection.ts";

const MEMBER = "m.room.member";

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
  { mutant: keeps("shows a user as joined who never asked", MEMBER, { membership: "join" }) },
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
