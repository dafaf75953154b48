import { path } from "#harness/http/client";
import { isObject } from "#harness/match/json";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { room as roomOf, type Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { eventId } from "#protocol/events/hashes";
import { cutOff, expectSignedBy } from "./handshake.ts";
import { listed } from "./rejection.ts";

const SEND_LEAVE = "PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}";

interface Invited {
  readonly alice: Session;
  readonly peer: Peer;
  readonly room: PeerRoom;
}

/** A room of the peer that alice has been invited to, and sees as such. */
async function invited(world: World, version: string): Promise<Invited> {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const founder = peer.user("founder");
  const room = peer.createRoom({ creator: founder, version });
  peer.serve(room);
  await peer.invite(room, founder, alice.userId);
  await alice.syncUntil(undefined, "the invite", (body) => roomOf(body, "invite", room.roomId));
  return { alice, peer, room };
}

async function expectInviteGone(alice: Session, roomId: string): Promise<void> {
  const body = await alice.sync();
  expectEqual(roomOf(body, "invite", roomId), undefined, "the invite in /sync");
}

const KEEPS_INVITE = {
  name: "keeps showing the invite",
  rules: [
    {
      match: { path: "/_matrix/client/v3/sync" },
      phase: "processed" as const,
      action: { kind: "rewrite" as const, replace: [['"leave"', '"invite"']] as const },
    },
  ],
};
