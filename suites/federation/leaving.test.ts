import { path } from "#harness/http/client";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import { check, type Mutant } from "#harness/world/check";
import { expectContains, expectEqual, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import { room as roomOf, type Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import type { JsonObject } from "#protocol/events/event";
import { cutOff, expectSignedBy } from "./handshake.ts";
import { listed } from "./rejection.ts";

const SEND_LEAVE = "PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}";

interface Invited {
  readonly alice: Session;
  readonly peer: Peer;
  readonly room: PeerRoom;
  /** The sync token with which alice has seen the invite. */
  readonly since: string;
}

/** A room of the peer that alice has been invited to. */
async function invited(world: World, version: string): Promise<Invited> {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const founder = peer.user("founder");
  const room = peer.createRoom({ creator: founder, version });
  peer.serve(room);
  await peer.invite(room, founder, alice.userId);
  const { since } = await alice.syncUntil(undefined, "the invite", (body) =>
    roomOf(body, "invite", room.roomId),
  );
  return { alice, peer, room, since };
}

async function expectInviteGone({ alice, room, since }: Invited): Promise<void> {
  await alice.syncUntil(since, "the room among those that were left", (body) =>
    roomOf(body, "leave", room.roomId),
  );
  const body = await alice.sync();
  expectEqual(roomOf(body, "invite", room.roomId), undefined, "the invite in a first /sync");
}

const KEEPS_INVITE: Mutant = altersAnswer(
  "keeps showing the invite",
  { path: "/_matrix/client/v3/sync" },
  { replace: [['"leave":{', '"invite":{']] },
);

check(
  "FED.hs.leave",
  "the server declines a remote invite by make_leave and send_leave",
  {
    mutant: [
      KEEPS_INVITE,
      claims(
        "drops the invite without telling",
        { to: "peer-*", path: "/_matrix/federation/v2/send_leave/**" },
        {},
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const invitation = await invited(world, version);
      const { alice, peer, room } = invitation;

      ok(await alice.post(path`/_matrix/client/v3/rooms/${room.roomId}/leave`));
      const { json } = await peer.waitForRequest(SEND_LEAVE);

      const leave = json as JsonObject;
      expectContains(
        leave,
        {
          type: "m.room.member",
          sender: alice.userId,
          state_key: alice.userId,
          content: { membership: "leave" },
        },
        "the event of send_leave",
      );
      await expectSignedBy(peer.client(), leave, room.version);
      // The peer takes only what the rules allow and what is signed.
      await world.eventually(() =>
        expectEqual(room.membershipOf(alice.userId), "leave", "the membership in the room"),
      );
      await expectInviteGone(invitation);
    }
  },
);

check(
  "FED.hs.leave-unreachable",
  "the server lets a user decline an invite of a server that it can not reach",
  {
    mutant: [
      KEEPS_INVITE,
      altersAnswer(
        "fails with the other server",
        { path: "/_matrix/client/v3/rooms/*/leave" },
        { status: 502, body: { errcode: "M_UNKNOWN", error: "" } },
      ),
    ],
  },
  async (world) => {
    const [version = "10"] = listed(world, "12", "10");
    const invitation = await invited(world, version);
    const { alice, peer, room } = invitation;
    const cut = await cutOff(world, peer);

    const response = await alice.post(path`/_matrix/client/v3/rooms/${room.roomId}/leave`);

    expectStatus(response, 200);
    await expectInviteGone(invitation);
    expectEqual(room.membershipOf(alice.userId), "invite", "what the other server knows");
    await cut.end();
  },
);
