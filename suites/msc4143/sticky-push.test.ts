/** What a server sends other servers of what sticks: at once, to those that join, and after a split (MSC4354 §Proposal). */

import { awakeMs } from "#harness/awake";
import { STICKY } from "#harness/clients/rtc/names";
import { at } from "#harness/match/json";
import { meet, SEND } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { type Session, timeline } from "#harness/world/session";
import { chat, HIDES, idsOf, LAST_ONLY, LONG_MS, stick, stuck, TYPE } from "./sticky.ts";
import { chatter, cutOff, FORGETS, receive, received, untilTried } from "./sticky-links.ts";

const ORDERED = 60;
const SILENCE_MS = 5_000;
const CAUGHT_UP_MS = 20_000;

check(
  "MSC4354.fed.eager-push",
  "the server sends its sticky events to a server in the room",
  { mutant: FORGETS },
  async (world) => {
    const { alice, peer, room } = await meet(world);

    const id = await stick(alice, room.roomId);
    await chat(alice, room.roomId, 3);

    const pdu = await receive(peer, room, id);
    expectEqual(at(pdu.json, STICKY), { duration_ms: LONG_MS }, "the sticky object");
  },
);

/** What bob gets of an event in syncs with the newest event of each room, wherever it is. */
async function untilShown(
  bob: Session,
  since: string | undefined,
  roomId: string,
  id: string,
  deadlineMs = 10_000,
): Promise<void> {
  await bob.syncUntil(
    since,
    `the sticky event ${id}`,
    (body) =>
      idsOf([...stuck(body, roomId), ...timeline(body, roomId)]).includes(id) ? true : undefined,
    { filter: LAST_ONLY, deadlineMs },
  );
}

check(
  "MSC4354.fed.eager-push",
  "the server shows its users what sticks on another server, although later events took its place",
  { mutant: HIDES },
  async (world) => {
    const [alice, bob] = [await world.user("alice"), await world.user("bob", "hs2")];
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.joinWhole(roomId, alice);
    const since = await bob.syncToken();
    const id = await stick(alice, roomId);
    const last = await chat(alice, roomId, 20);
    await bob.syncUntilEvent(since, roomId, last);

    await untilShown(bob, since, roomId, id);
  },
);

check(
  "MSC4354.fed.order",
  "the server sends sticky events in the order in which it made them",
  {
    mutant: {
      name: "loses the first",
      rules: [
        {
          match: { from: "hs1", to: "peer-*", path: SEND, contains: TYPE },
          phase: "before",
          action: { kind: "answer", status: 200, body: { pdus: {} } },
          times: 1,
        },
      ],
    },
    deadlineMs: 120_000,
  },
  async (world) => {
    const { alice, peer, room } = await meet(world);
    const sent: string[] = [];
    for (let index = 0; index < ORDERED; index++) {
      sent.push(await stick(alice, room.roomId, { content: { index } }));
    }

    await receive(peer, room, sent.at(-1) ?? "");

    const order = peer.pdus.items.map(({ pdu }) => pdu.id).filter((id) => sent.includes(id));
    expectEqual([...new Set(order)], sent, "the sticky events in the order of their receipt");
  },
);

check(
  "MSC4354.join.remote-server",
  "the server sends its sticky events to a server that joins",
  { mutant: FORGETS },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const id = await stick(alice, roomId);
    await chat(alice, roomId, 3);

    const room = await peer.join(roomId, peer.user("bob"), { via: alice.server.serverName });

    await receive(peer, room, id);
  },
);

check(
  "MSC4354.join.remote-server",
  "the server that joins a room shows its user what stuck there before",
  { mutant: HIDES },
  async (world) => {
    const [alice, bob] = [await world.user("alice"), await world.user("bob", "hs2")];
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const since = await bob.syncToken();
    const id = await stick(alice, roomId);
    await chat(alice, roomId, 3);

    await bob.join(roomId, alice);

    await untilShown(bob, since, roomId, id);
  },
);

check(
  "MSC4354.fed.catch-up",
  "the server sends a server that was cut off what sticks, although many events came after it",
  { mutant: FORGETS, deadlineMs: 120_000 },
  async (world) => {
    const meeting = await meet(world);
    const { alice, peer, room, mallory } = meeting;
    const cut = await cutOff(world, meeting);
    const id = await stick(alice, room.roomId);
    await chatter(alice, room.roomId);
    await untilTried(world, cut);
    await cut.end();

    const healed = awakeMs();
    await world.quietPeriod(SILENCE_MS);
    const cameInSilence = received(peer, id);
    const content = { msgtype: "m.text", body: "back again" };
    if (!cameInSilence) await peer.send(room, { type: "m.room.message", sender: mallory, content });

    const pdu = await receive(peer, room, id, CAUGHT_UP_MS);
    const seconds = ((awakeMs() - healed) / 1_000).toFixed(1);
    const how = cameInSilence ? "in silence" : `${seconds} s after the split, at the other's word`;
    world.note(`the sticky event came ${how}`);
    expectEqual(at(pdu.json, STICKY), { duration_ms: LONG_MS }, "the sticky object");
  },
);
