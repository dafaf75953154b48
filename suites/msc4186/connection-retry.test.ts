import type { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import {
  ALL_STATE,
  allRooms,
  type SlidingRequest,
  stateOf,
} from "#harness/clients/sliding-sync/request";
import type { RoomResult } from "#harness/clients/sliding-sync/response";
import { stateKeyOf } from "#harness/clients/sliding-sync/view";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, fail } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { answersLate } from "./polls.ts";
import { answers, answersInstead, eventCount, inEachDialect } from "./sync.ts";

/** Timeout of the request that is sent again, by which mutants find it. Something is due, so it does not run out. */
const AGAIN_MS = 7_919;
const AGAIN = { contains: String(AGAIN_MS) };

/** A request whose answer gets lost once it has the event. */
async function loseEvent(
  world: World,
  connection: SlidingConnection,
  request: SlidingRequest,
  roomId: string,
  eventId: string,
) {
  return await world.eventually(async () => {
    const { rooms } = await connection.lose(request);
    const result = rooms[roomId];
    const has = result?.timeline?.some(({ event_id }) => event_id === eventId) === true;
    expectThat(has, `event ${eventId} in an answer`, rooms);
    return result;
  });
}

check(
  "MSC4186.conn.retry-idempotent",
  "the server sends again what was in a lost answer, and what is newer",
  {
    mutant: [
      answers("takes it for received", { set: { "/rooms": {} } }, AGAIN),
      answers("sends the last event only", { remove: ["/rooms/*/timeline/0"] }, AGAIN),
      answers("starts the room anew", { set: { "/rooms/*/initial": true } }, AGAIN),
      answers("takes it for old", { set: { "/rooms/*/num_live": 0 } }, AGAIN),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice, "main");
      const request = allRooms({ timelineLimit: 10 });
      await connection.initial(request);
      const first = await alice.send(roomId, "first");
      const lost = await loseEvent(world, connection, request, roomId, first);

      const again = await connection.lose(request, { timeoutMs: AGAIN_MS });
      const second = await alice.send(roomId, "second");
      await loseEvent(world, connection, request, roomId, second);
      const both = await connection.sync(request, { timeoutMs: AGAIN_MS });

      const ids = (room: RoomResult | undefined) => room?.timeline?.map(({ event_id }) => event_id);
      expectEqual(ids(again.rooms[roomId]), [first], "the timeline of the second answer");
      expectEqual(again.rooms[roomId]?.num_live, lost?.num_live, "num_live as before");
      const result = both.rooms[roomId];
      expectEqual(ids(result), [first, second], "the timeline of the third answer", both.http);
      expectEqual(result?.num_live, 2, "num_live of the third answer", both.http);
      expectEqual(result?.initial ?? false, false, "initial", both.http);
    });
  },
);

check(
  "MSC4186.conn.retry-never-sent-room",
  "the server sends a room whole again when the answer with it got lost",
  {
    mutant: [
      answers("takes it for received", { set: { "/rooms": {} } }, AGAIN),
      answers("sends it in part", { remove: ["/rooms/*/initial"] }, AGAIN),
      answers("leaves its state out", { remove: ["/rooms/*/required_state"] }, AGAIN),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const older = await alice.createRoom({ name: "older" });
      await alice.createRoom({ name: "newer" });
      const state = stateOf("m.room.create", "m.room.name");
      const request = (last: number) => ({
        lists: { all: { range: [0, last] as const, timelineLimit: 3, requiredState: state } },
      });
      const connection = sync.connection(alice, "main");
      const first = await connection.initial(request(0));
      expectEqual(first.rooms[older], undefined, "the room out of range", first.http);
      const lost = await connection.lose(request(1));

      const { rooms, http } = await connection.sync(request(1), { timeoutMs: AGAIN_MS });

      const keys = (room: RoomResult | undefined) => room?.required_state?.map(stateKeyOf).sort();
      for (const room of [lost.rooms[older], rooms[older]]) {
        expectEqual(room?.initial, true, "initial", http);
        expectEqual(keys(room), ["m.room.create|", "m.room.name|"], "the state", http);
        expectEqual(room?.timeline?.length, 3, "the number of events", http);
      }
    });
  },
);

const ROOMS = 10;

function createRooms(alice: Session): Promise<readonly string[]> {
  return Promise.all(
    Array.from({ length: ROOMS }, (_, index) => alice.createRoom({ name: `room ${index}` })),
  );
}

check(
  "MSC4186.conn.retry-changed-body",
  "the server answers to the new body when a request is sent again with another",
  {
    mutant: [
      answers("sends the rest only", { remove: ["/rooms/*/initial"] }, AGAIN),
      answers("keeps to the state of before", { remove: ["/rooms/*/required_state"] }, AGAIN),
      answers("keeps to the range of before", { set: { "/rooms": {} } }, AGAIN),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomIds = await createRooms(alice);
      const connection = sync.connection(alice, "main");
      await connection.initial({});
      const before = await connection.lose({
        lists: {
          all: { range: [0, 0], timelineLimit: 1, requiredState: stateOf("m.room.create") },
        },
      });
      expectEqual(Object.keys(before.rooms).length, 1, "the number of rooms of the lost answer");

      const { rooms, http } = await connection.sync(
        {
          lists: {
            all: { range: [0, 9], timelineLimit: 2, requiredState: stateOf("m.room.name") },
          },
        },
        { timeoutMs: AGAIN_MS },
      );

      expectEqual(Object.keys(rooms).sort(), [...roomIds].sort(), "the rooms", http);
      for (const room of Object.values(rooms)) {
        expectEqual(room.initial, true, "initial", http);
        expectEqual(room.required_state?.map(stateKeyOf), ["m.room.name|"], "the state", http);
        expectEqual(room.timeline?.length, 2, "the number of events", http);
      }
    });
  },
);

