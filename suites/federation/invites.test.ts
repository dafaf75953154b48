import { path } from "#harness/http/client";
import { at, objectAt } from "#harness/match/json";
import { strippedState } from "#harness/peer/hosting";
import { meet } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { room as roomOf } from "#harness/world/session";
import type { World } from "#harness/world/world";
import type { JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { cutOff, expectRefused, expectSignedBy, impostor, refusesNothing } from "./handshake.ts";
import { expectMembership, keeps, listed, member, topic } from "./rejection.ts";

const INVITE = "/_matrix/federation/v2/invite/**";

function invite(peer: Peer, room: PeerRoom, pdu: Pdu) {
  return peer.client().invite(room.roomId, pdu.id, {
    event: pdu.json,
    room_version: room.version.id,
    invite_room_state: strippedState(room),
  });
}

check(
  "FED.hs.invite-v2",
  "the server returns an invite as it was, with its signature added",
  {
    mutant: [
      altersAnswer(
        "does not sign it",
        { from: "peer-*", path: INVITE },
        { set: { "/event/signatures": {} } },
      ),
      altersAnswer(
        "changes the event",
        { from: "peer-*", path: INVITE },
        { set: { "/event/depth": 77 } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
      const founder = peer.user("founder");
      const room = peer.createRoom({ creator: founder, version });
      const pdu = room.build(member(founder, alice.userId, "invite"));

      const response = await invite(peer, room, pdu);

      const event = objectAt(ok(response), "event") as JsonObject;
      const { signatures: _, unsigned: __, ...rest } = event;
      const { signatures: ___, unsigned: ____, ...sent } = pdu.json;
      expectEqual(rest, sent, "the event without its signatures", response);
      expectEqual(eventId(event, room.version), pdu.id, "its id", response);
      expectEqual(await peer.signatureProblem(room, event), undefined, "what is wrong with ours");
      await expectSignedBy(peer.client(), event, room.version);
    }
  },
);

check(
  "FED.hs.invite-validation",
  "the server signs nothing but invites of its users by users of the caller",
  {
    mutant: [
      refusesNothing("signs whatever it is given", INVITE),
      altersAnswer(
        "refuses an invite and shows it all the same",
        { path: "/_matrix/client/v3/sync" },
        { set: { "/rooms/invite/!wrong:peer": {} } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const [alice, peer, other] = await Promise.all([
        world.user("alice"),
        world.peer(),
        world.peer(),
      ]);
      const founder = peer.user("founder");
      const foreigner = other.user("foreigner");
      const join = { ...member(foreigner, foreigner, "join"), signers: [other.keys] };
      const levels = { invite: 0, state_default: 0 };
      const room = peer.createRoom({ creator: founder, version, powerLevels: levels });
      const rightRoom = peer.createRoom({ creator: founder, version });
      room.add(room.build(join));
      const target = alice.userId;
      const right = member(founder, target, "invite");
      const wrong = {
        "another type": { ...topic(founder, "wrong"), stateKey: target },
        "another membership": member(founder, target, "ban"),
        "a sender of another server": {
          ...member(foreigner, target, "invite"),
          signers: [other.keys],
        },
        "a user of another server": member(founder, "@charlie:other.example", "invite"),
        "a wrong signature": { ...right, signers: [impostor(peer)] },
        "no signature": { ...right, signers: [] },
      };

      for (const [what, draft] of Object.entries(wrong)) {
        const response = await invite(peer, room, room.build(draft));
        expectRefused(response, what);
        expectEqual(at(response.json, "event"), undefined, `an event for ${what}`, response);
      }
      ok(await invite(peer, rightRoom, rightRoom.build(right)));

      const { bodies } = await alice.syncUntil(undefined, "the invite that is right", (body) =>
        roomOf(body, "invite", rightRoom.roomId),
      );
      const shown = bodies.flatMap((body) => Object.keys(at(body, "rooms", "invite") ?? {}));
      expectEqual(shown, [rightRoom.roomId], "the rooms with an invite");
    }
  },
);

const KEEPS_INVITE: readonly Mutant[] = [
  altersAnswer(
    "takes the invite",
    { path: "/_matrix/client/v3/rooms/*/invite" },
    { status: 200, body: {} },
  ),
  keeps("leaves a member event behind", "m.room.member", { membership: "invite" }),
];

async function inviteWhileCut(world: World, kind: "reset" | "gate"): Promise<void> {
  const meeting = await meet(world);
  const { alice, room } = meeting;
  const away = await world.peer();
  const target = away.user("away");
  const cut = await cutOff(world, away, kind);
  const invited = () =>
    alice.post(path`/_matrix/client/v3/rooms/${room.roomId}/invite`, { user_id: target });

  const response = await invited();

  expectThat(response.status >= 400, "an error", `status ${response.status}`, response);
  await expectMembership(meeting, target, undefined);
  await cut.end();
  away.acceptInvites();
  await world.eventually(async () => ok(await invited()));
}

check(
  "FED.hs.invite-while-split",
  "the server fails an invite to a server that it can not reach, and keeps nothing of it",
  { mutant: KEEPS_INVITE },
  (world) => inviteWhileCut(world, "reset"),
);

check(
  "FED.hs.invite-while-split",
  "the server fails an invite to a server that does not answer, and keeps nothing of it",
  { mutant: KEEPS_INVITE },
  (world) => inviteWhileCut(world, "gate"),
);
