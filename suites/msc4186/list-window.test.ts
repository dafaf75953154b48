import { type SlidingRequest, stateOf } from "#harness/clients/sliding-sync/request";
import { createRandom } from "#harness/random";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { stateIdsOf, timelineOf } from "./results.ts";
import { answers, forgets, inEachDialect, reads } from "./sync.ts";

function window(first: number, last: number): SlidingRequest {
  const requiredState = stateOf("m.room.topic");
  return { lists: { all: { range: [first, last], timelineLimit: 5, requiredState } } };
}

check(
  "MSC4186.list.expand-only-new",
  "the server adds only the rooms that are new when a range grows",
  {
    mutant: [
      forgets("sends all rooms of the larger range", "[0,29]"),
      reads("keeps the first range", [["[0,29]", "[0,19]"]]),
      answers("takes the further rooms as known", { set: { "/rooms/*/initial": false } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const all: string[] = [];
      for (let batch = 0; batch < 5; batch++) {
        all.push(...(await Promise.all(Array.from({ length: 6 }, () => alice.createRoom()))));
      }
      const connection = sync.connection(alice);

      const first = await connection.initial(window(0, 19));
      const second = await connection.sync(window(0, 29));

      const known = Object.keys(first.rooms);
      expectEqual(known.length, 20, "the number of rooms in [0,19]", first.http);
      const missing = all.filter((id) => !known.includes(id)).sort();
      const added = Object.keys(second.rooms).sort();
      expectEqual(added, missing, "the rooms that [0,29] adds", second.http);
      const isInitial = Object.values(second.rooms).every(({ initial }) => initial === true);
      expectThat(isInitial, "initial true in each of the further rooms", second.rooms);
    });
  },
);

check(
  "MSC4186.list.shrink-and-regrow",
  "the server makes up for what happened while a room was outside the range",
  {
    mutant: [
      answers("loses what happened meanwhile", { remove: ["/rooms/*"] }, { contains: "[0,19]" }),
      forgets("sends the rooms anew", "[0,19]"),
      answers("hides the gap", {
        set: { "/rooms/*/limited": false },
        remove: ["/rooms/*/timeline/0"],
      }),
      answers("leaves out the state of the gap", { remove: ["/rooms/*/required_state"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const ids = await Promise.all(Array.from({ length: 10 }, () => alice.createRoom()));
      const [roomId = "", other = ""] = ids;
      const connection = sync.connection(alice);
      await connection.initial(window(0, 9));

      await connection.sync(window(0, 0));
      const topic = await alice.setState(roomId, "m.room.topic", { topic: "of the gap" });
      const sent = [await alice.send(roomId, "one"), await alice.send(roomId, "two")];
      const fence = await alice.send(other, "newer");
      await connection.untilEvent(window(0, 0), other, fence);
      const what = "the room that was outside";
      const result = await connection.until(window(0, 19), what, ({ rooms }) => rooms[roomId]);

      expectThat(result.initial !== true, "a delta", result);
      const events = timelineOf(result);
      const isWhole = sent.every((id) => events.includes(id)) || result.limited === true;
      expectThat(isWhole, "both messages, or limited true", result);
      expectEqual(result.num_live ?? 0, 0, "live events: all are older than the last answer");
      expectEqual(stateIdsOf(result), [topic], "the state that has changed");
    });
  },
);

check(
  "MSC4186.list.top-n-equivalence",
  "the server gives what has changed to a window that grows, the newest first",
  {
    mutant: [
      answers("leaves out changes further down", { remove: ["/rooms/*"] }, { contains: "[0,5]" }),
      reads("has another order", [["[0,1]", "[4,5]"]]),
    ],
  },
  async (world) => {
    const random = createRandom(world.name("traffic"));
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const ids = await Promise.all(Array.from({ length: 6 }, () => alice.createRoom()));
      const connection = sync.connection(alice);
      await connection.initial(window(0, 9));
      for (let round = 0; round < 4; round++) {
        const changed = new Map<string, string>();
        // All of them once, so that each window has something new.
        const messages = round === 0 ? ids.length : 2 + random.integer(4);
        for (let index = 0; index < messages; index++) {
          const roomId = ids[round === 0 ? index : random.integer(ids.length)] ?? "";
          changed.delete(roomId);
          changed.set(roomId, await alice.send(roomId, `round ${round}`));
        }
        const newestFirst = [...changed.keys()].reverse();

        const seen = new Set<string>();
        for (const last of [1, 3, 5]) {
          const { rooms, http } = await connection.sync(window(0, last));
          for (const [roomId, { timeline }] of Object.entries(rooms)) {
            const ends = timeline?.at(-1)?.event_id;
            expectEqual(ends, changed.get(roomId), `the newest event of ${roomId}`, http);
            seen.add(roomId);
          }
          const missing = newestFirst.slice(0, last + 1).filter((id) => !seen.has(id));
          expectEqual(missing, [], `changed rooms that [0,${last}] has not brought`, http);
        }

        expectEqual([...seen].sort(), newestFirst.sort(), "the rooms of all answers");
      }
    });
  },
);

check(
  "MSC4186.list.sticky-not",
  "the server forgets lists and subscriptions that a request leaves out",
  {
    mutant: [
      answers("keeps the list", { set: { "/lists": { all: { count: 1 } } } }),
      answers("keeps the rooms", {
        set: { "/rooms": { "!kept:example.org": { limited: false } } },
      }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const make = () => alice.createRoom();
      const [listed, subscribed, fence] = await Promise.all([make(), make(), make()]);
      const config = { timelineLimit: 1 };
      const lists = { all: { range: [0, 9], ...config } } as const;
      const connection = sync.connection(alice);
      await connection.initial({ lists, subscriptions: { [subscribed]: config } });
      for (const roomId of [listed, subscribed]) await alice.send(roomId, "unheard");

      const bare = await connection.sync({});
      const message = await alice.send(fence, "heard");
      const only = { subscriptions: { [fence]: config } };
      await connection.until(only, `event ${message}`, ({ rooms, counts, http }) => {
        expectEqual(counts, {}, "the lists when none is asked for", http);
        const others = Object.keys(rooms).filter((id) => id !== fence);
        expectEqual(others, [], "rooms that no rule matches", http);
        return timelineOf(rooms[fence]).includes(message) || undefined;
      });

      expectEqual(bare.counts, {}, "the lists of an answer to {}", bare.http);
      expectEqual(bare.rooms, {}, "the rooms of an answer to {}", bare.http);
    });
  },
);
