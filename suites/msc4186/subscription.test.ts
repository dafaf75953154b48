import { type SlidingRequest, stateOf } from "#harness/clients/sliding-sync/request";
import { at, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { stateIdsOf, stateKeysOf, timelineOf } from "./results.ts";
import { answers, answersInstead, forgets, inEachDialect, reads } from "./sync.ts";

const NO_SUBSCRIPTIONS = reads("takes no subscriptions", [['"room_subscriptions"', '"x"']]);

/** Rooms with three messages each, the newest first. */
async function quietRooms(session: Session, count: number): Promise<readonly string[]> {
  const rooms: string[] = [];
  for (let index = 0; index < count; index++) {
    const roomId = await session.createRoom({ name: `room ${index}`, topic: "quiet" });
    for (const text of ["one", "two", "three"]) await session.send(roomId, text);
    rooms.unshift(roomId);
  }
  return rooms;
}

check(
  "MSC4186.sub.outside-lists",
  "the server returns a subscribed room that no list matches",
  { mutant: NO_SUBSCRIPTIONS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const [newest = "", , oldest = ""] = await quietRooms(alice, 3);

      const { rooms } = await sync.connection(alice).initial({
        lists: { top: { range: [0, 0], timelineLimit: 1 } },
        subscriptions: { [oldest]: { timelineLimit: 1 } },
      });

      expectEqual(Object.keys(rooms).sort(), [newest, oldest].sort(), "the rooms");
    });
  },
);

check(
  "MSC4186.sub.unknown-ignored",
  "the server ignores subscriptions to rooms that it does not know or may not show",
  {
    mutant: [
      answersInstead("refuses them", 403, { errcode: "M_FORBIDDEN", error: "" }),
      answers("has an entry of them", { set: { "/rooms": { "!nope:example.org": {} } } }),
      answers("tells them apart", { set: { "/hidden": true } }, { contains: "!nope" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const hidden = await bob.createRoom({ preset: "private_chat", name: "hidden" });

      const bodies: JsonObject[] = [];
      for (const roomId of ["!nope:crucible.example", hidden]) {
        const connection = sync.connection(alice);
        const request = { subscriptions: { [roomId]: { timelineLimit: 5 } } };
        const { http, rooms } = await connection.initial(request);
        expectEqual(rooms, {}, `the rooms with a subscription to ${roomId}`, http);
        const { pos, ...body } = ok(http);
        bodies.push(body);
      }

      expectEqual(bodies[1], bodies[0], "the answer about the private room, as about none");
    });
  },
);

async function expectCaughtUp(world: World, passes: number): Promise<void> {
  await inEachDialect(world, async (sync) => {
    const alice = await world.user("alice");
    const [roomId, other] = await Promise.all([alice.createRoom(), alice.createRoom()]);
    const config = { timelineLimit: 5, requiredState: stateOf("m.room.name") };
    const without: SlidingRequest = { subscriptions: { [other]: config } };
    const both: SlidingRequest = { subscriptions: { [other]: config, [roomId]: config } };
    const connection = sync.connection(alice);
    await connection.initial(both);

    await connection.sync(without);
    const missed = [await alice.send(roomId, "one"), await alice.send(roomId, "two")];
    const name = await alice.setState(roomId, "m.room.name", { name: "renamed" });
    for (let pass = 0; pass < passes; pass++) {
      const fence = await alice.send(other, `pass ${pass}`);
      await connection.untilEvent(without, other, fence);
    }
    const again = await connection.sync(both);
    const last = await alice.send(roomId, "three");
    const end = await connection.untilEvent(both, roomId, last);

    const results = [again.rooms[roomId], end];
    const seen = results.flatMap(timelineOf);
    const isGapTold = results.some((result) => result?.limited === true);
    const isWhole = isGapTold || missed.every((id) => seen.includes(id));
    expectThat(isWhole, "both messages of the gap, or limited true", results);
    const isAnew = results.some((result) => result?.initial === true);
    expectThat(!isAnew, "deltas of a room that was sent before", results);
    const states = results.flatMap(stateIdsOf);
    expectThat(states.includes(name), "the name event in the required state", results);
    expectEqual(connection.view.room(roomId)?.name, "renamed", "the name that a client shows");
  });
}

const FAULTS_OF_GAPS = [
  answers("loses what happened meanwhile", { remove: ["/rooms/*/timeline/0"] }),
  forgets("sends the room anew"),
];

check(
  "MSC4186.sub.unsubscribe",
  "the server makes up for a request without the subscription",
  { mutant: FAULTS_OF_GAPS },
  async (world) => await expectCaughtUp(world, 1),
);

check(
  "MSC4186.sub.unsubscribe",
  "the server makes up for several requests without the subscription",
  { mutant: FAULTS_OF_GAPS },
  async (world) => await expectCaughtUp(world, 3),
);

check(
  "MSC4186.sub.and-list-superset",
  "the server gives a room what each of its rules asks for",
  {
    mutant: [
      NO_SUBSCRIPTIONS,
      answers("takes the smaller limit", { remove: ["/rooms/*/timeline/0"] }),
      reads("gives the state of one rule", [['"m.room.name"', '"m.room.topic"']]),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const [roomId = ""] = await quietRooms(alice, 1);
      const few = { timelineLimit: 1, requiredState: stateOf("m.room.name") };
      const many = { timelineLimit: 5, requiredState: stateOf("m.room.topic") };
      const range = [0, 9] as const;
      const requests: readonly SlidingRequest[] = [
        { lists: { few: { ...few, range } }, subscriptions: { [roomId]: many } },
        { lists: { few: { ...few, range }, many: { ...many, range } } },
      ];

      for (const [index, request] of requests.entries()) {
        const { rooms, http } = await sync.connection(alice).initial(request);

        const room = rooms[roomId];
        const what = index === 0 ? "list and subscription" : "two lists";
        expectEqual(room?.timeline?.length, 5, `the number of events with ${what}`, http);
        const keys = ["m.room.name|", "m.room.topic|"];
        expectEqual(stateKeysOf(room), keys, `the required state with ${what}`, http);
      }
    });
  },
);

