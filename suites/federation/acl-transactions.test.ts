import { at, eventsAt, objectAt } from "#harness/match/json";
import { expectUnknown, type Meeting, meet, message, SEND } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, refuses } from "#harness/world/mutants";
import { allow, deny } from "./acl.ts";

const SYNC = { path: "/_matrix/client/v3/sync" };

/** Two rooms of the server under test with the same user of the peer, of which the first denies the peer. */
async function meetTwice(meeting: Meeting): Promise<{ denied: Meeting; open: Meeting }> {
  const { alice, peer, mallory } = meeting;
  const roomId = await alice.createRoom({ preset: "public_chat" });
  const room = await peer.join(roomId, mallory, { via: alice.server.serverName });
  await deny(meeting);
  return { denied: meeting, open: { ...meeting, room } };
}

check(
  "FED.hs.acl-pdu",
  "the server ignores the PDU for a room that denies the sender, and says so, but not the one beside it",
  {
    mutant: [
      altersAnswer("does not say so", { from: "peer-*", path: SEND }, { set: { "/pdus": {} } }),
      refuses(
        "refuses the transaction",
        { from: "peer-*", path: SEND, contains: "denied" },
        403,
        "M_FORBIDDEN",
      ),
    ],
  },
  async (world) => {
    const { denied, open } = await meetTwice(await meet(world));
    const { alice, peer, mallory } = denied;
    const ignored = denied.room.build(message(mallory, "denied"));
    const { pdu: taken } = open.room.add(open.room.build(message(mallory, "taken")));

    const response = await peer.client(alice.server.serverName).send([ignored, taken]);

    const results = objectAt(ok(response), "pdus");
    const error = at(results, ignored.id, "error");
    expectThat(typeof error === "string", `an error for ${ignored.id}`, results, response);
    await alice.syncUntilEvent(undefined, open.room.roomId, taken.id);
    await allow(denied);
    await peer.fence(denied.room, alice);
    await expectUnknown(alice, denied.room, ignored.id);
  },
);

/** Typing and a receipt of a user, for the last message of alice. */
function ephemera({ room, mallory }: Meeting, eventId: string) {
  const receipt = { data: { ts: Date.now() }, event_ids: [eventId] };
  return {
    typing: {
      edu_type: "m.typing",
      content: { room_id: room.roomId, user_id: mallory, typing: true },
    },
    receipts: { [room.roomId]: { "m.read": { [mallory]: receipt } } },
  };
}

/** Types of what a /sync shows of others in a room besides events: `m.typing`, `m.receipt`. */
function shownOf(body: unknown, { alice, room }: Meeting): readonly string[] {
  return eventsAt(body, "rooms", "join", room.roomId, "ephemeral", "events")
    .filter(({ content }) =>
      (JSON.stringify(content).match(/@[^"]+/g) ?? []).some((user) => user !== alice.userId),
    )
    .map(({ type }) => type);
}

const FORGED = [
  { type: "m.typing", content: { user_ids: ["@forged:peer"] } },
  { type: "m.receipt", content: { $event: { "m.read": { "@forged:peer": { ts: 1 } } } } },
];

check(
  "FED.hs.acl-edu",
  "the server ignores typing and receipts for a room that denies the sender, but not those beside them",
  {
    mutant: [
      altersAnswer("shows them", SYNC, { set: { "/rooms/join/*/ephemeral": { events: FORGED } } }),
      altersAnswer("drops both", SYNC, { remove: ["/rooms/join/*/ephemeral"] }),
    ],
  },
  async (world) => {
    const { denied, open } = await meetTwice(await meet(world));
    const { alice, peer } = denied;
    const ignored = ephemera(denied, await alice.send(denied.room.roomId, "to be read"));
    const taken = ephemera(open, await alice.send(open.room.roomId, "to be read"));
    const receipts = { ...ignored.receipts, ...taken.receipts };
    const client = peer.client(alice.server.serverName);

    ok(
      await client.send(
        [],
        [ignored.typing, taken.typing, { edu_type: "m.receipt", content: receipts }],
      ),
    );

    const seen = new Set<string>();
    const { bodies, since } = await alice.syncUntil(undefined, "what is allowed", (body) => {
      for (const type of shownOf(body, open)) seen.add(type);
      return seen.size === 2 ? seen : undefined;
    });
    expectEqual(
      bodies.flatMap((body) => shownOf(body, denied)),
      [],
      "what the denied room shows",
    );
    await allow(denied);
    ok(
      await client.send([], [ignored.typing, { edu_type: "m.receipt", content: ignored.receipts }]),
    );
    await alice.syncUntil(since, "what is allowed now", (body) =>
      shownOf(body, denied).length > 0 ? true : undefined,
    );
  },
);
