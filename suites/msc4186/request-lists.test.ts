import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { at, eventsAt, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import {
  expectRefused,
  expectTaken,
  listWith,
  subscriptionWith,
  takes,
  windowOf,
} from "./bodies.ts";
import { answers, answersInstead, inEachDialect, type Sync } from "./sync.ts";

const BROKEN = answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" });
const BAD_JSON = { errcode: "M_BAD_JSON", error: "" };

function askList({ dialect }: Sync, session: Session, fields: JsonObject, key = "all") {
  return session.post(dialect.path, { lists: { [key]: listWith(dialect, fields) } });
}

const LONGEST = "k".repeat(255);
/** A limit of MSC3575, whose list keys were shorter. */
const LONGEST_UNSTABLE = 64;

check(
  "MSC4186.req.list-key-grammar",
  "the server does not break at a list key outside the grammar",
  { mutant: BROKEN },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      for (const key of ["a b", "", `${LONGEST}k`]) {
        const { status } = await askList(sync, alice, {}, key);

        const what = `a list key of ${key.length} characters${key === "a b" ? ", one a space" : ""}`;
        expectThat([200, 400].includes(status), `200 or 400 to ${what}`, status);
        if (status === 200) world.note(`the server takes ${what}`);
      }
    });
  },
);

check(
  "MSC4186.req.list-key-legal",
  "the server takes list keys within the grammar, and answers under them",
  {
    mutant: [
      answersInstead("refuses them", 400, BAD_JSON),
      answers("answers under another key", { replace: [["A-z.0_9~", "other"]] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      for (const key of ["a", "A-z.0_9~", LONGEST.slice(0, LONGEST_UNSTABLE), LONGEST]) {
        const response = await askList(sync, alice, {}, key);

        if (sync.dialect === UNSTABLE && key === LONGEST && response.status === 400) {
          world.note(`the unstable dialect refuses list keys of ${key.length} characters`);
          continue;
        }
        const what = `a list key of ${key.length} characters`;
        const body = await expectTaken(what, Promise.resolve(response));
        expectEqual(Object.keys(at(body, "lists") ?? {}), [key], "the lists", response);
      }
    });
  },
);

check(
  "MSC4186.req.list-required-fields",
  "the server refuses a list without a timeline limit, and one without required state",
  { mutant: [takes("a list without them"), BROKEN] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      for (const field of ["timeline_limit", "required_state"]) {
        const asked = askList(sync, alice, { [field]: undefined });
        await expectRefused(`a list without ${field}`, asked);
      }
    });
  },
);

check(
  "MSC4186.req.subscription-required-fields",
  "the server refuses a subscription without a timeline limit, and one without required state",
  { mutant: [takes("a subscription without them"), BROKEN] },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      for (const field of ["timeline_limit", "required_state"]) {
        const config = subscriptionWith(dialect, { [field]: undefined });
        const asked = alice.post(dialect.path, { room_subscriptions: { [roomId]: config } });
        await expectRefused(`a subscription without ${field}`, asked);
      }
    });
  },
);

check(
  "MSC4186.req.timeline-limit-type",
  "the server refuses a timeline limit that is no integer",
  {
    mutant: [
      takes("a string", '"timeline_limit":"1"'),
      takes("a fraction", '"timeline_limit":1.5'),
      takes("null", '"timeline_limit":null'),
      takes("a boolean", '"timeline_limit":true'),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      for (const value of ["1", 1.5, null, true]) {
        const asked = askList(sync, alice, { timeline_limit: value });
        const what = `timeline_limit ${JSON.stringify(value)}`;
        await expectRefused(what, asked, ["M_BAD_JSON", "M_INVALID_PARAM"]);
      }
    });
  },
);

check(
  "MSC4186.req.timeline-limit-negative",
  "the server refuses a negative timeline limit, or sends no timeline for it",
  {
    mutant: [
      BROKEN,
      answersInstead("sends events", 200, {
        pos: "1",
        rooms: { "!r:hs1": { timeline: [{ type: "m.room.message", content: {} }] } },
      }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await alice.send(await alice.createRoom(), "a message");

      const response = await askList(sync, alice, { timeline_limit: -1 });

      if (response.status !== 200) {
        await expectRefused("timeline_limit -1", Promise.resolve(response));
        return;
      }
      for (const room of Object.values(at(response.json, "rooms") ?? {})) {
        expectEqual(eventsAt(room, "timeline"), [], "the timeline", response);
      }
    });
  },
);

const MESSAGES = 1_200;
const AT_ONCE = 10;

