/** Where sticky events arrive in /sync (MSC4354 §Current /sync). */
import { STICKY_REMAINING } from "#harness/clients/rtc/names";
import { remainingOf } from "#harness/clients/rtc/sticky-map";
import type { JsonObject, MatrixEvent } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import { type Session, timeline } from "#harness/world/session";
import {
  chat,
  gather,
  HIDES,
  HOUR_MS,
  idsOf,
  ignore,
  LAST_ONLY,
  LONG_MS,
  pair,
  SECTION,
  SYNC,
  stick,
  stickMany,
  sticksBesides,
  stuck,
  stuckIn,
} from "./sticky.ts";

const EVENTS = `${SECTION}/events`;
const TIMELINE = "/rooms/join/*/timeline/events";
const MANY = 130;
const SHORT_MS = 2_000;
const TOLERANCE_MS = 1_000;
const AT_ONCE_MS = 1_000;
const POLL_MS = 5_000;
const WAIT_MS = 15_000;

check(
  "MSC4354.sync.section",
  "the server sends a sticky event although later ones take its place in the timeline",
  { mutant: HIDES },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const since = await bob.syncToken();
    const id = await stick(alice, roomId);
    const last = await chat(alice, roomId, 3);
    await alice.syncUntilEvent(undefined, roomId, last);

    const body = await bob.sync({ since, filter: LAST_ONLY });

    expectEqual(idsOf(timeline(body, roomId)), [last], "the timeline");
    expectEqual(idsOf(stuck(body, roomId)), [id], "the sticky section");
  },
);

check(
  "MSC4354.sync.dedup",
  "the server does not repeat in the sticky section what the timeline has",
  { mutant: sticksBesides("sends it there too") },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const since = await bob.syncToken();
    const id = await stick(alice, roomId);

    const { bodies } = await bob.syncUntilEvent(since, roomId, id);
    const initial = await bob.sync();

    for (const body of [...bodies, initial]) {
      expectEqual(idsOf(stuck(body, roomId)), [], "the sticky section beside the timeline");
    }
    expectThat(idsOf(timeline(initial, roomId)).includes(id), `${id} in the timeline`, initial);
  },
);

check(
  "MSC4354.sync.once",
  "the server sends a sticky event once",
  {
    mutant: altersRequest(
      "sends all again and again",
      { path: SYNC, contains: "since=" },
      { path: `${SYNC}?timeout=0&filter=${encodeURIComponent(JSON.stringify(LAST_ONLY))}` },
    ),
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const id = await stick(alice, roomId);
    const last = await chat(alice, roomId, 3);
    await alice.syncUntilEvent(undefined, roomId, last);
    const first = await bob.sync({ filter: LAST_ONLY });
    await stick(alice, roomId, { content: { text: "another" } });
    await chat(alice, roomId, 3);

    const { bodies } = await gather(bob, roomId, { since: first.next_batch });

    expectEqual(idsOf(stuck(first, roomId)), [id], "the sticky section of the first answer");
    const again = bodies.flatMap((body) => [...stuck(body, roomId), ...timeline(body, roomId)]);
    expectEqual(
      idsOf(again).filter((other) => other === id),
      [],
      "the same event later",
    );
  },
);