async function expectOwnConfigs(world: World, last: number): Promise<void> {
  await inEachDialect(world, async (sync) => {
    const alice = await world.user("alice");
    const rooms = await quietRooms(alice, 5);
    const [top = "", ...others] = rooms.slice(0, last + 1);

    const response = await sync.connection(alice).initial({
      lists: {
        a: { range: [0, 0], timelineLimit: 3, requiredState: stateOf("m.room.create") },
        b: { range: [0, last], timelineLimit: 1 },
      },
    });

    const given = (id: string) =>
      [response.rooms[id]?.timeline?.length, stateKeysOf(response.rooms[id])] as const;
    expectEqual(given(top), [3, ["m.room.create|"]], "events and state of the top room");
    for (const id of others) {
      expectEqual(given(id), [1, []], `events and state of ${id}, lower down`, response.http);
    }
    expectEqual(at(response, "counts", "b"), rooms.length, "the count of the longer list");
  });
}

const FAULTS_OF_CONFIGS = [
  reads("applies the larger limit to all", [['"timeline_limit":1', '"timeline_limit":3']]),
  answers("applies the smaller limit to all", { remove: ["/rooms/*/timeline/-1"] }),
  reads("gives no state", [["m.room.create", "m.room.none"]]),
];

check(
  "MSC4186.sub.no-config-bleed",
  "the server leaves other rooms of a list as they are when one is in a second list, too",
  { mutant: FAULTS_OF_CONFIGS },
  async (world) => await expectOwnConfigs(world, 3),
);

check(
  "MSC4186.sub.no-config-bleed",
  "the server leaves other rooms as they are when a list of all rooms overlaps another",
  { mutant: FAULTS_OF_CONFIGS },
  async (world) => await expectOwnConfigs(world, 9),
);
