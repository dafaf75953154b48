import { path } from "#harness/http/client";
import { eventsAt } from "#harness/match/json";
import { EVENT, expectUnknown, meet, message, SEND } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, expectThat } from "#harness/world/expect";
import { altersAnswer, refuses } from "#harness/world/mutants";
import { SHOWS_TWO, toDevice, toDeviceUntil } from "./to-device.ts";

/** What a transaction above the limits is answered: the text names no status. */
const REFUSED = [400, 403, 413];

const TAKES_ANY_SIZE = {
  name: "takes a transaction of any size",
  rules: [
    {
      match: { from: "peer-*", path: SEND, status: REFUSED },
      phase: "processed" as const,
      action: { kind: "rewrite" as const, status: 200, body: { pdus: {} } },
    },
  ],
};

check(
  "FED.txn.idempotent",
  "the server takes a transaction once that comes three times",
  {
    mutant: [
      SHOWS_TWO,
      altersAnswer(
        "refuses the repetition",
        { from: "peer-*", path: SEND, contains: "once" },
        { status: 400 },
      ),
    ],
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const client = peer.client(alice.server.serverName);
    const { pdu } = room.add(room.build(message(mallory, "once")));
    const target = path`/_matrix/federation/v1/send/${world.name("txn")}`;
    const body = {
      origin: peer.serverName,
      origin_server_ts: Date.now(),
      pdus: [pdu.json],
      edus: [toDevice(mallory, alice.userId, alice.deviceId, "once")],
    };

    const responses = await Promise.all([client.put(target, body), client.put(target, body)]);
    responses.push(await client.put(target, body));
    await client.send([], [toDevice(mallory, alice.userId, alice.deviceId, "last")]);
    // Before the fence, whose syncs would take the messages away.
    const texts = await toDeviceUntil(alice, "last");
    await peer.fence(room, alice);

    for (const response of responses) expectStatus(response, 200);
    expectEqual(texts, ["once", "last"], "the to-device messages");
    const page = await alice.get(path`/_matrix/client/v3/rooms/${room.roomId}/messages`, {
      dir: "b",
      limit: 50,
    });
    const seen = eventsAt(page.json, "chunk").filter(({ event_id }) => event_id === pdu.id);
    expectEqual(seen.length, 1, "how often the message is in the timeline");
  },
);

check(
  "FED.txn.partial-failure",
  "the server takes a good PDU out of a transaction with bad ones",
  {
    mutant: [
      refuses("refuses the whole transaction", { from: "peer-*", path: SEND }, 400, "M_BAD_JSON"),
      refuses("loses the good PDU", { path: EVENT }, 404, "M_NOT_FOUND"),
    ],
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const forged = room.build({ ...message(mallory, "forged"), signers: [] });
    const elsewhere = room.build({
      ...message(mallory, "elsewhere"),
      roomId: `!${world.name("unknown")}:${peer.serverName}`,
    });
    const { pdu: good } = room.add(room.build(message(mallory, "good")));

    const client = peer.client(alice.server.serverName);
    const response = await client.send([forged, {}, elsewhere, good]);
    await peer.fence(room, alice);

    expectStatus(response, 200);
    const event = await alice.event(room.roomId, good.id);
    expectEqual(event.content.body, "good", "the body of the good message");
    await expectUnknown(alice, room, forged.id);
  },
);

check(
  "FED.txn.edu-unknown",
  "the server takes the PDU beside an EDU of an unknown type",
  {
    mutant: refuses(
      "refuses what it does not know",
      { from: "peer-*", path: SEND, contains: "x.unknown" },
      400,
      "M_UNRECOGNIZED",
    ),
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const { pdu } = room.add(room.build(message(mallory, "beside it")));
    const unknown = { edu_type: "x.unknown", content: { any: ["thing", 1, null] } };

    const response = await peer.client(alice.server.serverName).send([pdu], [unknown]);
    await peer.fence(room, alice);

    expectStatus(response, 200);
    const event = await alice.event(room.roomId, pdu.id);
    expectEqual(event.content.body, "beside it", "the body of the message");
  },
);

check(
  "FED.txn.limits",
  "the server refuses a transaction of 51 PDUs, and takes one of 50 of them",
  { mutant: TAKES_ANY_SIZE },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const client = peer.client(alice.server.serverName);
    const { extremities } = room;
    const chain = Array.from({ length: 51 }, (_, index) => {
      const { pdu } = room.add(room.build(message(mallory, `${index}`)));
      return pdu;
    });
    room.extremities = extremities;

    const refused = await client.send(chain);
    await peer.fence(room, alice);
    const [first, fiftieth] = [chain[0], chain[49]];

    expectStatus(refused, REFUSED);
    await expectUnknown(alice, room, first?.id ?? "");
    expectStatus(await client.send(chain.slice(0, 50)), 200);
    await world.eventually(() => alice.event(room.roomId, fiftieth?.id ?? ""), {
      deadlineMs: 30_000,
    });
  },
);

check(
  "FED.txn.limits",
  "the server refuses a transaction of 101 EDUs, and takes one of 100",
  { mutant: TAKES_ANY_SIZE },
  async (world) => {
    const { alice, peer, mallory } = await meet(world);
    const client = peer.client(alice.server.serverName);
    const edus = Array.from({ length: 101 }, (_, index) =>
      toDevice(mallory, alice.userId, alice.deviceId, `${index}`),
    );

    const refused = await client.send([], edus);
    await client.send([], [toDevice(mallory, alice.userId, alice.deviceId, "after it")]);
    const texts = await toDeviceUntil(alice, "after it");
    const taken = await client.send([], edus.slice(0, 100));

    expectStatus(refused, REFUSED);
    expectEqual(texts, ["after it"], "the to-device messages");
    expectStatus(taken, 200);
    await client.send([], [toDevice(mallory, alice.userId, alice.deviceId, "last")]);
    const all = await toDeviceUntil(alice, "last");
    expectThat(all.includes("0") && all.includes("99"), "the hundred messages", all);
  },
);