check(
  "MSC4354.sync.initial",
  "the server sends all sticky events to a client that begins",
  {
    mutant: [
      HIDES,
      altersAnswer("leaves out the oldest", { path: SYNC }, { remove: [`${EVENTS}/0`] }),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const sent: string[] = [];
    for (const text of ["1", "2"]) sent.push(await stick(alice, roomId, { content: { text } }));
    sent.push(await stick(bob, roomId));
    await chat(alice, roomId, 3);

    const gathered = await gather(bob, roomId);

    const inTimeline = gathered.bodies.flatMap((body) => idsOf(timeline(body, roomId)));
    const seen = [...stuckIn(gathered, roomId), ...inTimeline].filter((id) => sent.includes(id));
    expectEqual(seen.toSorted(), sent.toSorted(), "the sticky events, each once");
  },
);

/** When an answer came, at the earliest and at the latest, and what it says of an event. */
interface Reading {
  readonly asked: number;
  readonly answered: number;
  readonly events: readonly MatrixEvent[];
}

async function read(session: Session, roomId: string, filter?: JsonObject): Promise<Reading> {
  const asked = performance.now();
  const body = await session.sync(filter === undefined ? {} : { filter });
  const events = [...timeline(body, roomId), ...stuck(body, roomId)];
  return { asked, answered: performance.now(), events };
}

function remainingIn({ events }: Reading, id: string): unknown {
  return remainingOf(events.find(({ event_id }) => event_id === id));
}

const BOTH_PLACES = [EVENTS, TIMELINE];

check(
  "MSC4354.sync.ttl",
  "the server tells how long an event will stick, in the sticky section and in the timeline",
  {
    mutant: [
      ...BOTH_PLACES.map((place) =>
        altersAnswer(
          `does not tell in ${place}`,
          { path: SYNC },
          { remove: STICKY_REMAINING.map((key) => `${place}/*/unsigned/${key}`) },
        ),
      ),
      altersAnswer(
        "tells the whole time",
        { path: SYNC },
        { set: { [`${EVENTS}/*/unsigned/${STICKY_REMAINING[1]}`]: LONG_MS } },
      ),
      altersAnswer(
        "tells more than an hour",
        { path: SYNC },
        { set: { [`${TIMELINE}/*/unsigned/${STICKY_REMAINING[1]}`]: HOUR_MS + 1 } },
      ),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const id = await stick(alice, roomId);
    const sentBy = performance.now();

    const inTimeline = await read(bob, roomId);
    await chat(alice, roomId, 3);
    const first = await read(bob, roomId, LAST_ONLY);
    await world.quietPeriod(SHORT_MS);
    const second = await read(bob, roomId, LAST_ONLY);

    for (const [where, reading] of [
      ["timeline", inTimeline],
      ["sticky section", first],
    ] as const) {
      const remaining = remainingIn(reading, id);
      const most = LONG_MS - (reading.asked - sentBy) + TOLERANCE_MS;
      const isRight =
        Number.isInteger(remaining) &&
        Number(remaining) > 0 &&
        Number(remaining) <= Math.min(LONG_MS, most);
      expectThat(isRight, `at most ${Math.round(most)} ms left in the ${where}`, remaining);
    }
    const fallen = Number(remainingIn(first, id)) - Number(remainingIn(second, id));
    const least = second.asked - first.answered - TOLERANCE_MS;
    const most = second.answered - first.asked + TOLERANCE_MS;
    const range = `${Math.round(least)} to ${Math.round(most)} ms less`;
    expectThat(fallen >= least && fallen <= most, range, fallen);
  },
);

check(
  "MSC4354.sync.ttl",
  "the server tells no remaining time of an event that sticks no more",
  {
    mutant: altersAnswer(
      "tells a negative time",
      { path: SYNC },
      { set: { [`${TIMELINE}/*/unsigned/${STICKY_REMAINING[1]}`]: -1 } },
    ),
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const id = await stick(alice, roomId, { durationMs: SHORT_MS });
    await world.quietPeriod(SHORT_MS + 500);

    const reading = await read(bob, roomId);

    const event = reading.events.find(({ event_id }) => event_id === id);
    expectThat(event !== undefined, `${id} in the timeline`, idsOf(reading.events));
    expectEqual(remainingOf(event), undefined, "the remaining time");
  },
);

check(
  "MSC4354.sync.paging",
  "the server spreads many sticky events over answers and loses none",
  {
    deadlineMs: 120_000,
    mutant: [
      altersAnswer("leaves out one of each answer", { path: SYNC }, { remove: [`${EVENTS}/0`] }),
      altersAnswer(
        "sends no more than one answer of them",
        { path: SYNC, contains: "since=" },
        { remove: [SECTION] },
      ),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const sent = await stickMany(alice, roomId, MANY);
    await chat(alice, roomId, 1);

    const first = await bob.sync({ filter: LAST_ONLY });
    const started = performance.now();
    const second = await bob.sync({
      since: first.next_batch,
      filter: LAST_ONLY,
      timeoutMs: POLL_MS,
    });
    const waitedMs = Math.round(performance.now() - started);
    const rest = await gather(bob, roomId, { since: second.next_batch });

    const bodies = [first, second, ...rest.bodies];
    const seen = bodies.flatMap((body) =>
      idsOf([...stuck(body, roomId), ...timeline(body, roomId)]),
    );
    expectEqual(
      new Set(seen.filter((id) => sent.includes(id))),
      new Set(sent),
      "the sticky events",
    );
    const sizes = bodies.map((body) => stuck(body, roomId).length).filter((size) => size > 0);
    world.note(`${MANY} sticky events in answers of ${sizes.join(", ")}`);
    if (sizes.length > 1 && waitedMs > AT_ONCE_MS)
      world.note(`the second answer came after ${waitedMs} ms, although more was there`);
  },
);

check(
  "MSC4354.sync.expired",
  "the server does not send events in the sticky section that stick no more",
  { mutant: sticksBesides("sends them still") },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await stick(alice, roomId, { durationMs: SHORT_MS });
    const lasting = await stick(alice, roomId);
    await chat(alice, roomId, 3);
    await world.quietPeriod(SHORT_MS + 500);

    const gathered = await gather(bob, roomId);

    expectEqual(stuckIn(gathered, roomId), [lasting], "the sticky section");
  },
);

check(
  "MSC4354.sync.filter",
  "the server sends a sticky event that a filter keeps out of the timeline",
  { mutant: HIDES },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const since = await bob.syncToken();
    const id = await stick(alice, roomId);
    const last = await alice.send(roomId, "a message");
    await alice.syncUntilEvent(undefined, roomId, last);
    const filter = {
      room: { timeline: { types: ["m.room.message"], limit: 50 }, state: { types: ["none"] } },
    };

    const answers = [await bob.sync({ filter }), await bob.sync({ since, filter })];

    for (const body of answers) {
      expectThat(!idsOf(timeline(body, roomId)).includes(id), "no timeline with it", body);
      expectEqual(idsOf(stuck(body, roomId)), [id], "the sticky section");
    }
  },
);

check(
  "MSC4354.sync.filter",
  "the server wakes a client that waits, for a sticky event that its filter keeps out of the timeline",
  { mutant: HIDES },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const since = await bob.syncToken();
    const filter = {
      room: { timeline: { types: ["m.room.message"], limit: 50 }, state: { types: ["none"] } },
    };

    const waiting = bob.sync({ since, filter, timeoutMs: WAIT_MS });
    await world.quietPeriod(AT_ONCE_MS);
    const sentAt = performance.now();
    const id = await stick(alice, roomId);
    const body = await waiting;
    const tookMs = Math.round(performance.now() - sentAt);

    expectEqual(idsOf(stuck(body, roomId)), [id], "the sticky section of the answer");
    expectThat(
      tookMs < WAIT_MS - 2 * AT_ONCE_MS,
      "an answer as soon as it is there",
      `${tookMs} ms`,
    );
  },
);

