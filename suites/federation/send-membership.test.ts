import type { HttpResponse } from "#harness/http/client";
import { type Meeting, meet } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import { stateShown } from "#harness/peer/room-state";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import { expectRefused, impostor, refusesNothing, SEND_JOIN } from "./handshake.ts";
import { expectMembership, listed, member, topic } from "./rejection.ts";

type Membership = "join" | "leave" | "knock";

const SEND_LEAVE = "/_matrix/federation/v2/send_leave/**";
const SEND_KNOCK = "/_matrix/federation/v1/send_knock/**";
const CHANGES_STATE: Mutant = {
  name: "refuses the event and takes it all the same",
  rules: [
    {
      match: { path: "/_matrix/client/v3/rooms/*/state" },
      phase: "processed",
      action: { kind: "rewrite", remove: ["/0"] },
      // The state before it, so that it is another one afterwards.
      times: 1,
    },
  ],
};

interface Misfit {
  readonly what: string;
  readonly pdu: Pdu;
}

/** What an endpoint for one kind of membership has to refuse. Where the rules have it so, the event is right in itself. */
async function misfits(meeting: Meeting, world: World, membership: Membership): Promise<Misfit[]> {
  const { alice, peer, room, mallory } = meeting;
  const via = alice.server.serverName;
  const other = await world.peer();
  const foreigner = other.user("foreigner");
  const stranger = peer.user("stranger");
  const subject = membership === "leave" ? mallory : stranger;
  if (membership === "leave") {
    await peer.join(room.roomId, stranger, { via });
    await other.join(room.roomId, foreigner, { via });
    await peer.waitForPdu(room, "the join", ({ json }) => json.state_key === foreigner);
  }
  const elsewhereId = await alice.createRoom({
    preset: "public_chat",
    room_version: room.version.id,
  });
  const elsewhere = await peer.join(elsewhereId, mallory, { via });
  const right = member(subject, subject, membership);
  return [
    { what: "another type", pdu: room.build(topic(mallory, "wrong")) },
    {
      what: "another membership",
      pdu: room.build(member(mallory, mallory, membership === "leave" ? "join" : "leave")),
    },
    {
      what: "a sender of another server",
      pdu: room.build({ ...member(foreigner, foreigner, membership), signers: [other.keys] }),
    },
    { what: "another state key", pdu: room.build(member(mallory, stranger, membership)) },
    { what: "a wrong signature", pdu: room.build({ ...right, signers: [impostor(peer)] }) },
    { what: "no signature", pdu: room.build({ ...right, signers: [] }) },
    { what: "another room", pdu: elsewhere.build(right) },
  ];
}

/** Offers what does not fit and then, to the same endpoint, what does. */
async function offerMisfits(
  world: World,
  version: string,
  membership: Membership,
  send: (meeting: Meeting, pdu: Pdu) => Promise<HttpResponse>,
): Promise<void> {
  const meeting = await meet(world, {
    version,
    creation: { power_level_content_override: { state_default: 0, kick: 0 } },
  });
  const { alice, peer, room, mallory } = meeting;
  if (membership === "knock") {
    const id = await alice.setState(room.roomId, "m.room.join_rules", { join_rule: "knock" });
    await peer.waitForPdu(room, "the join rules", (pdu) => pdu.id === id);
  }
  const wrong = await misfits(meeting, world, membership);
  const before = await stateShown(alice, room.roomId);

  for (const { what, pdu } of wrong) expectRefused(await send(meeting, pdu), what);
  await peer.fence(room, alice);
  const after = await stateShown(alice, room.roomId);
  const subject = membership === "leave" ? mallory : peer.user("newcomer");
  const right = room.build(member(subject, subject, membership));
  const response = await send(meeting, right);

  expectEqual(after, before, "the state after what was refused");
  ok(response);
  await expectMembership(meeting, subject, membership);
}

check(
  "FED.hs.send-join-mismatch",
  "the server takes nothing but a user's own join by send_join",
  { mutant: [refusesNothing("signs whatever it is given", SEND_JOIN), CHANGES_STATE] },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      await offerMisfits(world, version, "join", ({ peer, room }, pdu) =>
        peer.client().sendJoin(room.roomId, pdu),
      );
    }
  },
);

check(
  "FED.hs.send-leave-mismatch",
  "the server takes nothing but a user's own leave by send_leave",
  { mutant: [refusesNothing("takes whatever it is given", SEND_LEAVE), CHANGES_STATE] },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      await offerMisfits(world, version, "leave", ({ peer, room }, pdu) =>
        peer.client().sendLeave(room.roomId, pdu),
      );
    }
  },
);

check(
  "FED.hs.send-leave-mismatch",
  "the server takes nothing but a user's own knock by send_knock",
  { mutant: [refusesNothing("takes whatever it is given", SEND_KNOCK), CHANGES_STATE] },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      await offerMisfits(world, version, "knock", ({ peer, room }, pdu) =>
        peer.client().sendKnock(room.roomId, pdu),
      );
    }
  },
);
