import { path } from "#harness/http/client";
import { at, eventsAt, listAt, numberAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import { CREATE, expectNoRooms, halfMade, tryCreate } from "./creations.ts";
import { part, ROOM, setLevels, walkMessages } from "./rooms.ts";

const LEVELS = `${ROOM}/state/m.room.power_levels/`;
const CREATE_EVENT = `${ROOM}/state/m.room.create/`;
/** Of a hash in URL-safe base64. */
const ROOM_ID = /^![A-Za-z0-9_-]{43}$/;

check(
  "CS.create.v12-id",
  "the server names a version 12 room after its create event in all it serves",
  {
    mutant: [
      altersRequest(
        "keeps a server name in the id",
        { path: CREATE },
        { set: { "/room_version": "11" } },
      ),
      altersAnswer(
        "gives the create event another id",
        { path: `${ROOM}/messages` },
        { set: { "/chunk/0/event_id": "$another" } },
      ),
      altersAnswer(
        "shows another room_id in /messages",
        { path: `${ROOM}/messages` },
        { set: { "/chunk/-1/room_id": "!another" } },
      ),
      altersAnswer(
        "has no room_id on the create event",
        { path: `${ROOM}/event/*` },
        { remove: ["/room_id"] },
      ),
      altersAnswer(
        "shows another room_id in /state",
        { path: `${ROOM}/state` },
        { set: { "/0/room_id": "!another" } },
      ),
      altersAnswer(
        "shows another room_id in /members",
        { path: `${ROOM}/members` },
        { set: { "/chunk/0/room_id": "!another" } },
      ),
      altersAnswer(
        "shows another room_id in /context",
        { path: `${ROOM}/context/*` },
        { set: { "/event/room_id": "!another" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom({ room_version: "12", topic: "topic" });
    const eventId = await alice.send(roomId, "message");
    const inRoom = path`/_matrix/client/v3/rooms/${roomId}`;

    const { events } = await walkMessages(alice, roomId, { dir: "f" });
    const create = await alice.event(roomId, roomId.replace("!", "$"));
    const state = await alice.get(`${inRoom}/state`);
    const members = await alice.get(`${inRoom}/members`);
    const context = ok(await alice.get(`${inRoom}${path`/context/${eventId}`}`));

    expectThat(ROOM_ID.test(roomId), "a room id of ! and a hash", roomId);
    expectEqual(events[0]?.type, "m.room.create", "the type of the first event");
    expectEqual(events[0]?.event_id, roomId.replace("!", "$"), "the id of the create event");
    const served = [
      ...events,
      create,
      ...eventsAt({ state: state.json }, "state"),
      ...eventsAt(ok(members), "chunk"),
      ...eventsAt({ event: [context.event] }, "event"),
      ...["events_before", "events_after", "state"].flatMap((key) => eventsAt(context, key)),
    ];
    const others = served.filter((event) => event.room_id !== roomId);
    expectEqual(others, [], `events with another room_id than ${roomId}`);
  },
);

check(
  "CS.create.v12-creators",
  "the server makes the invitees of a trusted private chat creators and lists none in users",
  {
    mutant: [
      altersRequest(
        "lists the creator with 100",
        { path: CREATE },
        { set: { "/room_version": "11" } },
      ),
      altersRequest(
        "does not trust the invitees",
        { path: CREATE },
        { set: { "/preset": "private_chat" } },
      ),
      altersRequest(
        "replaces the given creators by the invitees",
        { path: CREATE },
        { remove: ["/creation_content"] },
      ),
      altersAnswer(
        "names a creator twice",
        { path: CREATE_EVENT },
        { set: { "/additional_creators/-": "@bob:example.org" } },
      ),
      altersAnswer(
        "asks no more than state_default for a tombstone",
        { path: LEVELS },
        { set: { "/events/m.room.tombstone": 50 } },
      ),
      altersAnswer(
        "knows no level for a tombstone",
        { path: LEVELS },
        { remove: ["/events/m.room.tombstone"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");

    const roomId = await alice.createRoom({
      room_version: "12",
      preset: "trusted_private_chat",
      invite: [bob.userId],
      creation_content: { additional_creators: [charlie.userId] },
    });

    const levels = await alice.state(roomId, "m.room.power_levels");
    const users = Object.keys(part(levels, "users"));
    const creators = [alice.userId, bob.userId, charlie.userId];
    expectEqual(
      users.filter((user) => creators.includes(user)),
      [],
      "creators among the users of the power levels",
    );
    const tombstone = numberAt(levels, "events", "m.room.tombstone");
    const stateDefault = Number(at(levels, "state_default") ?? 50);
    expectThat(
      tombstone > stateDefault,
      `a level of m.room.tombstone above state_default ${stateDefault}`,
      String(tombstone),
    );
    const content = await alice.state(roomId, "m.room.create");
    const additional = [...listAt(content, "additional_creators")].sort();
    expectEqual(additional, [bob.userId, charlie.userId].sort(), "additional_creators");
  },
);

check(
  "CS.create.v12-creators",
  "the server lets an invitee of a trusted private chat kick an admin",
  {
    mutant: [
      altersAnswer(
        "refuses the invitee's kick",
        { path: `${ROOM}/kick` },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } },
      ),
      altersRequest(
        "does not trust the invitees",
        { path: CREATE },
        { set: { "/preset": "private_chat" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, dave] = await world.users("alice", "bob", "dave");
    const roomId = await alice.createRoom({
      room_version: "12",
      preset: "trusted_private_chat",
      invite: [bob.userId],
    });
    await bob.join(roomId);
    await alice.invite(roomId, dave);
    await dave.join(roomId);
    await setLevels(alice, roomId, { users: { [dave.userId]: 100 } });

    const kick = await bob.post(path`/_matrix/client/v3/rooms/${roomId}/kick`, {
      user_id: dave.userId,
    });

    ok(kick);
    const member = await alice.state(roomId, "m.room.member", dave.userId);
    expectEqual(member?.membership, "leave", "the admin's membership");
  },
);

check(
  "CS.create.v12-creators-invalid",
  "the server refuses malformed additional_creators and makes no room",
  {
    mutant: [
      altersRequest(
        "leaves malformed creators out",
        { path: CREATE, contains: '["zz"]' },
        { remove: ["/creation_content"] },
      ),
      altersRequest(
        "leaves text out",
        { path: CREATE, contains: ':"@' },
        { remove: ["/creation_content"] },
      ),
      altersAnswer("fails on objects", { path: CREATE, contains: "[{}]" }, { status: 500 }),
      halfMade("leaves a room behind", { contains: "[{}]" }, ["/creation_content"], "M_BAD_JSON"),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    for (const creators of [["zz"], alice.userId, [{}]]) {
      const response = await tryCreate(alice, {
        room_version: "12",
        creation_content: { additional_creators: creators },
      });

      expectMatrixError(response, 400);
    }
    await expectNoRooms(alice);
  },
);