check(
  "MSC4354.sync.room-filter",
  "the server sends nothing that sticks in rooms which the filter leaves out",
  {
    mutant: [
      HIDES,
      altersRequest("ignores the filter", { path: SYNC }, { head: [["rooms", "ignored"]] }),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const other = await alice.createRoom({ preset: "public_chat" });
    await bob.join(other);
    const since = await bob.syncToken();
    const id = await stick(alice, roomId);
    await stick(alice, other);
    for (const room of [roomId, other]) await chat(alice, room, 3);

    for (const rooms of [{ rooms: [roomId] }, { not_rooms: [other] }]) {
      const filter = { room: { ...rooms, timeline: { limit: 1 } } };
      for (const body of [await bob.sync({ filter }), await bob.sync({ since, filter })]) {
        expectEqual(idsOf(stuck(body, roomId)), [id], "the sticky section of the room");
        const what = `the other room, by ${Object.keys(rooms)}`;
        expectEqual(idsOf(stuck(body, other)), [], `the sticky section of ${what}`);
      }
    }
  },
);

check(
  "MSC4354.sync.ignored-user",
  "the server sends no sticky events of a user whom the client ignores",
  { mutant: sticksBesides("sends them") },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const mallory = await world.user("mallory");
    await mallory.join(roomId);
    await ignore(bob, mallory);
    const since = await bob.syncToken();
    await stick(mallory, roomId);
    const id = await stick(alice, roomId);
    await chat(alice, roomId, 3);

    const initial = await gather(bob, roomId);
    const later = await gather(bob, roomId, { since });

    for (const gathered of [initial, later])
      expectEqual(stuckIn(gathered, roomId), [id], "the sticky section");
  },
);
