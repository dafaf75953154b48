/** Sticky events that another server sends: which of them stick, and for how long (MSC4354 §Proposal). */
import { STICKY_REMAINING } from "#harness/clients/rtc/names";
import { remainingOf } from "#harness/clients/rtc/sticky-map";
import { at, type MatrixEvent } from "#harness/match/json";
import { type Meeting, meet, SEND } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { timeline } from "#harness/world/session";
import {
  gather,
  HIDES,
  HOUR_MS,
  idsOf,
  LONG_MS,
  SECTION,
  SYNC,
  sticksBesides,
  sticky,
  stuckIn,
  TYPE,
  untilStuck,
} from "./sticky.ts";

const TIMELINE = "/rooms/join/*/timeline/events";
const SHORT_MS = 3_000;
const MINUTES_20_MS = 1_200_000;
const MISSING = "/_matrix/federation/v1/get_missing_events/*";
const FLOOD = 300;
const IN_A_TRANSACTION = 50;
/** A transaction that was refused goes out again after this time, so often. */
const AGAIN_MS = 1_000;
const TRIES = 5;

/** The room as alice sees it now: its timeline, and the ids of the sticky section. */
async function seen({ alice, room }: Meeting) {
  const initial = await alice.sync({ filter: { room: { timeline: { limit: 50 } } } });
  const events: readonly MatrixEvent[] = timeline(initial, room.roomId);
  return { events, stuck: stuckIn(await gather(alice, room.roomId), room.roomId) };
}

check(
  "MSC4354.pdu.invalid-duration",
  "the server takes an event whose sticky object has no valid duration for an ordinary one",
  {
    mutant: [
      sticksBesides("lets it stick"),
      altersAnswer(
        "tells a remaining time",
        { path: SYNC },
        { set: { [`${TIMELINE}/*/unsigned/${STICKY_REMAINING[1]}`]: 1 } },
      ),
      altersAnswer("drops the event", { path: SYNC }, { replace: [[`"${TYPE}"`, '"dropped"']] }),
    ],
  },
  async (world) => {
    const meeting = await meet(world);
    const { alice, peer, room, mallory } = meeting;
    const valid: Pdu[] = [];
    for (const given of [{}, { duration_ms: "x" }, { duration_ms: -1 }, "sticky", null]) {
      valid.push(await peer.send(room, sticky(mallory, { sticky: given })));
    }
    const fraction = room.build(sticky(mallory, { sticky: { duration_ms: 1.5 } }));
    const answers = await peer.transmit(room, fraction);
    await peer.fence(room, alice);

    const { events, stuck } = await seen(meeting);

    for (const response of answers.values()) {
      const result = at(response.json, "pdus", fraction.id);
      world.note(`1.5 ms, which is no canonical JSON: ${JSON.stringify(result ?? {})}`);
    }
    expectEqual(stuck, [], "the sticky section");
    const shown = events.filter(({ type }) => type === TYPE);
    expectEqual(
      idsOf(shown).filter((id) => id !== fraction.id),
      valid.map(({ id }) => id),
      "the events in the timeline",
    );
    for (const event of shown)
      expectEqual(remainingOf(event), undefined, "the remaining time of an ordinary event");
  },
);

check(
  "MSC4354.send.range",
  "the server lets no event of another server stick for more than an hour",
  {
    mutant: altersAnswer(
      "lets it stick for two",
      { path: SYNC },
      {
        set: Object.fromEntries(
          [TIMELINE, `${SECTION}/events`].map((place) => [
            `${place}/*/unsigned/${STICKY_REMAINING[1]}`,
            2 * HOUR_MS,
          ]),
        ),
      },
    ),
  },
  async (world) => {
    const { alice, peer, room, mallory } = await meet(world);
    const pdu = await peer.send(room, sticky(mallory, { durationMs: 100 * HOUR_MS }));
    await peer.fence(room, alice);

    const body = await alice.sync({ filter: { room: { timeline: { limit: 50 } } } });

    const event = timeline(body, room.roomId).find(({ event_id }) => event_id === pdu.id);
    expectThat(event !== undefined, `${pdu.id} in the timeline`, body);
    const remaining = remainingOf(event);
    world.note(`100 hours of another server are taken; remaining: ${remaining}`);
    const isInRange = remaining === undefined || Number(remaining) <= HOUR_MS;
    expectThat(isInRange, `at most ${HOUR_MS} ms of 100 hours`, remaining);
  },
);

