import { eventsAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { EVENT, expectUnknown, meet, message, SEND } from "./meeting.ts";

const SYNC = "/_matrix/client/v3/sync";

/** Texts of the to-device messages that a device has, from its first to this one. */
async function toDeviceUntil(alice: Session, last: string): Promise<readonly unknown[]> {
  const { bodies } = await alice.syncUntil(undefined, `the to-device message ${last}`, (body) =>
    eventsAt(body, "to_device", "events").find(({ content }) => content.text === last),
  );
  return bodies.flatMap((body) =>
    eventsAt(body, "to_device", "events").map(({ content }) => content.text),
  );
}

function toDevice(sender: string, recipient: string, device: string, text: string) {
  return {
    edu_type: "m.direct_to_device",
    content: {
      sender,
      type: "org.matrix-crucible.note",
      message_id: `id-${text}`,
      messages: { [recipient]: { [device]: { text } } },
    },
  };
}

const SHOWS_TWO = {
  name: "delivers something else as well",
  rules: [
    {
      match: { path: SYNC },
      phase: "processed" as const,
      action: {
        kind: "rewrite" as const,
        set: {
          "/to_device": {
            events: ["once", "once", "last"].map((text) => ({
              type: "org.matrix-crucible.note",
              sender: "@mallory:other",
              content: { text },
            })),
          },
        },
      },
    },
  ],
};

check(
  "FED.txn.partial-failure",
  "the server takes a good PDU out of a transaction with bad ones",
  {
    mutant: [
      {
        name: "refuses the whole transaction",
        rules: [
          {
            match: { from: "peer-*", path: SEND },
            phase: "before",
            action: { kind: "answer", status: 400, body: { errcode: "M_BAD_JSON", error: "" } },
          },
        ],
      },
      {
        name: "loses the good PDU",
        rules: [
          {
            match: { path: EVENT },
            phase: "before",
            action: { kind: "answer", status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
          },
        ],
      },
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
    mutant: {
      name: "refuses what it does not know",
      rules: [
        {
          match: { from: "peer-*", path: SEND, contains: "x.unknown" },
          phase: "before",
          action: { kind: "answer", status: 400, body: { errcode: "M_UNRECOGNIZED", error: "" } },
        },
      ],
    },
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
  "FED.txn.to-device-once",
  "the server delivers a to-device message once for each message id and device",
  { mutant: SHOWS_TWO },
  async (world) => {
    const { alice, peer, mallory } = await meet(world);
    const second = await world.login(alice);
    const client = peer.client(alice.server.serverName);
    const once = toDevice(mallory, alice.userId, "*", "once");

    await client.send([], [once, once]);
    await client.send([], [once]);
    await client.send([], [toDevice(mallory, alice.userId, "*", "last")]);

    for (const device of [alice, second]) {
      const texts = await toDeviceUntil(device, "last");
      expectEqual(texts, ["once", "last"], `the messages to ${device.deviceId}`);
    }
  },
);

check(
  "FED.txn.to-device-origin",
  "the server drops to-device messages of users of other servers",
  { mutant: SHOWS_TWO },
  async (world) => {
    const { alice, peer, mallory } = await meet(world);
    const client = peer.client(alice.server.serverName);
    const forged = [alice.userId, "@charlie:other.example"].map((sender, index) =>
      toDevice(sender, alice.userId, alice.deviceId, `forged ${index}`),
    );

    const response = await client.send([], forged);
    await client.send([], [toDevice(mallory, alice.userId, alice.deviceId, "last")]);

    expectStatus(response, 200);
    expectEqual(await toDeviceUntil(alice, "last"), ["last"], "the to-device messages");
  },
);
