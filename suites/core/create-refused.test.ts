import { path } from "#harness/http/client";
import { eventsAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { CREATE, expectNoRooms, halfMade, tryCreate } from "./creations.ts";
import { ROOM } from "./rooms.ts";

const DIRECTORY = "/_matrix/client/v3/directory/room/*";
const INVITE = `${ROOM}/invite`;
const INVALID = ["M_INVALID_PARAM", "M_BAD_JSON", "M_UNKNOWN"];

check(
  "CS.create.version-unknown",
  "the server refuses versions that it does not know, and numbers, without making a room",
  {
    mutant: [
      altersRequest(
        "makes the default version of an unknown one",
        { path: CREATE, contains: '"999"' },
        { remove: ["/room_version"] },
      ),
      altersRequest(
        "makes the default version of a number",
        { path: CREATE, contains: '"room_version":1' },
        { remove: ["/room_version"] },
      ),
      halfMade(
        "refuses and makes the default version all the same",
        { contains: '"999"' },
        ["/room_version"],
        "M_UNSUPPORTED_ROOM_VERSION",
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const unknown = await tryCreate(alice, { room_version: "999" });
    const number = await tryCreate(alice, { room_version: 1 });

    expectMatrixError(unknown, 400, "M_UNSUPPORTED_ROOM_VERSION");
    expectMatrixError(number, 400, ["M_BAD_JSON", "M_UNSUPPORTED_ROOM_VERSION"]);
    await expectNoRooms(alice);
  },
);

check(
  "CS.create.invite-malformed",
  "the server refuses a creation with a malformed invitee and leaves no room",
  {
    mutant: [
      altersRequest("leaves the invitee out", { path: CREATE }, { remove: ["/invite"] }),
      altersAnswer("fails on the invitee", { path: CREATE }, { status: 500 }),
      halfMade("leaves a room behind", {}, ["/invite"], "M_INVALID_PARAM"),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await tryCreate(alice, { invite: ["nope"] });

    expectMatrixError(response, 400, INVALID);
    await expectNoRooms(alice);
  },
);

check(
  "CS.create.invite-malformed",
  "the server refuses an invite without user and one of a malformed user",
  {
    mutant: [
      claims("takes an invite without user", { path: INVITE, contains: "{}" }, {}),
      claims("takes any text as user", { path: INVITE, contains: '"zz"' }, {}),
      altersAnswer("fails on the user", { path: INVITE, contains: '"zz"' }, { status: 500 }),
      altersAnswer(
        "refuses and invites all the same",
        { path: `${ROOM}/members` },
        {
          replace: [
            ['"chunk":[', '"chunk":[{"type":"m.room.member","state_key":"zz","content":{}},'],
          ],
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom({ preset: "private_chat" });
    const invite = path`/_matrix/client/v3/rooms/${roomId}/invite`;

    const missing = await alice.post(invite, {});
    const malformed = await alice.post(invite, { user_id: "zz" });

    expectMatrixError(missing, 400);
    expectMatrixError(malformed, 400);
    const members = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/members`);
    const users = eventsAt(ok(members), "chunk").map(({ state_key }) => state_key);
    expectEqual(users, [alice.userId], "the members", members);
  },
);

check(
  "CS.create.alias-in-use",
  "the server refuses a taken alias, leaves it where it points and makes no room",
  {
    mutant: [
      altersRequest(
        "makes the room without alias",
        { path: CREATE, contains: "second" },
        { remove: ["/room_alias_name"] },
      ),
      altersAnswer(
        "steals the alias",
        { path: DIRECTORY },
        { set: { "/room_id": "!second:example.org" } },
      ),
      halfMade(
        "refuses and makes the room all the same",
        { contains: "second" },
        ["/room_alias_name"],
        "M_ROOM_IN_USE",
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const name = world.name("alias");
    const roomId = await alice.createRoom({ room_alias_name: name, topic: "first" });

    const response = await tryCreate(bob, { room_alias_name: name, topic: "second" });

    expectMatrixError(response, 400, "M_ROOM_IN_USE");
    const alias = `#${name}:${world.server().serverName}`;
    const target = await alice.get(path`/_matrix/client/v3/directory/room/${alias}`);
    expectEqual(textAt(ok(target), "room_id"), roomId, "the alias's room", target);
    await expectNoRooms(bob);
  },
);

const OVERRIDE = "/power_level_content_override";
const BAD_OVERRIDE = ["M_BAD_JSON", "M_INVALID_ROOM_STATE", "M_UNKNOWN"];

const NO_INTEGER = { users_default: "x" };

check(
  "CS.create.pl-override-bad",
  "the server refuses power levels that are no integers",
  {
    mutant: [
      altersRequest("drops the override", { path: CREATE }, { remove: [OVERRIDE] }),
      altersAnswer("fails on the override", { path: CREATE }, { status: 500 }),
    ],
  },
  async (world) => {
    world.needs("room-version:11");
    const alice = await world.user("alice");

    const response = await tryCreate(alice, {
      room_version: "11",
      power_level_content_override: NO_INTEGER,
    });

    expectMatrixError(response, 400, BAD_OVERRIDE);
  },
);

check(
  "CS.create.pl-override-bad",
  "the server refuses power levels that list the creator of a version 12 room",
  {
    mutant: [
      altersRequest("drops the override", { path: CREATE }, { remove: [OVERRIDE] }),
      altersAnswer("fails on the override", { path: CREATE }, { status: 500 }),
    ],
  },
  async (world) => {
    world.needs("room-version:12");
    const alice = await world.user("alice");

    const response = await tryCreate(alice, {
      room_version: "12",
      power_level_content_override: { users: { [alice.userId]: 100 } },
    });

    expectMatrixError(response, 400, BAD_OVERRIDE);
  },
);

check(
  "CS.create.pl-override-bad",
  "the server leaves no room behind when it refuses power levels",
  {
    mutant: halfMade("leaves a room behind", {}, [OVERRIDE], "M_BAD_JSON"),
  },
  async (world) => {
    world.needs("room-version:11");
    const alice = await world.user("alice");

    const response = await tryCreate(alice, {
      room_version: "11",
      power_level_content_override: NO_INTEGER,
    });

    expectMatrixError(response, 400, BAD_OVERRIDE);
    await expectNoRooms(alice);
  },
);
