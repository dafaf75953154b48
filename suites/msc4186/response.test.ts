import type { Dialect } from "#harness/clients/sliding-sync/dialect";
import { ALL_STATE, allRooms } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { isObject, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import { answers, inEachDialect } from "./sync.ts";

const KNOWN = {
  top: ["pos", "lists", "rooms", "extensions"],
  list: ["count"],
  room: [
    ...["initial", "membership", "lists", "bump_stamp", "name", "avatar", "heroes", "is_dm"],
    ...["joined_count", "invited_count", "required_state", "timeline", "limited", "prev_batch"],
    ...["num_live", "expanded_timeline", "stripped_state"],
  ],
};

function valuesOf(value: unknown): readonly JsonObject[] {
  return isObject(value) ? Object.values(value).filter(isObject) : [];
}

/** Fields of an answer that the text does not have. */
function unknownFields(dialect: Dialect, body: JsonObject): readonly string[] {
  const unknown = (objects: readonly JsonObject[], known: readonly string[], where: string) =>
    objects
      .flatMap((object) => Object.keys(object))
      .filter((key) => !known.includes(key))
      .map((key) => `${where}${key}`);
  const rooms = valuesOf(body.rooms).map((room) => dialect.decodeRoom(room));
  const found = [
    ...unknown([body], KNOWN.top, ""),
    ...unknown(valuesOf(body.lists), KNOWN.list, "lists.*."),
    ...unknown(rooms, KNOWN.room, "rooms.*."),
  ];
  return [...new Set(found)].sort();
}

/** A room of each kind that answers have fields for. */
async function furnish(world: World) {
  const [alice, bob] = await world.users("alice", "bob");
  const rooms = { preset: "public_chat" };
  const named = await alice.createRoom({ name: "named", topic: "a topic" });
  await alice.setState(named, "m.room.avatar", { url: "mxc://example.org/avatar" });
  const unnamed = await alice.createRoom({ is_direct: true, preset: "public_chat" });
  await bob.join(unnamed);
  const direct = path`/_matrix/client/v3/user/${alice.userId}/account_data/m.direct`;
  ok(await alice.put(direct, { [bob.userId]: [unnamed] }));
  const invited = await bob.createRoom({ name: "invited", invite: [alice.userId] });
  const kicked = await bob.createRoom(rooms);
  await alice.join(kicked);
  await bob.kick(kicked, alice);
  const knocked = await bob.createRoom({
    initial_state: [{ type: "m.room.join_rules", content: { join_rule: "knock" } }],
  });
  ok(await alice.post(path`/_matrix/client/v3/knock/${knocked}`));
  return { alice, named, unnamed, invited, knocked };
}

const STRIPPED = ["/rooms/*/invite_state", "/rooms/*/stripped_state"];

check(
  "MSC4186.resp.schema",
  "the server sends fields of the types that the text has",
  {
    deadlineMs: 120_000,
    mutant: [
      answers("writes a stamp as text", { set: { "/rooms/*/bump_stamp": "1" } }),
      answers("counts members in text", { set: { "/rooms/*/joined_count": "1" } }),
      answers("counts no rooms", { set: { "/lists/all/count": null } }),
      answers("counts in fractions", { set: { "/rooms/*/num_live": 0.5 } }),
      answers("names heroes only", { set: { "/rooms/*/heroes": ["@alice:hs1"] } }),
      answers("knows no hero's id", { set: { "/rooms/*/heroes": [{ displayname: "Alice" }] } }),
      answers("sends no timeline but null", { set: { "/rooms/*/timeline": null } }),
      answers("sends ids for state", { set: { "/rooms/*/required_state": ["$1"] } }),
      answers("does not know whether there is a gap", { set: { "/rooms/*/limited": "true" } }),
      answers("does not know whether it is direct", { set: { "/rooms/*/is_dm": null } }),
      answers("sends nothing of an invite", { remove: STRIPPED }),
      answers("sends events without content", { remove: ["/rooms/*/timeline/*/content"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, ...rooms } = await furnish(world);
      const connection = sync.connection(alice);
      const request = {
        ...allRooms({ timelineLimit: 20, requiredState: ALL_STATE }),
        subscriptions: { [rooms.named]: { timelineLimit: 1 } },
      };

      // Each answer that is processed is held against the types.
      const first = await connection.initial(request);
      await alice.setState(rooms.named, "m.room.name", { name: "" });
      await alice.leave(rooms.unnamed);
      const eventId = await alice.send(rooms.named, "a message");
      await connection.untilEvent(request, rooms.named, eventId);

      for (const roomId of [rooms.invited, rooms.knocked]) {
        const stripped = first.rooms[roomId]?.stripped_state ?? [];
        expectThat(stripped.length > 0, `stripped state of ${roomId}`, first.rooms, first.http);
      }
      expectEqual(first.rooms[rooms.named]?.name, "named", "a name", first.http);
      for (const field of unknownFields(sync.dialect, ok(first.http))) {
        world.note(`${field} is no field of the text`);
      }
    });
  },
);