check(
  "MSC4354.send.federated-state",
  "the server takes a state event of another server that has a sticky object",
  {
    mutant: altersAnswer(
      "does not find the state",
      { path: `/_matrix/client/v3/rooms/*/state/${TYPE}/*` },
      { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
    ),
  },
  async (world) => {
    const meeting = await meet(world, {
      creation: { power_level_content_override: { state_default: 0 } },
    });
    const { alice, peer, room, mallory } = meeting;
    const content = { value: 1 };
    const pdu = await peer.send(room, sticky(mallory, { stateKey: "key", content }));
    await peer.fence(room, alice);

    const state = await alice.state(room.roomId, TYPE, "key");

    expectEqual(state, content, "the state");
    const { stuck } = await seen(meeting);
    const where = stuck.includes(pdu.id) ? "in" : "not in";
    world.note(`a sticky state event is ${where} the sticky section`);
  },
);

check(
  "MSC4354.start-time",
  "the server lets an event from the future stick from its receipt on",
  {
    mutant: altersAnswer(
      "counts from its timestamp",
      { path: SYNC },
      { set: { [`${SECTION}/events/*/unsigned/${STICKY_REMAINING[1]}`]: LONG_MS + HOUR_MS } },
    ),
  },
  async (world) => {
    const { alice, peer, room, mallory } = await meet(world);
    const originServerTs = Date.now() + HOUR_MS;
    const since = await alice.syncToken();
    const pdu = await peer.send(room, sticky(mallory, { originServerTs }));
    await peer.fence(room, alice);

    const { events } = await untilStuck(alice, since, room.roomId, [pdu.id]);

    const remaining = Number(remainingOf(events[0]));
    const isRight = remaining > 0 && remaining <= LONG_MS;
    expectThat(isRight, `at most ${LONG_MS} ms left`, remaining);
  },
);

check(
  "MSC4354.start-time",
  "the server ends the stickiness of an event from the future when its duration has passed",
  { mutant: sticksBesides("lets it stick on") },
  async (world) => {
    const meeting = await meet(world);
    const { alice, peer, room, mallory } = meeting;
    const originServerTs = Date.now() + HOUR_MS;
    await peer.send(room, sticky(mallory, { originServerTs, durationMs: SHORT_MS }));
    const lasting = await peer.send(room, sticky(mallory));
    await peer.fence(room, alice);
    await world.quietPeriod(SHORT_MS);

    const { stuck } = await seen(meeting);

    expectEqual(stuck, [lasting.id], "the sticky section");
  },
);

check(
  "MSC4354.start-time",
  "the server does not let an event stick whose time was over when it came",
  {
    mutant: [
      sticksBesides("lets it stick"),
      altersAnswer(
        "tells a remaining time",
        { path: SYNC },
        { set: { [`${TIMELINE}/*/unsigned/${STICKY_REMAINING[1]}`]: 1 } },
      ),
    ],
  },
  async (world) => {
    const meeting = await meet(world);
    const { alice, peer, room, mallory } = meeting;
    const originServerTs = Date.now() - MINUTES_20_MS;
    const pdu = await peer.send(room, sticky(mallory, { originServerTs }));
    await peer.fence(room, alice);

    const { events, stuck } = await seen(meeting);

    expectEqual(stuck, [], "the sticky section");
    const event = events.find(({ event_id }) => event_id === pdu.id);
    expectThat(event !== undefined, `${pdu.id} in the timeline`, idsOf(events));
    expectEqual(remainingOf(event), undefined, "the remaining time");
  },
);

check(
  "MSC4354.softfail.reevaluate",
  "the server shows a sticky event that it had held back, once its sender may send",
  {
    mutant: [HIDES, sticksBesides("shows it at once")],
  },
  async (world) => {
    const meeting = await meet(world);
    const { alice, peer, room } = meeting;
    const via = alice.server.serverName;
    const charlie = peer.user("charlie");
    await peer.join(room.roomId, charlie, { via });
    const before = room.extremities;
    const kick = { user_id: charlie };
    ok(await alice.post(`/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}/kick`, kick));
    await peer.waitForPdu(
      room,
      "the kick",
      ({ json }) => json.state_key === charlie && at(json, "content", "membership") === "leave",
    );
    const late = room.build(sticky(charlie, { prevEvents: before }));
    await peer.transmit(room, late);
    await peer.fence(room, alice, { sender: meeting.mallory });
    const held = await seen(meeting);
    const since = await alice.syncToken();

    await peer.join(room.roomId, charlie, { via });

    expectEqual(held.stuck, [], "the sticky section while the sender is out of the room");
    const texts = idsOf(held.events);
    expectThat(!texts.includes(late.id), "no such event in the timeline", texts);
    await untilStuck(alice, since, room.roomId, [late.id]);
  },
);

check(
  "MSC4354.softfail.reevaluate",
  "the server shows a sticky event that it had held back, once its sender has the power again",
  {
    mutant: [HIDES, sticksBesides("shows it at once")],
  },
  async (world) => {
    const meeting = await meet(world);
    const { alice, peer, room, mallory } = meeting;
    const levels = await alice.state(room.roomId, "m.room.power_levels");
    const before = room.extremities;
    const raised = { ...levels, events: { [TYPE]: 50 } };
    const raise = await alice.setState(room.roomId, "m.room.power_levels", raised);
    await peer.waitForPdu(room, "the power levels", ({ id }) => id === raise);
    const late = room.build(sticky(mallory, { prevEvents: before }));
    await peer.transmit(room, late);
    await peer.fence(room, alice);
    const held = await seen(meeting);
    const since = await alice.syncToken();

    await alice.setState(room.roomId, "m.room.power_levels", { ...levels });

    expectEqual(held.stuck, [], "the sticky section while the sender lacks the power");
    await untilStuck(alice, since, room.roomId, [late.id]);
  },
);

check(
  "MSC4354.ratelimit.no-drop",
  "the server loses nothing of a flood of sticky events that it has taken",
  {
    deadlineMs: 180_000,
    mutant: [
      altersAnswer("leaves one out", { path: SYNC }, { remove: [`${SECTION}/events/0`] }),
      {
        name: "claims to take the last ones",
        rules: [
          {
            match: { from: "peer-*", path: SEND, contains: '"index":299' },
            phase: "before",
            action: { kind: "answer", status: 200, body: { pdus: {} } },
          },
        ],
      },
    ],
  },
  async (world) => {
    const { alice, peer, room, mallory } = await meet(world);
    // Servers that can not keep up may ask for what they have let go.
    peer.serve(room);
    const since = await alice.syncToken();
    // The first comes after one that was never sent: while the server waits for that one, all others wait with it.
    room.add(room.build({ type: TYPE, sender: mallory, content: { index: -1 } }));
    const asks = { from: "hs1", path: MISSING };
    const wait = await world.fault(asks, "before", { kind: "gate" });
    const pdus: Pdu[] = [];
    for (let index = 0; index < FLOOD; index++) {
      const pdu = room.build(sticky(mallory, { content: { index }, durationMs: HOUR_MS }));
      room.add(pdu);
      pdus.push(pdu);
    }
    for (let start = 0; start < FLOOD; start += IN_A_TRANSACTION) {
      const some = pdus.slice(start, start + IN_A_TRANSACTION);
      for (let tries = 1; ; tries++) {
        const response = await peer.client().send(some);
        if (response.status === 200) break;
        world.note(`a transaction is refused with ${response.status}`);
        expectThat(tries < TRIES, `a transaction to be taken in ${TRIES} tries`, response.status);
        await world.quietPeriod(AGAIN_MS);
      }
    }

    await wait.end();
    // By then it has processed what it was sent before.
    await peer.fence(room, alice, { deadlineMs: 60_000 });

    const { bodies } = await gather(alice, room.roomId, { since });

    const shown = new Set(
      bodies.flatMap((body) => [
        ...stuckIn({ bodies: [body] }, room.roomId),
        ...idsOf(timeline(body, room.roomId)),
      ]),
    );
    const found = pdus.filter(({ id }) => shown.has(id)).length;
    expectEqual(found, FLOOD, "the number of sticky events that came");
  },
);
