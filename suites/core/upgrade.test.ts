import { path } from "#harness/http/client";
import { at, type JsonObject, numberAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { ROOM } from "./rooms.ts";

const UPGRADE = `${ROOM}/upgrade`;
const CREATE = `${ROOM}/state/m.room.create/`;
const LEVELS = `${ROOM}/state/m.room.power_levels/`;
const TOMBSTONE = `${ROOM}/state/m.room.tombstone/`;

/** State that a replacement takes over, besides the power levels. */
const CARRIED: readonly (readonly [type: string, content: JsonObject])[] = [
  ["m.room.name", { name: "carried name" }],
  ["m.room.topic", { topic: "carried topic" }],
  ["m.room.avatar", { url: "mxc://example.org/carried" }],
  ["m.room.join_rules", { join_rule: "knock" }],
  ["m.room.history_visibility", { history_visibility: "joined" }],
  ["m.room.guest_access", { guest_access: "forbidden" }],
  ["m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }],
  ["m.room.server_acl", { allow: ["*"], allow_ip_literals: false, deny: ["evil.example.org"] }],
];

function upgrade(session: Session, roomId: string, body: JsonObject) {
  return session.post(path`/_matrix/client/v3/rooms/${roomId}/upgrade`, body);
}

check(
  "CS.upgrade.flow",
  "the server carries the listed state and the local aliases over to a room with predecessor",
  {
    mutant: [
      ...CARRIED.map(([type]) =>
        altersAnswer(
          `loses ${type}`,
          { method: "GET", path: `${ROOM}/state/${type}/` },
          { status: 404, body: { errcode: "M_NOT_FOUND", error: "lost" } },
        ),
      ),
      altersRequest(
        "takes another version",
        { path: UPGRADE },
        { replace: [['"new_version":"11"', '"new_version":"9"']] },
      ),
      altersAnswer("names no predecessor", { path: CREATE }, { remove: ["/predecessor"] }),
      altersAnswer("drops the type", { path: CREATE }, { remove: ["/type"] }),
      altersAnswer("lowers the admin", { path: LEVELS }, { set: { "/users": {} } }),
      altersAnswer(
        "leaves the alias behind",
        { method: "GET", path: "/_matrix/client/v3/directory/room/*" },
        { set: { "/room_id": "!old" } },
      ),
    ],
  },
  async (world) => {
    world.needs("room-version:10");
    world.needs("room-version:11");
    const [alice, bob] = await world.users("alice", "bob");
    const localpart = world.name("room");
    const users = { [alice.userId]: 100, [bob.userId]: 42 };
    const old = await alice.createRoom({
      room_version: "10",
      preset: "private_chat",
      room_alias_name: localpart,
      creation_content: { type: "org.example.kind" },
      initial_state: CARRIED.map(([type, content]) => ({ type, state_key: "", content })),
      power_level_content_override: { users },
    });
    const levels = await alice.state(old, "m.room.power_levels");

    const response = await upgrade(alice, old, { new_version: "11" });

    const replacement = textAt(ok(response), "replacement_room");
    expectThat(replacement !== old, "another room as replacement", replacement, response);
    const create = await alice.state(replacement, "m.room.create");
    const expected = {
      room_version: "11",
      type: "org.example.kind",
      predecessor: { room_id: old },
    };
    expectContains(create, expected, "the create event");
    for (const [type, content] of CARRIED) {
      expectEqual(await alice.state(replacement, type), content, `${type} of the new room`);
    }
    const newLevels = await alice.state(replacement, "m.room.power_levels");
    expectContains(newLevels, { ...levels, users }, "the new room's power levels");
    const alias = `#${localpart}:${alice.server.serverName}`;
    const found = await alice.get(path`/_matrix/client/v3/directory/room/${alias}`);
    expectEqual(textAt(ok(found), "room_id"), replacement, "the room of the alias", found);
  },
);

check(
  "CS.upgrade.flow",
  "the server leaves a tombstone in the old room and closes it",
  {
    mutant: [
      altersAnswer(
        "names another replacement",
        { path: TOMBSTONE },
        { set: { "/replacement_room": "!other" } },
      ),
      altersAnswer("says nothing", { path: TOMBSTONE }, { remove: ["/body"] }),
      altersAnswer("keeps the levels", { path: LEVELS }, { set: { "/events_default": 0 } }),
      altersAnswer("keeps the invite level", { path: LEVELS }, { set: { "/invite": 0 } }),
      claims("takes messages on", { path: `${ROOM}/send/**`, contains: "too late" }),
      claims("takes invites on", { path: `${ROOM}/invite`, contains: "@carol" }, {}),
    ],
  },
  async (world) => {
    world.needs("room-version:10");
    world.needs("room-version:11");
    const [alice, bob, carol] = await world.users("alice", "bob", "carol");
    const old = await alice.createRoom({ room_version: "10", preset: "public_chat" });
    await bob.join(old);
    await bob.send(old, "in time");

    const response = await upgrade(alice, old, { new_version: "11" });
    const message = await bob.put(
      path`/_matrix/client/v3/rooms/${old}/send/m.room.message/${world.name("txn")}`,
      { msgtype: "m.text", body: "too late" },
    );
    const invite = await bob.post(path`/_matrix/client/v3/rooms/${old}/invite`, {
      user_id: carol.userId,
    });

    const replacement = textAt(ok(response), "replacement_room");
    const tombstone = await alice.state(old, "m.room.tombstone");
    expectEqual(tombstone?.replacement_room, replacement, "the room that the tombstone names");
    textAt(tombstone, "body");
    const levels = await alice.state(old, "m.room.power_levels");
    for (const key of ["events_default", "invite"]) {
      const level = numberAt(levels, key);
      expectThat(level > 0, `${key} of the old room above users_default, which is 0`, level);
    }
    expectMatrixError(message, 403, "M_FORBIDDEN");
    expectMatrixError(invite, 403, "M_FORBIDDEN");
  },
);

check(
  "CS.upgrade.flow",
  "the server makes the given additional creators of a version 12 replacement, without levels",
  {
    mutant: [
      altersRequest(
        "forgets the additional creators",
        { path: UPGRADE },
        { remove: ["/additional_creators"] },
      ),
      altersAnswer(
        "gives others a level too",
        { path: LEVELS },
        { set: { "/users/@other:hs1": 100 } },
      ),
      altersAnswer("forgets the others", { path: LEVELS }, { set: { "/users": {} } }),
      altersAnswer("names no predecessor", { path: CREATE }, { remove: ["/predecessor"] }),
    ],
  },
  async (world) => {
    world.needs("room-version:11");
    world.needs("room-version:12");
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const users = { [alice.userId]: 100, [bob.userId]: 100, [charlie.userId]: 50 };
    const old = await alice.createRoom({
      room_version: "11",
      preset: "public_chat",
      power_level_content_override: { users },
    });
    await Promise.all([bob.join(old), charlie.join(old)]);

    const response = await upgrade(alice, old, {
      new_version: "12",
      additional_creators: [bob.userId],
    });

    const replacement = textAt(ok(response), "replacement_room");
    const create = await alice.state(replacement, "m.room.create");
    const expected = {
      room_version: "12",
      additional_creators: [bob.userId],
      predecessor: { room_id: old },
    };
    expectContains(create, expected, "the create event");
    const levels = await alice.state(replacement, "m.room.power_levels");
    expectEqual(at(levels, "users"), { [charlie.userId]: 50 }, "users of the new power levels");
    const tombstone = await alice.state(old, "m.room.tombstone");
    expectEqual(tombstone?.replacement_room, replacement, "the room that the tombstone names");
  },
);

check(
  "CS.upgrade.errors",
  "the server refuses a bad upgrade and leaves the room as it was",
  {
    mutant: [
      altersAnswer(
        "fails on an unknown version",
        { path: UPGRADE, contains: '"999"' },
        { status: 500 },
      ),
      claims("upgrades to nothing", { path: UPGRADE, contains: "{}" }, { replacement_room: "!x" }),
      altersAnswer(
        "lets anybody upgrade",
        { path: UPGRADE, status: 403 },
        { status: 200, body: { replacement_room: "!x" } },
      ),
      altersAnswer(
        "leaves a tombstone",
        { path: TOMBSTONE },
        { status: 200, body: { body: "gone", replacement_room: "!x" } },
      ),
      altersAnswer("closes the room", { path: LEVELS }, { set: { "/events_default": 50 } }),
    ],
  },
  async (world) => {
    world.needs("room-version:10");
    world.needs("room-version:11");
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ room_version: "10", preset: "public_chat" });
    await bob.join(roomId);

    const unknown = await upgrade(alice, roomId, { new_version: "999" });
    const missing = await upgrade(alice, roomId, {});
    const byMember = await upgrade(bob, roomId, { new_version: "11" });

    expectMatrixError(unknown, 400, "M_UNSUPPORTED_ROOM_VERSION");
    expectMatrixError(missing, 400);
    expectMatrixError(byMember, 403, "M_FORBIDDEN");
    expectEqual(await alice.state(roomId, "m.room.tombstone"), undefined, "the tombstone");
    const levels = await alice.state(roomId, "m.room.power_levels");
    expectEqual(at(levels, "events_default") ?? 0, 0, "events_default");
    await bob.send(roomId, "still open");
  },
);
