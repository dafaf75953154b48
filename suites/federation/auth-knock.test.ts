import { path } from "#harness/http/client";
import type { Meeting } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { refuses } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import {
  agrees,
  ban,
  expectMembership,
  keeps,
  listed,
  meetAsDoorkeeper,
  member,
  offer,
  peerUsers,
  ruleJoins,
} from "./rejection.ts";

const KNOCK = "/_matrix/client/v3/knock/*";
const SEND_KNOCK = "/_matrix/federation/v1/send_knock/**";
const MEMBER = "m.room.member";
const REFUSED = [400, 403];

const KNOCKS = [
  agrees("lets its own users knock", KNOCK),
  agrees("lets users of the peer knock", SEND_KNOCK),
  keeps("keeps knocks", MEMBER, { membership: "knock" }),
  refuses("lets nobody knock", { path: KNOCK }, 403, "M_FORBIDDEN"),
];

function knock(session: Session, { room }: Meeting) {
  return session.post(path`/_matrix/client/v3/knock/${room.roomId}`);
}

/** A knock by send_knock that was not asked for first. */
function forceKnock({ alice, peer, room }: Meeting, userId: string) {
  const pdu = room.build(member(userId, userId, "knock"));
  return peer.client(alice.server.serverName).sendKnock(room.roomId, pdu);
}

check(
  "FED.auth.knock",
  "the server lets users knock for themselves, where one knocks, unless they are banned, invited or joined",
  { mutant: KNOCKS },
  async (world) => {
    for (const version of listed(world, "7", "12")) {
      const meeting = await meetAsDoorkeeper(world, version);
      const { alice, peer, room, mallory } = meeting;
      const [bob, banned, invited, joined] = await world.users(
        "bob",
        "banned",
        "invited",
        "joined",
      );
      const [stranger, other] = peerUsers(peer, "stranger", "other");
      await joined.join(room.roomId);
      await alice.invite(room.roomId, invited);
      await alice.ban(room.roomId, banned);

      const underPublic = await knock(bob, meeting);
      const forced = await forceKnock(meeting, stranger);
      await ruleJoins(meeting, "knock");
      const refused = [];
      for (const user of [banned, invited, joined]) refused.push(await knock(user, meeting));
      const taken = await knock(bob, meeting);
      const forcedAgain = await forceKnock(meeting, stranger);
      await offer(meeting, room.build(member(mallory, other, "knock")));

      for (const response of [underPublic, ...refused]) expectMatrixError(response, 403);
      expectMatrixError(forced, REFUSED);
      expectEqual(ok(taken).room_id, room.roomId, "the room of the knock", taken);
      ok(forcedAgain);
      await expectMembership(meeting, bob.userId, "knock");
      await expectMembership(meeting, stranger, "knock");
      await expectMembership(meeting, other, undefined);
    }
  },
);

check(
  "FED.auth.knock",
  "the server rejects knocks of banned, invited and joined users of other servers",
  { mutant: [agrees("lets users of the peer knock", SEND_KNOCK), ...KNOCKS.slice(2, 3)] },
  async (world) => {
    for (const version of listed(world, "7", "12")) {
      const meeting = await meetAsDoorkeeper(world, version);
      const { peer, room, mallory } = meeting;
      const [banned, invited] = peerUsers(peer, "banned", "invited");
      await ban(meeting, banned);
      await peer.send(room, member(mallory, invited, "invite"));
      await ruleJoins(meeting, "knock");

      const knockers = [banned, invited, mallory];
      const responses = [];
      for (const user of knockers) responses.push(await forceKnock(meeting, user));
      await offer(meeting, ...knockers.map((user) => room.build(member(user, user, "knock"))));

      for (const response of responses) expectMatrixError(response, REFUSED);
      await expectMembership(meeting, banned, "ban");
      await expectMembership(meeting, invited, "invite");
      await expectMembership(meeting, mallory, "join");
    }
  },
);

check(
  "FED.auth.knock-restricted-before-v10",
  "the server takes neither knocks nor restricted joins under knock_restricted before version 10",
  { mutant: [...KNOCKS, agrees("lets its own users join", "/_matrix/client/v3/join/*")] },
  async (world) => {
    for (const version of listed(world, "8", "9", "10")) {
      const meeting = await meetAsDoorkeeper(world, version);
      const { alice, peer, room } = meeting;
      const [bob, carol] = await world.users("bob", "carol");
      const stranger = peer.user("stranger");
      const allowed = await bob.createRoom({ preset: "public_chat" });
      await alice.join(allowed);
      await ruleJoins(meeting, "knock_restricted", [allowed]);

      const joined = await bob.post(path`/_matrix/client/v3/join/${room.roomId}`);
      const knocked = await knock(carol, meeting);
      const forced = await forceKnock(meeting, stranger);

      if (version === "10") {
        for (const response of [joined, knocked]) {
          expectEqual(ok(response).room_id, room.roomId, "the room", response);
        }
        ok(forced);
      } else {
        for (const response of [joined, knocked]) expectMatrixError(response, 403);
        expectMatrixError(forced, REFUSED);
      }
      const kept = version === "10" ? "knock" : undefined;
      await expectMembership(meeting, stranger, kept);
      await expectMembership(meeting, carol.userId, kept);
    }
  },
);
