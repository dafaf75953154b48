import { STABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms } from "#harness/clients/sliding-sync/request";
import { at, isObject, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import {
  expectRefused,
  expectTaken,
  listWith,
  many,
  postRaw,
  subscriptionWith,
  takes,
} from "./bodies.ts";
import { answers, answersInstead, inDialect, inEachDialect } from "./sync.ts";

const MAX = 100;

check(
  "MSC4186.req.not-json",
  "the server refuses a body that is not JSON",
  {
    mutant: [
      takes("a body that is not JSON"),
      answersInstead("finds no name for it", 400, { errcode: "M_UNKNOWN", error: "" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const alice = await world.user("alice");
      await expectRefused("{x", postRaw(alice, dialect, "{x"), ["M_NOT_JSON"]);
    });
  },
);

check(
  "MSC4186.req.not-object",
  "the server refuses a JSON body that is no object",
  {
    mutant: [takes("a list"), answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" })],
  },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const alice = await world.user("alice");
      const errcodes = ["M_BAD_JSON", "M_NOT_JSON", "M_INVALID_PARAM"];
      await expectRefused("[]", alice.post(dialect.path, []), errcodes);
    });
  },
);

function isEmpty(value: unknown): boolean {
  return value === undefined || (isObject(value) && Object.keys(value).length === 0);
}

check(
  "MSC4186.req.empty-body",
  "the server takes an empty object, and answers with a position and nothing else",
  {
    mutant: [
      answersInstead("demands more", 400, { errcode: "M_MISSING_PARAM", error: "" }),
      answers("gives no position", { remove: ["/pos"] }),
      answers("sends a room", { set: { "/rooms": { "!r:hs1": {} } } }),
      answers("counts a list", { set: { "/lists": { all: { count: 1 } } } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const alice = await world.user("alice");
      await alice.createRoom();

      const body = ok(await alice.post(dialect.path, {}));

      expectThat(typeof body.pos === "string" && body.pos !== "", "a position", body);
      expectThat(isEmpty(body.rooms), "no rooms", body.rooms);
      expectThat(isEmpty(body.lists), "no lists", body.lists);
    });
  },
);

check(
  "MSC4186.req.params-in-body",
  "the server reads position and timeout from the body, and not from the query",
  { mutant: answers("starts anew", { set: { "/rooms/*/initial": true } }) },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const request = allRooms({ timelineLimit: 1 });
      const connection = sync.connection(alice);
      const { pos } = await connection.initial(request);
      await connection.drain(request);

      const held = await connection.sync(request, { timeoutMs: 1_500 });
      const { path, body } = STABLE.encode(request, {});
      const anew = await alice.post(path, body, { pos, timeout: 20_000 });

      expectEqual(held.rooms, {}, "rooms when nothing happened", held.http);
      const heldMs = held.http.elapsedMs;
      expectThat(heldMs >= 1_400, "an answer after 1500 ms", `${heldMs} ms`, held.http);
      expectEqual(at(ok(anew), "rooms", roomId, "initial"), true, "initial", anew);
      expectThat(anew.durationMs < 10_000, "an answer at once", `${anew.durationMs} ms`, anew);
    });
  },
);

check(
  "MSC4186.req.max-lists",
  "the server takes 100 lists and refuses 101",
  {
    mutant: [
      takes("101 lists", '"list100"'),
      answersInstead("refuses 100", 400, { errcode: "M_INVALID_PARAM", error: "" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const alice = await world.user("alice");
      const lists = (count: number) => ({
        lists: many(count, (index) => `list${index}`, listWith(dialect)),
      });

      await expectTaken("100 lists", alice.post(dialect.path, lists(MAX)));
      const response = await alice.post(dialect.path, lists(MAX + 1));

      const errcode = String(at(response.json, "errcode"));
      // The errcode entered the text after the unstable dialect was deployed.
      const errcodes = dialect === STABLE ? ["M_INVALID_PARAM"] : [errcode];
      await expectRefused("101 lists", Promise.resolve(response), errcodes);
      if (errcode !== "M_INVALID_PARAM") world.note(`101 lists are refused with ${errcode}`);
    });
  },
);

check(
  "MSC4186.req.max-subscriptions",
  "the server takes 100 subscriptions and refuses 101",
  {
    mutant: [
      takes("101 subscriptions", '"!r100:hs1"'),
      answersInstead("refuses 100", 400, { errcode: "M_INVALID_PARAM", error: "" }),
    ],
  },
  async (world) => {
    await inDialect(world, STABLE, async ({ dialect }) => {
      const alice = await world.user("alice");
      const subscriptions = (count: number) => ({
        room_subscriptions: many(count, (index) => `!r${index}:hs1`, subscriptionWith(dialect)),
      });

      await expectTaken("100 subscriptions", alice.post(dialect.path, subscriptions(MAX)));
      const refused = alice.post(dialect.path, subscriptions(MAX + 1));

      await expectRefused("101 subscriptions", refused, ["M_INVALID_PARAM"]);
    });
  },
);

/** What of an answer two equal requests have in common. */
function essence(body: JsonObject): JsonObject {
  const rooms = Object.entries(isObject(body.rooms) ? body.rooms : {}).map(([id, room]) => {
    const ids = (field: string) => {
      const events = at(room, field);
      return Array.isArray(events) ? events.map((event) => at(event, "event_id")) : [];
    };
    return [id, [at(room, "name"), ids("timeline"), ids("required_state")]] as const;
  });
  return { rooms: Object.fromEntries(rooms), lists: body.lists };
}

const UNKNOWN = { "org.example.x": 1 };

check(
  "MSC4186.req.unknown-fields",
  "the server ignores unknown fields at all levels of a request",
  {
    mutant: [
      answersInstead(
        "refuses them",
        400,
        { errcode: "M_BAD_JSON", error: "" },
        { contains: "org.example.x" },
      ),
      answers("loses its way", { set: { "/rooms": {} } }, { contains: "org.example.x" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async ({ dialect }) => {
      const alice = await world.user("alice");
      const subscribed = await alice.createRoom({ name: "subscribed" });
      await alice.createRoom({ name: "listed" });
      const request = (more: JsonObject) => ({
        lists: { all: listWith(dialect, { ...more, filters: { is_dm: false, ...more } }) },
        room_subscriptions: { [subscribed]: subscriptionWith(dialect, more) },
        ...more,
      });

      const usual = await expectTaken("a request", alice.post(dialect.path, request({})));
      const odd = alice.post(dialect.path, request(UNKNOWN));

      const body = await expectTaken("a request with unknown fields", odd);
      expectEqual(essence(body), essence(usual), "the answer to it");
    });
  },
);
