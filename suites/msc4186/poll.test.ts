import { allRooms, type SlidingRequest, stateOf } from "#harness/clients/sliding-sync/request";
import { stateKeyOf } from "#harness/clients/sliding-sync/view";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { answersAtOnce, answersLate, atOnce, POLL_MS, PROMPT_MS, wokenBy } from "./polls.ts";
import { answers, inEachDialect, type Sync } from "./sync.ts";

const LIST = allRooms({ timelineLimit: 10 });
/** In requests that poll. */
const POLLING = String(POLL_MS);
const POLLS = { contains: POLLING };
const ANSWERS_LATE = answersLate(POLLING);
const SENDS_NOTHING = answers("answers without news", { set: { "/rooms": {} } }, POLLS);

check(
  "MSC4186.poll.initial-immediate",
  "the server does not wait without a position",
  { mutant: ANSWERS_LATE },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await atOnce(sync.connection(alice), LIST);
    });
  },
);

check(
  "MSC4186.poll.zero-immediate",
  "the server does not wait when the timeout is 0 or left out",
  {
    mutant: [
      answersLate("timeout"),
      answersLate("pos"),
      answers("sends old rooms", { set: { "/rooms": { "!r:hs1": {} } } }, { contains: "pos" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(LIST);
      await connection.drain(LIST);
      for (const options of [{}, { timeoutMs: 0 }]) {
        const http = await connection.send(LIST, options);

        const { rooms } = connection.process(LIST, http);
        expectEqual(rooms, {}, "rooms when nothing happened", http);
        const boundMs = PROMPT_MS * alice.context.timeoutScale;
        const isPrompt = http.durationMs <= boundMs;
        expectThat(isPrompt, `an answer within ${boundMs} ms`, `${http.durationMs} ms`, http);
      }
    });
  },
);

const SHORT_MS = 1_500;
/** Less than asked for, as clocks and timers differ a little. */
const AT_LEAST_MS = 1_400;

check(
  "MSC4186.poll.blocks",
  "the server holds a request until the timeout runs out when nothing is new",
  {
    mutant: [answersAtOnce(String(SHORT_MS)), answersLate(String(SHORT_MS))],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(LIST);
      await connection.drain(LIST);

      let held = await connection.sync(LIST, { timeoutMs: SHORT_MS });
      // What is left of the rooms' creation may end one.
      if (held.http.elapsedMs < AT_LEAST_MS) {
        held = await connection.sync(LIST, { timeoutMs: SHORT_MS });
      }

      const { durationMs, elapsedMs } = held.http;
      const boundMs = SHORT_MS + PROMPT_MS * alice.context.timeoutScale;
      expectEqual(held.rooms, {}, "rooms when nothing happened", held.http);
      const isHeld = elapsedMs >= AT_LEAST_MS && durationMs <= boundMs;
      expectThat(
        isHeld,
        `an answer after ${SHORT_MS} ms, until ${boundMs} ms`,
        `${Math.round(elapsedMs)} ms`,
        held.http,
      );
    });
  },
);

check(
  "MSC4186.poll.wakes-on-event",
  "the server answers a waiting request when an event comes",
  { mutant: [ANSWERS_LATE, SENDS_NOTHING] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(LIST);
      let eventId = "";

      const { rooms, http } = await wokenBy(sync, connection, LIST, "a message", async () => {
        eventId = await alice.send(roomId, "a message");
      });

      const ids = rooms[roomId]?.timeline?.map(({ event_id }) => event_id);
      expectEqual(ids, [eventId], "the timeline", http);
      expectEqual(rooms[roomId]?.num_live, 1, "num_live", http);
    });
  },
);

check(
  "MSC4186.poll.wakes-room-enters-range",
  "the server answers a waiting request when a room gets into the range",
  {
    mutant: [
      ANSWERS_LATE,
      SENDS_NOTHING,
      answers("sends it in part", { remove: ["/rooms/*/initial"] }, POLLS),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const [older, newer] = [await alice.createRoom(), await alice.createRoom()];
      const request = { lists: { all: { range: [0, 0] as const, timelineLimit: 5 } } };
      const connection = sync.connection(alice);
      const first = await connection.initial(request);
      expectEqual(Object.keys(first.rooms), [newer], "the rooms in range", first.http);

      const { rooms, http } = await wokenBy(sync, connection, request, "a message", () =>
        alice.send(older, "a message"),
      );

      expectEqual(rooms[older]?.initial, true, "initial", http);
      expectEqual(rooms[older]?.num_live, 1, "num_live", http);
    });
  },
);

check(
  "MSC4186.poll.no-wake-irrelevant",
  "the server lets a request wait when something happens in a room that no rule matches",
  {
    mutant: answersAtOnce("3000"),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const [subscribed, other] = [await alice.createRoom(), await alice.createRoom()];
      const request: SlidingRequest = { subscriptions: { [subscribed]: { timelineLimit: 5 } } };
      const connection = sync.connection(alice);
      await connection.initial(request);
      await connection.drain(request);

      const poll = connection.start(request, { timeoutMs: 3_000 });
      await world.quietPeriod(500);
      await alice.send(other, "a message");
      const http = await poll.answer;
      const eventId = await alice.send(subscribed, "a message");

      expectThat(http !== undefined, "an answer", "none");
      const { rooms } = connection.process(request, http);
      expectEqual(rooms, {}, "rooms", http);
      const isHeld = http.elapsedMs >= 2_900;
      expectThat(isHeld, "an answer after 3000 ms", `${Math.round(http.elapsedMs)} ms`, http);
      await connection.untilEvent(request, subscribed, eventId);
    });
  },
);

