import { path } from "#harness/http/client";
import { at, objectAt } from "#harness/match/json";
import { type Meeting, meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { JsonObject } from "#protocol/events/event";
import { MAKE_JOIN, refusesAs, refusesNothing, SEND_JOIN } from "./handshake.ts";
import { expectMembership, listed, member, topic } from "./rejection.ts";

/** Rooms whose members may join. */
async function restrict({ alice, peer, room }: Meeting, allow: unknown): Promise<void> {
  const content = { join_rule: "restricted", allow };
  const id = await alice.setState(room.roomId, "m.room.join_rules", content);
  await peer.waitForPdu(room, "the join rules", (pdu) => pdu.id === id);
}

function membersOf(...rooms: readonly string[]) {
  return rooms.map((room_id) => ({ type: "m.room_membership", room_id }));
}

check(
  "FED.hs.restricted-conditions",
  "the server vouches for members of an allowed room, and for nobody else",
  {
    mutant: [
      refusesNothing("vouches for everybody", MAKE_JOIN),
      refusesNothing("vouches for who does not ask", SEND_JOIN),
      refusesAs("says that others could know", MAKE_JOIN, 403, 400, "M_UNABLE_TO_AUTHORISE_JOIN"),
      altersAnswer(
        "does not vouch for its template",
        { from: "peer-*", path: MAKE_JOIN, status: 200 },
        { remove: ["/event/content/join_authorised_via_users_server"] },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room } = meeting;
      const [insider, outsider] = [peer.user("insider"), peer.user("outsider")];
      const allowed = await alice.createRoom({ preset: "public_chat" });
      await restrict(meeting, membersOf(allowed));
      await peer.join(allowed, insider);

      const forInsider = await peer.client().makeJoin(room.roomId, insider);
      const forOutsider = await peer.client().makeJoin(room.roomId, outsider);
      // Who does not ask may not join either, with the user who would have vouched.
      const join = room.build({
        ...member(outsider, outsider, "join"),
        content: { membership: "join", join_authorised_via_users_server: alice.userId },
      });
      const unasked = await peer.client().sendJoin(room.roomId, join);

      const content = objectAt(ok(forInsider), "event", "content");
      expectEqual(
        content.join_authorised_via_users_server,
        alice.userId,
        "who vouches",
        forInsider,
      );
      expectMatrixError(forOutsider, 403, "M_FORBIDDEN");
      expectMatrixError(unasked, 403, "M_FORBIDDEN");
      await expectMembership(meeting, outsider, undefined);
    }
  },
);

check(
  "FED.hs.restricted-conditions",
  "the server lets nobody in by conditions that fit no schema",
  {
    mutant: [
      refusesNothing("takes a broken condition for one that holds", MAKE_JOIN),
      refusesAs("says that others could know", MAKE_JOIN, 403, 400, "M_UNABLE_TO_AUTHORISE_JOIN"),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room } = meeting;
      const insider = peer.user("insider");
      const allowed = await alice.createRoom({ preset: "public_chat" });
      await peer.join(allowed, insider);
      const broken: readonly unknown[] = [
        [],
        allowed,
        [allowed],
        [{ type: "m.room_membership" }],
        [{ type: "m.room_membership", room_id: 1 }],
      ];

      for (const allow of broken) {
        await restrict(meeting, allow);
        const response = await peer.client().makeJoin(room.roomId, insider);
        expectMatrixError(response, 403, "M_FORBIDDEN");
      }
      // A condition of a type that the server does not know is one that others may be able to check.
      const unknown = { type: "org.matrix-crucible.unknown", room_id: allowed };
      await restrict(meeting, [unknown]);
      const response = await peer.client().makeJoin(room.roomId, insider);
      expectMatrixError(response, [403, 400], ["M_FORBIDDEN", "M_UNABLE_TO_AUTHORISE_JOIN"]);
      await restrict(meeting, [unknown, ...membersOf(allowed)]);
      ok(await peer.client().makeJoin(room.roomId, insider));
    }
  },
);

check(
  "FED.hs.restricted-conditions",
  "the server says when it does not know the allowed rooms",
  {
    mutant: refusesAs("forbids what others could allow", MAKE_JOIN, 400, 403, "M_FORBIDDEN"),
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { peer, room } = meeting;
      await restrict(meeting, membersOf(`!unknown:${peer.serverName}`));

      const response = await peer.client().makeJoin(room.roomId, peer.user("somebody"));

      expectMatrixError(response, 400, "M_UNABLE_TO_AUTHORISE_JOIN");
    }
  },
);

