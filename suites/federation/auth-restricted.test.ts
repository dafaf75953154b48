import { path } from "#harness/http/client";
import { type Meeting, meet } from "#harness/peer/meeting";
import type { Peer } from "#harness/peer/peer";
import type { Draft } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import {
  agrees,
  expectMembership,
  forceJoin,
  keeps,
  listed,
  meetAsDoorkeeper,
  member,
  offer,
  peerUsers,
  putLevels,
  ruleJoins,
} from "./rejection.ts";

const MEMBER = "m.room.member";
const SEND_JOIN = "/_matrix/federation/v2/send_join/**";
const REFUSED = [400, 403];
const JOINS = keeps("shows the user as joined", MEMBER, { membership: "join" });
const LEAVES = keeps("keeps the user out", MEMBER, { membership: "leave" });

/** A member event for which this user is to vouch. */
function vouched(userId: string, voucher: string, membership = "join"): Draft {
  const content = { membership, join_authorised_via_users_server: voucher };
  return { ...member(userId, userId, membership), content };
}

/** A second peer, whose user has joined the room, and the first peer knows. */
async function meetThird(
  world: World,
  { alice, peer, room }: Meeting,
): Promise<{ readonly other: Peer; readonly voucher: string }> {
  const other = await world.peer();
  const voucher = other.user("voucher");
  await other.join(room.roomId, voucher, { via: alice.server.serverName });
  await peer.waitForPdu(room, "the join", ({ json }) => json.state_key === voucher);
  return { other, voucher };
}

check(
  "FED.auth.join-restricted-authorised",
  "the server lets a user join under the rule restricted only if a member who may invite vouches for it",
  { mutant: [JOINS, LEAVES, agrees("lets anybody join by send_join", SEND_JOIN)] },
  async (world) => {
    for (const version of listed(world, "8", "12")) {
      const meeting = await meetAsDoorkeeper(world, version, { invite: 50 });
      const { alice, peer, room, mallory } = meeting;
      const [powerless, absent] = [peer.user("powerless"), peer.user("absent")];
      await peer.join(room.roomId, powerless, { via: alice.server.serverName });
      const [bob, carol] = await world.users("bob", "carol");
      await bob.join(room.roomId);
      const { other, voucher } = await meetThird(world, meeting);
      const able = [mallory, absent, voucher, carol.userId];
      await putLevels(meeting, { users: Object.fromEntries(able.map((user) => [user, 50])) });
      const allowed = await alice.createRoom({ preset: "public_chat" });
      await ruleJoins(meeting, "restricted", [allowed]);
      // Its own users, too: for them the server itself would sign.
      const vouchers = [undefined, powerless, absent, voucher, bob.userId, carol.userId];
      const wrong = vouchers.map((named) => {
        const stranger = peer.user("stranger");
        return named === undefined ? member(stranger, stranger, "join") : vouched(stranger, named);
      });
      const [invited, right, asked] = peerUsers(peer, "invited", "right", "asked");
      for (const user of [...wrong.map(({ sender }) => sender), asked]) {
        await peer.join(allowed, user, { via: alice.server.serverName });
      }

      for (const draft of wrong) {
        expectMatrixError(await forceJoin(meeting, draft.sender, draft), REFUSED);
      }
      await offer(meeting, ...wrong.map((draft) => room.build(draft)));
      await peer.send(room, member(mallory, invited, "invite"));
      await peer.fence(room, alice);
      ok(await forceJoin(meeting, invited));
      ok(await forceJoin(meeting, asked, vouched(asked, alice.userId)));
      await peer.send(room, { ...vouched(right, voucher), signers: [peer.keys, other.keys] });
      await peer.fence(room, alice, { sender: mallory });

      for (const { sender } of wrong) await expectMembership(meeting, sender, undefined);
      for (const user of [invited, asked, right]) await expectMembership(meeting, user, "join");
    }
  },
);

check(
  "FED.auth.join-restricted-before-v8",
  "the server lets nobody join under the rule restricted in version 7, unlike in version 8",
  {
    mutant: [
      JOINS,
      LEAVES,
      agrees("lets its own user join in version 7", "/_matrix/client/v3/join/*"),
    ],
  },
  async (world) => {
    for (const version of listed(world, "7", "8")) {
      const meeting = await meetAsDoorkeeper(world, version);
      const { alice, peer, room, mallory } = meeting;
      const bob = await world.user("bob");
      const stranger = peer.user("stranger");
      const allowed = await bob.createRoom({ preset: "public_chat" });
      await alice.join(allowed);
      await ruleJoins(meeting, "restricted", [allowed]);
      const forced =
        version === "7"
          ? await forceJoin(meeting, stranger, vouched(stranger, mallory))
          : undefined;

      const response = await bob.post(path`/_matrix/client/v3/join/${room.roomId}`);
      await offer(meeting, room.build(vouched(stranger, mallory)));

      if (forced === undefined) {
        expectEqual(ok(response).room_id, room.roomId, "the room that was joined", response);
      } else {
        expectMatrixError(response, 403);
        expectMatrixError(forced, REFUSED);
      }
      const expected = forced === undefined ? "join" : undefined;
      await expectMembership(meeting, stranger, expected);
      await expectMembership(meeting, bob.userId, expected);
    }
  },
);

check(
  "FED.auth.authorised-signature",
  "the server rejects a join of version 8 or later that names a voucher whose server did not sign",
  { mutant: [JOINS, LEAVES] },
  async (world) => {
    for (const version of listed(world, "7", "8", "12")) {
      const meeting = await meet(world, { version });
      const { peer, room } = meeting;
      const { other, voucher } = await meetThird(world, meeting);
      const [unsigned, signed] = [peer.user("unsigned"), peer.user("signed")];

      await offer(
        meeting,
        room.build(vouched(unsigned, voucher)),
        room.build({ ...vouched(signed, voucher), signers: [peer.keys, other.keys] }),
      );

      await expectMembership(meeting, unsigned, version === "7" ? "join" : undefined);
      await expectMembership(meeting, signed, "join");
    }
  },
);

check(
  "FED.auth.authorised-signature",
  "the server rejects a leave and an invite that name a voucher whose server did not sign",
  { mutant: LEAVES },
  async (world) => {
    for (const version of listed(world, "8", "12")) {
      const meeting = await meetAsDoorkeeper(world, version);
      const { alice, peer, room, mallory } = meeting;
      const { voucher } = await meetThird(world, meeting);
      const [goer, target] = [peer.user("goer"), peer.user("target")];
      await peer.join(room.roomId, goer, { via: alice.server.serverName });

      await offer(
        meeting,
        room.build(vouched(goer, voucher, "leave")),
        room.build({ ...vouched(target, voucher, "invite"), sender: mallory }),
      );

      await expectMembership(meeting, goer, "join");
      await expectMembership(meeting, target, undefined);
    }
  },
);
