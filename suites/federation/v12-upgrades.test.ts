import { path } from "#harness/http/client";
import { at, type JsonObject, listAt, objectAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { LEVELS, READ_LEVELS } from "./levels.ts";

const CREATE = "m.room.create";
const READ_CREATE = { path: `/_matrix/client/v3/rooms/*/state/${CREATE}/**` };

/** The id of the new room. */
async function upgrade(user: Session, roomId: string, body: JsonObject): Promise<string> {
  const target = path`/_matrix/client/v3/rooms/${roomId}/upgrade`;
  return textAt(ok(await user.post(target, { new_version: "12", ...body })), "replacement_room");
}

check(
  "FED.v12.upgrade-new-creator",
  "the server leaves the creators out of the power levels when it upgrades a room to version 12",
  {
    mutant: [
      altersAnswer("copies the old levels", READ_LEVELS, {
        set: { "/users/@alice:example.org": 100 },
      }),
      altersAnswer("copies no levels", READ_LEVELS, { set: { "/users": {} } }),
    ],
  },
  async (world) => {
    world.needs("room-version:12");
    world.needs("room-version:11");
    const [alice, bob, charlie] = await Promise.all([
      world.user("alice"),
      world.user("bob", "hs2"),
      world.user("charlie", "hs2"),
    ]);
    const users = { [alice.userId]: 100, [bob.userId]: 100, [charlie.userId]: 50 };
    const old = await alice.createRoom({
      preset: "public_chat",
      room_version: "11",
      power_level_content_override: { users },
    });

    const roomId = await upgrade(alice, old, { additional_creators: [bob.userId] });

    const levels = await alice.state(roomId, LEVELS);
    expectEqual(objectAt(levels, "users"), { [charlie.userId]: 50 }, "the users of the new levels");
  },
);

check(
  "FED.v12.upgrade-additional-creators",
  "the server makes those the additional creators of the new room that the upgrade names",
  {
    mutant: [
      altersAnswer("drops them", READ_CREATE, { set: { "/additional_creators": [] } }),
      altersAnswer("adds those of the old room", READ_CREATE, {
        set: { "/additional_creators/-": "@carol:example.org" },
      }),
    ],
  },
  async (world) => {
    world.needs("room-version:12");
    const [alice, bob, carol] = await Promise.all([
      world.user("alice"),
      world.user("bob", "hs2"),
      world.user("carol", "hs2"),
    ]);
    const create = () =>
      alice.createRoom({
        preset: "public_chat",
        room_version: "12",
        creation_content: { additional_creators: [carol.userId] },
      });
    const first = await create();
    const second = await create();

    const named = await upgrade(alice, first, { additional_creators: [bob.userId] });
    const nobody = await upgrade(alice, second, {});

    const content = await alice.state(named, CREATE);
    expectEqual(listAt(content, "additional_creators"), [bob.userId], "those of the new room");
    const bare = at(await alice.state(nobody, CREATE), "additional_creators") ?? [];
    expectEqual(bare, [], "those of a new room for which nobody is named");
    const before = await alice.state(first, CREATE);
    expectEqual(listAt(before, "additional_creators"), [carol.userId], "those of the old room");
  },
);