check(
  "FED.hs.restricted-conditions",
  "the server says when none of its users may vouch",
  {
    mutant: refusesAs("forbids what others could allow", MAKE_JOIN, 400, 403, "M_FORBIDDEN"),
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
      const [founder, insider] = [peer.user("founder"), peer.user("insider")];
      const allowed = await alice.createRoom({ preset: "public_chat" });
      await peer.join(allowed, insider);
      const room = peer.createRoom({ creator: founder, version, powerLevels: { invite: 50 } });
      peer.serve(room);
      ok(await alice.post(`/_matrix/client/v3/join/${room.roomId}`, {}, { via: peer.serverName }));
      await peer.send(room, {
        type: "m.room.join_rules",
        stateKey: "",
        sender: founder,
        content: { join_rule: "restricted", allow: membersOf(allowed) } as JsonObject,
      });
      await peer.fence(room, alice);

      const response = await peer.client().makeJoin(room.roomId, insider);

      expectMatrixError(response, 400, "M_UNABLE_TO_GRANT_JOIN");
    }
  },
);

check(
  "FED.hs.send-join-event",
  "the server signs the restricted join that it vouches for, and shares it so",
  {
    mutant: [
      altersAnswer("returns no event", { from: "peer-*", path: SEND_JOIN }, { remove: ["/event"] }),
      altersAnswer(
        "does not sign it",
        { from: "peer-*", path: SEND_JOIN },
        { set: { "/event/signatures": {} } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      // The peer of the meeting is the third server, that of the newcomer another one.
      const meeting = await meet(world, { version });
      const { alice, peer: witness, room } = meeting;
      const newcomer = await world.peer();
      const insider = newcomer.user("insider");
      const allowed = await alice.createRoom({ preset: "public_chat" });
      await newcomer.join(allowed, insider);
      await restrict(meeting, membersOf(allowed));
      const { pdu } = await newcomer.prepare("join", room.roomId, insider);

      const response = await newcomer.client().sendJoin(room.roomId, pdu);
      const { pdu: shared, problem } = await witness.waitForPdu(
        room,
        "the join",
        ({ id }) => id === pdu.id,
      );

      const returned = objectAt(ok(response), "event") as JsonObject;
      const signers = new Set([alice.server.serverName, newcomer.serverName]);
      for (const event of [returned, shared.json]) {
        expectEqual(new Set(Object.keys(objectAt(event, "signatures"))), signers, "the signers");
        expectEqual(
          await witness.signatureProblem(room, event),
          undefined,
          "what is wrong with them",
        );
      }
      expectEqual(problem, undefined, "why the third server does not take it");
      expectThat(
        room.membershipOf(insider) === "join",
        "the insider joined there",
        at(shared.json, "content"),
      );
    }
  },
);

check(
  "FED.hs.restricted-odd-state",
  "the server has users join through a resident, whatever it has rejected of the room's state",
  {
    mutant: altersAnswer(
      "lets only the first one in",
      { path: "/_matrix/client/v3/join/*", contains: '"second"' },
      { status: 500, body: { errcode: "M_UNKNOWN", error: "" } },
    ),
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const [alice, bob, peer] = await Promise.all([
        world.user("alice"),
        world.user("bob"),
        world.peer(),
      ]);
      const [founder, mallory] = [peer.user("founder"), peer.user("mallory")];
      const allowed = await alice.createRoom({ preset: "public_chat" });
      await bob.join(allowed);
      const room = peer.createRoom({
        creator: founder,
        version,
        powerLevels: { invite: 50, state_default: 50 },
        events: [member(mallory, mallory, "join")],
      });
      // The peer takes it for right, so it is in the state that others get.
      room.add(room.build(topic(mallory, "rejected")), { isRejected: false });
      const content = { join_rule: "restricted", allow: membersOf(allowed) } as JsonObject;
      room.add(room.build({ type: "m.room.join_rules", stateKey: "", sender: founder, content }));
      peer.serve(room);
      const via = { server_name: peer.serverName, via: peer.serverName };
      const target = path`/_matrix/client/v3/join/${room.roomId}`;

      const first = await alice.post(target, {}, via);
      const second = await bob.post(target, { reason: "second" }, via);

      expectEqual(ok(first).room_id, room.roomId, "the room that alice joined", first);
      expectEqual(ok(second).room_id, room.roomId, "the room that bob joined", second);
      expectEqual(room.membershipOf(bob.userId), "join", `bob at the peer in version ${version}`);
    }
  },
);
