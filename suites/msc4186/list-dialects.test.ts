/** What only one of the dialects says of lists. */
import { STABLE, UNSTABLE, UNSTABLE_PATH } from "#harness/clients/sliding-sync/dialect";
import { at, type JsonObject, listAt, objectAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import { answers, inDialect, reads } from "./sync.ts";

check(
  "MSC4186.list.room-lists-field",
  "the server names the lists that a room matches",
  {
    mutant: [
      answers("names no list", { remove: ["/rooms/*/lists"] }),
      answers("names lists always", { set: { "/rooms/*/lists": ["a", "b"] } }),
    ],
  },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const alice = await world.user("alice");
      const subscribed = await alice.createRoom();
      const listed = await alice.createRoom();
      const top = { range: [0, 0], timelineLimit: 1 } as const;

      const { rooms } = await sync.connection(alice).initial({
        lists: { a: top, b: top },
        subscriptions: { [subscribed]: { timelineLimit: 1 } },
      });

      expectEqual(rooms[listed]?.lists?.toSorted(), ["a", "b"], "the lists of the room in both");
      expectThat(rooms[subscribed] !== undefined, "the subscribed room", rooms);
      expectEqual(
        rooms[subscribed].lists,
        undefined,
        "the lists of a room that is only subscribed",
      );
    });
  },
);

check(
  "MSC4186.list.ops-legacy",
  "the server's operations, if it sends any, fit the range",
  {
    mutant: [
      answers("sends other operations", { set: { "/lists/*/ops": [{ op: "INVALIDATE" }] } }),
      answers("sends another range", {
        set: { "/lists/*/ops": [{ op: "SYNC", range: [0, 5], room_ids: [] }] },
      }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const alice = await world.user("alice");
      for (let index = 0; index < 3; index++) await alice.createRoom();

      const { http } = await sync
        .connection(alice)
        .initial({ lists: { all: { range: [0, 1], timelineLimit: 1 } } });

      const ops = at(http.json, "lists", "all", "ops");
      if (ops === undefined) return world.note("there are no operations");
      for (const op of listAt(http.json, "lists", "all", "ops")) {
        expectEqual(at(op, "op"), "SYNC", "the operation", http);
        expectEqual(at(op, "range"), [0, 1], "its range", http);
        const { length } = listAt(op, "room_ids");
        expectThat(length <= 2, "at most two room ids", length, http);
      }
    });
  },
);

async function expectTwoRanges(world: World, extensions: JsonObject): Promise<void> {
  await inDialect(world, UNSTABLE, async () => {
    const alice = await world.user("alice");
    const third = await alice.createRoom();
    await alice.createRoom();
    const first = await alice.createRoom();
    const ranges = [
      [0, 0],
      [2, 2],
    ];

    const list = { ranges, timeline_limit: 1, required_state: [] };
    const response = await alice.post(UNSTABLE_PATH, { lists: { all: list }, extensions });

    if (response.status === 400) return world.note("several ranges are refused");
    const rooms = Object.keys(objectAt(ok(response), "rooms")).sort();
    expectEqual(rooms, [first, third].sort(), "the rooms", response);
  });
}

const ONE_RANGE = reads("takes the first range only", [["[[0,0],[2,2]]", "[[0,0]]"]]);

check(
  "MSC4186.list.multi-range-legacy",
  "the server gives two ranges of a list, or refuses them",
  { mutant: ONE_RANGE },
  async (world) => await expectTwoRanges(world, {}),
);

check(
  "MSC4186.list.multi-range-legacy",
  "the server gives two ranges of a list, or refuses them, with an extension",
  { mutant: ONE_RANGE },
  async (world) => await expectTwoRanges(world, { account_data: { enabled: true } }),
);
