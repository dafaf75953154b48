import { path } from "#harness/http/client";
import type { JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import {
  BROKEN,
  change,
  expectBanned,
  expectForbiddenOrUnknown,
  JOIN,
  JOINED_ROOMS,
  joinBy,
  joinedRooms,
  MEMBER,
  membership,
  membersSentBy,
  REFUSED,
} from "./membership.ts";
import { ROOM, setLevels, texts, unknownRoom, walkMessages } from "./rooms.ts";
import { SYNC } from "./syncs.ts";

const ROOM_JOIN = `${ROOM}/join`;
const JOINED = { room_id: "!joined" };
const AGAIN = { "org.example.mark": "again" };

check(
  "CS.join.by-id-and-alias",
  "the server lets users join a public room by id and by alias and lists it as theirs",
  {
    mutant: [
      altersAnswer(
        "does not name the room joined by id",
        { path: JOIN, contains: "by id" },
        { remove: ["/room_id"] },
      ),
      altersAnswer(
        "names the alias as room",
        { path: JOIN, contains: "by alias" },
        { set: { "/room_id": "#alias" } },
      ),
      altersAnswer("refuses the path below rooms", { path: ROOM_JOIN }, REFUSED),
      altersAnswer("lists no rooms", { path: JOINED_ROOMS }, { set: { "/joined_rooms": [] } }),
    ],
  },
  async (world) => {
    const [alice, bob, charlie, dave] = await world.users("alice", "bob", "charlie", "dave");
    const alias = world.name("alias");
    const roomId = await alice.createRoom({ preset: "public_chat", room_alias_name: alias });

    const answers = [
      await joinBy(bob, roomId, { reason: "by id" }),
      await joinBy(charlie, `#${alias}:${alice.server.serverName}`, { reason: "by alias" }),
      await change(dave, roomId, "join", { reason: "below rooms" }),
    ];

    for (const response of answers)
      expectEqual(ok(response).room_id, roomId, "room_id of the answer", response);
    for (const member of [alice, bob, charlie, dave]) {
      await world.eventually(async () =>
        expectEqual(await joinedRooms(member), [roomId], `the joined rooms of ${member.userId}`),
      );
    }
  },
);

check(
  "CS.join.by-id-and-alias",
  "the server makes no further event of joining again",
  {
    mutant: [
      altersAnswer("refuses to join again", { path: JOIN, contains: "again" }, REFUSED),
      altersAnswer(
        "makes a further event",
        { path: `${ROOM}/messages` },
        { set: { "/chunk/*/type": "m.room.member" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const alias = world.name("alias");
    const roomId = await alice.createRoom({ preset: "public_chat", room_alias_name: alias });
    await bob.join(roomId);

    const answers = [
      await joinBy(bob, roomId, {}, AGAIN),
      await joinBy(bob, `#${alias}:${bob.server.serverName}`, {}, AGAIN),
      await change(bob, roomId, "join"),
    ];
    await bob.send(roomId, "later than the joins");

    for (const response of answers)
      expectEqual(ok(response).room_id, roomId, "room_id of the answer", response);
    const joins = await membersSentBy(bob, alice, roomId);
    expectEqual(joins.length, 1, "the number of bob's member events");
  },
);

check(
  "CS.join.custom-content",
  "the server takes a join with further keys and shows those that it keeps",
  {
    mutant: [
      altersAnswer("refuses further keys", { path: JOIN }, REFUSED),
      altersRequest("changes further keys", { path: JOIN }, { set: { "/foo": "baz" } }),
      claims("claims the join", { path: JOIN }, JOINED),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });

    const response = await joinBy(bob, roomId, { foo: "bar" });

    ok(response);
    const content = await alice.state(roomId, "m.room.member", bob.userId);
    expectEqual(content?.membership, "join", "bob's membership");
    if (content?.foo === undefined) world.note("further keys of a join are dropped");
    else expectEqual(content.foo, "bar", "the further key of the join");
  },
);

check(
  "CS.join.not-invited",
  "the server refuses to join an invite-only room without invite",
  {
    mutant: [
      altersAnswer("admits by id", { path: JOIN, status: 403 }, { status: 200, body: JOINED }),
      altersAnswer(
        "admits below rooms",
        { path: ROOM_JOIN, status: 403 },
        { status: 200, body: JOINED },
      ),
      altersAnswer(
        "lists the room",
        { path: JOINED_ROOMS },
        { set: { "/joined_rooms": ["!joined"] } },
      ),
      altersAnswer(
        "shows the user as joined",
        { path: MEMBER, status: 404 },
        { status: 200, body: { membership: "join" } },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await alice.createRoom({ preset: "private_chat" });

    const answers = [await joinBy(mallory, roomId), await change(mallory, roomId, "join")];

    for (const response of answers) expectMatrixError(response, 403, "M_FORBIDDEN");
    expectEqual(await joinedRooms(mallory), [], "the joined rooms");
    expectEqual(await membership(alice, roomId, mallory), undefined, "the membership");
  },
);

check(
  "CS.join.unknown",
  "the server refuses to join what does not exist or is malformed",
  {
    mutant: [
      altersAnswer("breaks on an unknown alias", { path: JOIN, contains: "an alias" }, BROKEN),
      altersAnswer(
        "has another errcode for an unknown alias",
        { path: JOIN, contains: "an alias" },
        { set: { "/errcode": "M_FORBIDDEN" } },
      ),
      altersAnswer("breaks on an unknown id", { path: JOIN, contains: "an id" }, BROKEN),
      altersAnswer("breaks on an unknown room", { path: ROOM_JOIN }, BROKEN),
      claims("joins nothing", { path: "/_matrix/client/v3/join/zz" }, JOINED),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = unknownRoom(world);
    const alias = `#${world.name("unknown")}:${alice.server.serverName}`;

    const byAlias = await joinBy(alice, alias, { reason: "an alias" });
    const byId = [
      await joinBy(alice, roomId, { reason: "an id" }),
      await change(alice, roomId, "join"),
    ];
    const malformed = await joinBy(alice, "zz");

    expectMatrixError(byAlias, 404, "M_NOT_FOUND");
    for (const response of byId) expectMatrixError(response, [403, 404]);
    expectMatrixError(malformed, 400, ["M_INVALID_PARAM", "M_UNKNOWN"]);
    expectEqual(await joinedRooms(alice), [], "the joined rooms");
  },
);

check(
  "CS.join.banned",
  "the server refuses joins and messages of a banned user",
  {
    mutant: [
      altersAnswer("admits by id", { path: JOIN, contains: "back" }, { status: 200, body: JOINED }),
      altersAnswer(
        "admits below rooms",
        { path: ROOM_JOIN, contains: "back" },
        { status: 200, body: JOINED },
      ),
      altersAnswer(
        "takes messages",
        { path: `${ROOM}/send/**`, status: 403 },
        { status: 200, body: { event_id: "$sent" } },
      ),
      altersAnswer("ends the ban", { path: MEMBER }, { set: { "/membership": "join" } }),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await mallory.join(roomId);
    await alice.ban(roomId, mallory);

    const joins = [
      await joinBy(mallory, roomId, { reason: "back" }),
      await change(mallory, roomId, "join", { reason: "back" }),
    ];
    const message = await mallory.put(
      path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`,
      { msgtype: "m.text", body: "still here" },
    );

    for (const response of joins) expectBanned(world, response, "a banned user's join");
    expectMatrixError(message, 403, "M_FORBIDDEN");
    expectEqual(await membership(alice, roomId, mallory), "ban", "the membership");
    expectEqual(await joinedRooms(mallory), [], "the joined rooms");
  },
);

/** For a mutant: the message that a banned user must not see. */
const LATER = { type: "m.room.message", content: { body: "after ban" } };

check(
  "CS.join.banned",
  "the server shows a banned user no message sent after the ban",
  {
    mutant: [
      claims("only claims the ban", { path: `${ROOM}/ban` }, {}),
      altersAnswer("syncs later messages", { path: SYNC }, { replace: [["before the", "after"]] }),
      altersAnswer(
        "pages through later messages",
        { path: `${ROOM}/messages` },
        { status: 200, body: { start: "t1", chunk: [LATER] } },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const elsewhere = await alice.createRoom({ preset: "public_chat" });
    await mallory.join(roomId);
    await mallory.join(elsewhere);
    const since = await mallory.syncToken();
    await alice.send(roomId, "before the ban");

    await alice.ban(roomId, mallory);
    await alice.send(roomId, "after ban");
    const marker = await alice.send(elsewhere, "elsewhere");
    const { bodies } = await mallory.syncUntilEvent(since, elsewhere, marker);
    const history = await mallory.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, {
      dir: "b",
    });

    const synced = bodies.flatMap((body) => [
      ...timeline(body, roomId, "join"),
      ...timeline(body, roomId, "leave"),
    ]);
    expectThat(!texts(synced).includes("after ban"), "no later message in /sync", synced);
    if (history.status !== 200) {
      expectMatrixError(history, 403, "M_FORBIDDEN");
      world.note("a banned user cannot read what was sent before the ban");
      return;
    }
    const { events } = await walkMessages(mallory, roomId, { dir: "b" });
    expectThat(!texts(events).includes("after ban"), "no later message in /messages", events);
  },
);

function condition(allowed: string): JsonObject {
  return { type: "m.room_membership", room_id: allowed };
}

/** Who gets into a room that admits the members of another one. */
async function expectAdmission(world: World, roomVersion: string, joinRule: string): Promise<void> {
  world.needs(`room-version:${roomVersion}`);
  const [alice, bob, charlie, dave] = await world.users("alice", "bob", "charlie", "dave");
  const allowed = await alice.createRoom({ preset: "public_chat" });
  const roomId = await alice.createRoom({
    preset: "private_chat",
    room_version: roomVersion,
    invite: [dave.userId],
  });
  await dave.join(roomId);
  await setLevels(alice, roomId, { invite: 50 });
  await alice.setState(roomId, "m.room.join_rules", {
    join_rule: joinRule,
    allow: [condition(allowed)],
  });

  const outsider = await change(bob, roomId, "join", { reason: "an outsider" });
  const between = await membership(alice, roomId, bob);
  await bob.join(allowed);
  const member = await change(bob, roomId, "join", { reason: "a member" });
  const admitted = await alice.state(roomId, "m.room.member", bob.userId);
  await bob.leave(roomId);
  await bob.leave(allowed);
  const former = await change(bob, roomId, "join", { reason: "a former member" });
  await alice.invite(roomId, charlie);
  const invited = await change(charlie, roomId, "join", { reason: "invited" });

  expectMatrixError(outsider, 403, "M_FORBIDDEN");
  expectEqual(between, undefined, "bob's membership after the refusal");
  ok(member);
  expectEqual(admitted?.membership, "join", "the membership of the allowed room's member");
  const authoriser = admitted?.join_authorised_via_users_server;
  expectEqual(authoriser, alice.userId, "join_authorised_via_users_server");
  expectMatrixError(former, 403, "M_FORBIDDEN");
  expectEqual(await membership(alice, roomId, bob), "leave", "bob's membership at the end");
  ok(invited);
  const content = await alice.state(roomId, "m.room.member", charlie.userId);
  expectEqual(content?.membership, "join", "charlie's membership");
  const ofInvited = content?.join_authorised_via_users_server;
  expectEqual(ofInvited, undefined, "join_authorised_via_users_server of an invited user");
}

const ADMISSION_MUTANTS = [
  altersAnswer(
    "admits outsiders",
    { path: ROOM_JOIN, contains: "an outsider" },
    { status: 200, body: JOINED },
  ),
  altersAnswer("admits nobody", { path: ROOM_JOIN, contains: "a member" }, REFUSED),
  altersAnswer(
    "names nobody who authorised the join",
    { path: MEMBER },
    { remove: ["/join_authorised_via_users_server"] },
  ),
  altersAnswer(
    "names somebody for an invited user",
    { path: MEMBER },
    { set: { "/join_authorised_via_users_server": "@mallory:example.org" } },
  ),
  altersAnswer(
    "admits former members",
    { path: ROOM_JOIN, contains: "a former" },
    { status: 200, body: JOINED },
  ),
  altersAnswer("refuses invited users", { path: ROOM_JOIN, contains: "invited" }, REFUSED),
];

check(
  "CS.join.restricted",
  "the server admits members of the allowed room and invited users to a restricted room",
  { mutant: ADMISSION_MUTANTS },
  (world) => expectAdmission(world, "8", "restricted"),
);

check(
  "CS.join.restricted",
  "the server admits the same users to a room with the join rule knock_restricted",
  { mutant: ADMISSION_MUTANTS },
  (world) => expectAdmission(world, "10", "knock_restricted"),
);

/** What an `allow` that admits nobody looks like; a key without value is left out. */
const MANGLED: Readonly<Record<string, (allowed: string) => JsonObject>> = {
  "a missing allow": () => ({}),
  "a string as allow": () => ({ allow: "m.room_membership" }),
  "a string as condition": (allowed) => ({ allow: [allowed] }),
  "a condition without a room": () => ({ allow: [{ type: "m.room_membership" }] }),
  "a condition of unknown type": (allowed) => ({
    allow: [{ ...condition(allowed), type: "org.example.membership" }],
  }),
};

check(
  "CS.join.restricted-mangled",
  "the server admits nobody by conditions that it does not understand",
  {
    mutant: Object.keys(MANGLED).flatMap((what) => [
      altersAnswer(
        `admits by ${what}`,
        { path: ROOM_JOIN, contains: what },
        { status: 200, body: JOINED },
      ),
      altersAnswer(`breaks on ${what}`, { path: ROOM_JOIN, contains: what }, BROKEN),
    ]),
  },
  async (world) => {
    world.needs("room-version:8");
    const [alice, bob] = await world.users("alice", "bob");
    const allowed = await alice.createRoom({ preset: "public_chat" });
    await bob.join(allowed);
    const roomId = await alice.createRoom({ preset: "private_chat", room_version: "8" });
    const rules = path`/_matrix/client/v3/rooms/${roomId}/state/m.room.join_rules/`;

    for (const [what, mangle] of Object.entries(MANGLED)) {
      const put = await alice.put(rules, { join_rule: "restricted", ...mangle(allowed) });
      if (put.status !== 200) {
        expectMatrixError(put, 400);
        world.note(`join rules with ${what} cannot be set`);
        continue;
      }
      const response = await change(bob, roomId, "join", { reason: what });

      expectForbiddenOrUnknown(world, response, `a join by ${what}`);
      expectEqual(await membership(alice, roomId, bob), undefined, `the membership by ${what}`);
    }
    await alice.setState(roomId, "m.room.join_rules", {
      join_rule: "restricted",
      allow: [condition(allowed)],
    });
    ok(await change(bob, roomId, "join", { reason: "a good condition" }));
  },
);