check(
  "MSC4186.req.timeline-limit-cap",
  "the server does not refuse a timeline limit that is more than it serves",
  { mutant: answersInstead("refuses it", 400, BAD_JSON), deadlineMs: 300_000 },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      // Whether it refuses does not depend on how much there is.
      await expectTaken("timeline_limit 5000", askList(sync, alice, { timeline_limit: 5_000 }));
      for (let sent = 0; sent < MESSAGES; sent += AT_ONCE) {
        await Promise.all(
          Array.from({ length: AT_ONCE }, (_, index) => alice.send(roomId, `${sent + index}`)),
        );
      }

      const { rooms } = await sync.connection(alice).initial(allRooms({ timelineLimit: 5_000 }));

      const { timeline = [], limited = false, prev_batch: from } = rooms[roomId] ?? {};
      if (timeline.length >= MESSAGES) return;
      expectEqual(limited, true, `limited, with ${timeline.length} of ${MESSAGES} messages`);
      const query = { dir: "b", from, limit: 1 };
      const older = ok(await alice.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, query));
      const [next] = eventsAt(older, "chunk");
      const known = timeline.some(({ event_id }) => event_id === next?.event_id);
      expectThat(next !== undefined && !known, "an event before the timeline", older);
    });
  },
);

check(
  "MSC4186.req.range-type",
  "the server refuses a range that is no pair of non-negative integers",
  {
    mutant: [
      takes("one number", "[0]"),
      takes("three numbers", "[0,1,2]"),
      takes("a negative number", "[-1,2]"),
      takes("strings", '["0","1"]'),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      for (const range of [[0], [0, 1, 2], [-1, 2], ["0", "1"]]) {
        const asked = askList(sync, alice, windowOf(sync.dialect, range));
        await expectRefused(`the range ${JSON.stringify(range)}`, asked);
      }
    });
  },
);

check(
  "MSC4186.req.range-inverted",
  "the server selects nothing by an inverted range, or refuses it",
  {
    mutant: [
      BROKEN,
      answers("selects a room", { set: { "/rooms": { "!r:hs1": {} } } }),
      answers("counts what is in range", { set: { "/lists/all/count": 0 } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      for (let room = 0; room < 4; room++) await alice.createRoom();

      const response = await askList(sync, alice, windowOf(sync.dialect, [5, 2]));

      if (response.status !== 200) {
        await expectRefused("the range [5,2]", Promise.resolve(response));
        return;
      }
      expectEqual(Object.keys(at(response.json, "rooms") ?? {}), [], "the rooms", response);
      expectEqual(at(response.json, "lists", "all", "count"), 4, "the count", response);
    });
  },
);

async function threeRooms(sync: Sync): Promise<{ alice: Session; roomIds: readonly string[] }> {
  const alice = await sync.world.user("alice");
  const roomIds: string[] = [];
  for (let room = 0; room < 3; room++) roomIds.push(await alice.createRoom());
  return { alice, roomIds: roomIds.sort() };
}

const WITHOUT_RANGE: SlidingRequest = { lists: { all: { timelineLimit: 1 } } };

check(
  "MSC4186.req.range-absent",
  "the server sends all rooms of a list without a range",
  {
    mutant: [
      answers("sends none", { set: { "/rooms": {} } }),
      answers("counts none", { set: { "/lists/all/count": 0 } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, roomIds } = await threeRooms(sync);

      const { rooms, counts, http } = await sync.connection(alice).initial(WITHOUT_RANGE);

      expectEqual(Object.keys(rooms).sort(), roomIds, "the rooms", http);
      expectEqual(counts.all, 3, "the count", http);
    });
  },
);

check(
  "MSC4186.req.range-absent",
  "the server takes a list without a range together with an extension about rooms",
  { mutant: BROKEN },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice } = await threeRooms(sync);
      const extensions = { [sync.dialect.extensions.typing]: { enabled: true } };
      const { path, body } = sync.dialect.encode({ ...WITHOUT_RANGE, extensions }, {});

      await expectTaken("a list without a range, with typing", alice.post(path, body));
    });
  },
);

check(
  "MSC4186.req.bad-required-state",
  "the server refuses required state of the wrong form",
  { mutant: [takes("it"), BROKEN] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const malformed =
        sync.dialect === UNSTABLE
          ? [[["a"]], [[1, 2]]]
          : [{ include: {} }, { exclude: "m.room.name" }];
      for (const value of malformed) {
        const asked = askList(sync, alice, { required_state: value });
        await expectRefused(`required_state ${JSON.stringify(value)}`, asked);
      }
    });
  },
);