async function expectNewRoom(
  sync: Sync,
  rulesFor: (older: string) => readonly [SlidingRequest, SlidingRequest],
): Promise<void> {
  const alice = await sync.world.user("alice");
  const older = await alice.createRoom();
  await alice.createRoom();
  const [before, after] = rulesFor(older);
  const connection = sync.connection(alice);
  await connection.initial(before);
  await connection.drain(before);

  const { rooms, http } = await atOnce(connection, after);

  expectEqual(rooms[older]?.initial, true, "initial", http);
  expectEqual(rooms[older]?.timeline?.length, 1, "the number of events", http);
}

const NEW_ROOM_MUTANTS = [
  ANSWERS_LATE,
  SENDS_NOTHING,
  answers("sends it in part", { remove: ["/rooms/*/initial"] }, POLLS),
];

check(
  "MSC4186.poll.new-room-immediate",
  "the server answers at once when the range gets wider",
  { mutant: NEW_ROOM_MUTANTS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const request = (last: number): SlidingRequest => ({
        lists: { all: { range: [0, last], timelineLimit: 1 } },
      });
      await expectNewRoom(sync, () => [request(0), request(1)]);
    });
  },
);

check(
  "MSC4186.poll.new-room-immediate",
  "the server answers at once when there is a new subscription",
  { mutant: NEW_ROOM_MUTANTS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const lists: SlidingRequest = { lists: { all: { range: [0, 0], timelineLimit: 1 } } };
      await expectNewRoom(sync, (older) => [
        lists,
        { ...lists, subscriptions: { [older]: { timelineLimit: 1 } } },
      ]);
    });
  },
);

check(
  "MSC4186.poll.timeline-expand-immediate",
  "the server answers at once when a larger timeline limit brings older events",
  { mutant: [ANSWERS_LATE, SENDS_NOTHING] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const sent: string[] = [];
      for (const text of ["one", "two", "three", "four"]) {
        sent.push(await alice.send(roomId, text));
      }
      const connection = sync.connection(alice);
      await connection.initial(allRooms({ timelineLimit: 1 }));
      await connection.drain(allRooms({ timelineLimit: 1 }));

      const { rooms, http } = await atOnce(connection, allRooms({ timelineLimit: 4 }));

      const ids = rooms[roomId]?.timeline?.map(({ event_id }) => event_id);
      expectEqual(ids, sent, "the timeline", http);
    });
  },
);

check(
  "MSC4186.poll.state-expand-immediate",
  "the server answers at once when more required state brings some",
  { mutant: [ANSWERS_LATE, SENDS_NOTHING] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ name: "named" });
      const request = (...types: readonly string[]) =>
        allRooms({ timelineLimit: 1, requiredState: stateOf(...types) });
      const connection = sync.connection(alice);
      await connection.initial(request("m.room.name"));
      await connection.drain(request("m.room.name"));

      const { rooms, http } = await atOnce(connection, request("m.room.name", "m.room.create"));

      const keys = rooms[roomId]?.required_state?.map(stateKeyOf) ?? [];
      expectThat(keys.includes("m.room.create|"), "the create event", keys, http);
    });
  },
);

check(
  "MSC4186.poll.membership-wakes",
  "the server answers a waiting request when the own membership of a room changes",
  { mutant: [ANSWERS_LATE, SENDS_NOTHING] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const second = await world.login(alice);
      const rooms = { preset: "public_chat" };
      const [kicked, banned, left] = await Promise.all(
        Array.from({ length: 3 }, () => bob.createRoom(rooms)),
      );
      const [invited, joined] = [await bob.createRoom(), await bob.createRoom(rooms)];
      for (const roomId of [kicked, banned, left]) await alice.join(String(roomId));
      const connection = sync.connection(alice);
      const request = allRooms({
        timelineLimit: 5,
        requiredState: { include: [{ type: "m.room.member", stateKey: alice.userId }] },
      });
      await connection.initial(request);
      const ways: readonly (readonly [string, string | undefined, () => Promise<unknown>])[] = [
        ["an invite", invited, () => bob.invite(invited, alice)],
        ["a join on another device", joined, () => second.join(joined)],
        ["a kick", kicked, () => bob.kick(String(kicked), alice)],
        ["a ban", banned, () => bob.ban(String(banned), alice)],
        ["leaving on another device", left, () => second.leave(String(left))],
      ];
      for (const [what, roomId, act] of ways) {
        const synced = await wokenBy(sync, connection, request, what, act);

        const has = roomId !== undefined && synced.rooms[roomId] !== undefined;
        expectThat(has, `the room after ${what}`, synced.rooms, synced.http);
      }
    });
  },
);
