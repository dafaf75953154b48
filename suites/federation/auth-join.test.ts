import { path } from "#harness/http/client";
import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { room as roomIn } from "#harness/world/session";
import {
  agrees,
  ban,
  expectMembership,
  forceJoin,
  keeps,
  listed,
  meetAsDoorkeeper,
  member,
  offer,
  ruleJoins,
} from "./rejection.ts";

const JOIN = "/_matrix/client/v3/join/*";
const SEND_JOIN = "/_matrix/federation/v2/send_join/**";
const JOINS = [
  agrees("lets its own user join", JOIN),
  agrees("lets the user of the peer join", SEND_JOIN),
  keeps("shows the user as joined", "m.room.member", { membership: "join" }),
];
const REFUSED = [400, 403];

check(
  "FED.auth.join-banned",
  "the server does not let banned users join",
  { mutant: JOINS },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room } = meeting;
      const bob = await world.user("bob", "hs2");
      const banned = peer.user("banned");
      await bob.joinWhole(room.roomId, alice);
      await alice.ban(room.roomId, bob);
      await bob.syncUntil(undefined, "the ban", (body) => roomIn(body, "leave", room.roomId), {
        filter: { room: { include_leave: true } },
      });
      await ban(meeting, banned);

      const own = await bob.post(
        path`/_matrix/client/v3/join/${room.roomId}`,
        {},
        { server_name: alice.server.serverName, via: alice.server.serverName },
      );
      const forced = await forceJoin(meeting, banned);
      await offer(meeting, room.build(member(banned, banned, "join")));

      expectMatrixError(own, 403, "M_FORBIDDEN");
      expectMatrixError(forced, REFUSED);
      await expectMembership(meeting, bob.userId, "ban");
      await expectMembership(meeting, banned, "ban");
    }
  },
);

check(
  "FED.auth.join-invite-only",
  "the server lets only invited users join under the rules invite and knock",
  { mutant: JOINS },
  async (world) => {
    for (const version of listed(world, "7", "12")) {
      for (const joinRule of ["invite", "knock"]) {
        const meeting = await meetAsDoorkeeper(world, version);
        const { alice, peer, room, mallory } = meeting;
        const bob = await world.user("bob");
        const stranger = peer.user("stranger");
        const target = path`/_matrix/client/v3/join/${room.roomId}`;
        await ruleJoins(meeting, joinRule);

        const refused = await bob.post(target);
        const forced = await forceJoin(meeting, stranger);
        await offer(meeting, room.build(member(stranger, stranger, "join")));
        await expectMembership(meeting, stranger, undefined);
        await alice.invite(room.roomId, bob);
        await peer.send(room, member(mallory, stranger, "invite"));
        await peer.fence(room, alice);
        const joined = await bob.post(target);
        const forcedAgain = await forceJoin(meeting, stranger);

        expectMatrixError(refused, 403, "M_FORBIDDEN");
        expectMatrixError(forced, REFUSED);
        expectEqual(ok(joined).room_id, room.roomId, "the room that was joined", joined);
        ok(forcedAgain);
        await expectMembership(meeting, stranger, "join");
      }
    }
  },
);

check(
  "FED.auth.join-unknown-rule",
  "the server lets no invited user join under a rule that the version does not know",
  { mutant: JOINS },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      for (const joinRule of ["private", "x.custom"]) {
        const meeting = await meetAsDoorkeeper(world, version);
        const { alice, peer, room, mallory } = meeting;
        const bob = await world.user("bob");
        const invited = peer.user("invited");
        const target = path`/_matrix/client/v3/join/${room.roomId}`;
        await alice.invite(room.roomId, bob);
        await peer.send(room, member(mallory, invited, "invite"));
        await ruleJoins(meeting, joinRule);

        const refused = await bob.post(target);
        const forced = await forceJoin(meeting, invited);
        await offer(meeting, room.build(member(invited, invited, "join")));
        await expectMembership(meeting, invited, "invite");
        await ruleJoins(meeting, "invite");
        const joined = await bob.post(target);

        expectMatrixError(refused, 403, "M_FORBIDDEN");
        expectMatrixError(forced, REFUSED);
        expectEqual(ok(joined).room_id, room.roomId, "the room that was joined", joined);
      }
    }
  },
);
