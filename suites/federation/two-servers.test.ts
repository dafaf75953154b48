import { SEND } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { altersAnswer, refuses } from "#harness/world/mutants";
import { share } from "#harness/world/sharing";
import { history } from "./history.ts";
import { SHOWS_TWO, sendToDevice, toDeviceUntil } from "./to-device.ts";

const TRIES_AT_MOST = 50;
const MESSAGES = "/_matrix/client/v3/rooms/*/messages";

function numbered(count: number, first = 0): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${first + index}`);
}

check(
  "FED.dag.backfill-paginates",
  "the server shows a late member the whole history, each event once",
  {
    mutant: [
      refuses(
        "does not ask for what came before",
        { from: "hs2", to: "hs1", path: "/_matrix/federation/v1/backfill/*" },
        404,
        "M_NOT_FOUND",
      ),
      altersAnswer(
        "shows an event twice",
        { path: MESSAGES },
        {
          set: {
            "/chunk/-": {
              type: "m.room.message",
              event_id: "$twice",
              sender: "@bob:other.example",
              origin_server_ts: 1,
              content: {},
            },
          },
        },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
    const roomId = await alice.createRoom({ preset: "public_chat" });
    for (const text of numbered(20)) await alice.send(roomId, text);
    await bob.join(roomId, alice);

    const seen = (await history(bob, roomId)).map(({ event_id }) => event_id);

    const all = new Set((await history(alice, roomId)).map(({ event_id }) => event_id));
    expectEqual([...seen].sort(), [...all].sort(), "the events that the late member sees");
  },
);

check(
  "FED.txn.response-lost",
  "the server repeats what was delivered and not answered, and the other doubles nothing",
  {
    mutant: [
      SHOWS_TWO,
      altersAnswer(
        "shows a message twice",
        { path: MESSAGES },
        { replace: [['"body":"0"', '"body":"1"']] },
      ),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await share(world);
    const device = bob.deviceId;
    const lost = await world.fault(
      { from: "hs1", to: "hs2", path: SEND, contains: roomId },
      "processed",
      { kind: "reset" },
      5,
    );

    for (const text of numbered(5)) {
      await alice.send(roomId, text);
      await sendToDevice(alice, bob.userId, device, `${text} beside ${roomId}`);
    }
    // Tells a server that waits before it tries again that the other one is there.
    for (let tries = 0; (await lost.fired()) < 5 && tries < TRIES_AT_MOST; tries++) {
      await world.quietPeriod(500);
      await bob.send(roomId, "still here");
    }
    expectEqual(await lost.fired(), 5, "answers lost");
    await bob.send(roomId, "still here");
    await sendToDevice(alice, bob.userId, device, "last");
    const last = await alice.send(roomId, "last");
    const notes = await toDeviceUntil(bob, "last");
    await bob.syncUntilEvent(undefined, roomId, last);

    const expected = numbered(5).map((text) => `${text} beside ${roomId}`);
    expectEqual(notes, [...expected, "last"], "the to-device messages");
    const texts = (await history(bob, roomId))
      .filter(({ type, sender }) => type === "m.room.message" && sender === alice.userId)
      .map(({ content }) => content.body);
    expectEqual(texts.reverse(), [...numbered(5), "last"], "the messages");
  },
);

check(
  "FED.txn.to-device-durable",
  "the server keeps to-device messages through a split and the death of each side",
  { mutant: SHOWS_TWO, isolated: {}, deadlineMs: 120_000 },
  async (world) => {
    const { alice, bob, roomId } = await share(world);
    const cuts = [
      await world.fault({ from: "hs1", to: "hs2" }, "before", { kind: "reset" }),
      await world.fault({ from: "hs2", to: "hs1" }, "before", { kind: "reset" }),
    ];

    for (const text of numbered(10)) await sendToDevice(alice, bob.userId, bob.deviceId, text);
    await world.killAndRestart("hs1");
    for (const text of numbered(10, 10)) await sendToDevice(alice, bob.userId, bob.deviceId, text);
    await world.killAndRestart("hs2");
    for (const cut of cuts) await cut[Symbol.asyncDispose]();
    await bob.send(roomId, "back again");
    const notes = await toDeviceUntil(bob, "19", 30_000);

    expectEqual(notes, numbered(20), "the to-device messages");
  },
);