const REPLAYS = 50;
/** Answers of a few milliseconds differ by more than their share on a busy machine. */
const NOISE_MS = 250;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** What a client shows of rooms, to compare connections. */
function shown({ view }: SlidingConnection) {
  return [...view.rooms]
    .map(([id, { name, joinedCount, state, timeline }]) => [
      id,
      name,
      joinedCount,
      [...state.values()].map(({ event_id }) => event_id).sort(),
      timeline.at(-1)?.map(({ event_id }) => event_id),
    ])
    .sort();
}

check(
  "MSC4186.conn.retry-many",
  "the server stays right and quick when a position is used again and again",
  {
    mutant: [
      answers("forgets a room", { set: { "/rooms": {} } }, AGAIN),
      answers("forgets state", { remove: ["/rooms/*/required_state/0"] }, AGAIN),
    ],
    deadlineMs: 120_000,
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomIds = await createRooms(alice);
      const connection = sync.connection(alice, "main");
      await connection.initial({});
      for (const roomId of roomIds) await alice.send(roomId, "a message");
      const whole = allRooms({ timelineLimit: 3, requiredState: ALL_STATE });
      const durations: number[] = [];
      for (let replay = 1; replay < REPLAYS; replay++) {
        // The same ten requests over and over, so that times can be compared.
        const variant = replay % 10;
        const config = {
          range: [0, variant] as const,
          timelineLimit: variant % 4,
          requiredState: variant % 2 === 0 ? ALL_STATE : stateOf("m.room.name"),
        };
        const http = await connection.send({ lists: { all: config } });
        expectEqual(http.status, 200, `the status of replay ${replay}`, http);
        durations.push(http.durationMs);
      }

      const { http } = await connection.sync(whole, { timeoutMs: AGAIN_MS });
      durations.push(http.durationMs);
      await connection.drain(whole);
      const fresh = sync.connection(alice, "fresh");
      await fresh.initial(whole);

      expectEqual(shown(connection), shown(fresh), "the rooms, as on a fresh connection");
      const [first, last] = [median(durations.slice(0, 10)), median(durations.slice(-10))];
      const bound = 3 * first + NOISE_MS * alice.context.timeoutScale;
      expectThat(last <= bound, `answers within ${Math.round(bound)} ms`, `${Math.round(last)} ms`);
    });
  },
);

check(
  "MSC4186.conn.cancel-inflight",
  "the server lets a connection go on after a request that its client gave up",
  {
    mutant: [
      answers("takes it for received", { set: { "/rooms": {} } }, AGAIN),
      answersLate(AGAIN.contains),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice, "main");
      const request = allRooms({ timelineLimit: 10 });
      await connection.initial(request);
      await connection.drain(request);
      const poll = connection.start(request, { timeoutMs: 30_000 });
      await world.quietPeriod(300);
      poll.cancel();
      expectEqual(await poll.answer, undefined, "an answer to the request that was given up");

      const eventId = await alice.send(roomId, "a message");
      const { rooms, http } = await connection.sync(request, { timeoutMs: AGAIN_MS });

      const ids = rooms[roomId]?.timeline?.map(({ event_id }) => event_id);
      expectEqual(ids, [eventId], "the timeline", http);
      const boundMs = 5_000 * alice.context.timeoutScale;
      expectThat(http.durationMs < boundMs, "an answer at once", `${http.durationMs} ms`, http);
    });
  },
);

check(
  "MSC4186.conn.parallel-same-pos",
  "the server survives two requests at once with one position",
  {
    mutant: [
      answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" }, AGAIN),
      answers("loses what is due", { set: { "/rooms": {} } }, { contains: "pos" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice, "main");
      const request = allRooms({ timelineLimit: 10 });
      await connection.initial(request);
      await connection.drain(request);
      const polls = [AGAIN_MS, AGAIN_MS + 1].map((timeoutMs) =>
        connection.start(request, { timeoutMs }),
      );
      await world.quietPeriod(300);
      const eventId = await alice.send(roomId, "a message");

      const [first, last] = await Promise.all(polls.map(({ answer }) => answer));

      for (const response of [first, last]) {
        if (response === undefined) fail("an answer to each request", "none");
        if (response.status === 200) continue;
        expectMatrixError(response, 400, "M_UNKNOWN_POS");
      }
      if (last?.status === 200) connection.process(request, last);
      else await connection.initial(request);
      if (eventCount(connection, roomId, eventId) === 0) {
        await connection.untilEvent(request, roomId, eventId);
      }
      await connection.drain(request);
      const fresh = sync.connection(alice, "fresh");
      await fresh.initial(request);
      const seen = connection.view.room(roomId)?.timeline.flat() ?? [];
      const there = fresh.view.room(roomId)?.timeline.flat() ?? [];
      const ids = (events: typeof seen) => events.map(({ event_id }) => event_id).slice(-5);
      expectEqual(ids(seen), ids(there), "the newest events, as on a fresh connection");
    });
  },
);
