import { path, type Query } from "#harness/http/client";
import { at, eventsAt, objectAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { room, type ServerClient, type Session } from "#harness/world/session";
import { ROOM } from "./rooms.ts";

const MEMBERS = `${ROOM}/members`;
const JOINED = `${ROOM}/joined_members`;

/** For mutants: one more member in the list. */
const STRANGER = { type: "m.room.member", state_key: "@stranger", content: { membership: "join" } };
const MORE = { set: { "/chunk/-": STRANGER } };

const EMPTY = { status: 200, body: { chunk: [] } };

function getMembers(reader: ServerClient, roomId: string, query: Query = {}) {
  return reader.get(path`/_matrix/client/v3/rooms/${roomId}/members`, query);
}

function getJoinedMembers(reader: ServerClient, roomId: string) {
  return reader.get(path`/_matrix/client/v3/rooms/${roomId}/joined_members`);
}

/** User and membership of each member event that GET /members answers, sorted. */
async function members(
  reader: Session,
  roomId: string,
  query: Query = {},
): Promise<readonly string[]> {
  const response = await getMembers(reader, roomId, query);
  return eventsAt(ok(response), "chunk")
    .map((event) => {
      expectEqual(event.type, "m.room.member", "the type of an event in chunk", response);
      return `${event.state_key} ${event.content.membership}`;
    })
    .toSorted();
}

async function setProfile(session: Session, name: string, avatar: string): Promise<void> {
  const profile = path`/_matrix/client/v3/profile/${session.userId}`;
  ok(await session.put(`${profile}/displayname`, { displayname: name }));
  ok(await session.put(`${profile}/avatar_url`, { avatar_url: avatar }));
}

check(
  "CS.members.list",
  "the server lists all members and filters them by membership",
  {
    mutant: [
      altersAnswer("lists other events", { path: MEMBERS }, { set: { "/chunk/0/type": "m.name" } }),
      altersAnswer("leaves one out", { path: MEMBERS }, { remove: ["/chunk/0"] }),
      altersAnswer("ignores membership", { path: MEMBERS, contains: "membership=leave" }, MORE),
      altersAnswer("ignores not_membership", { path: MEMBERS, contains: "not_membership" }, MORE),
    ],
  },
  async (world) => {
    const [alice, bob, charlie, dave] = await world.users("alice", "bob", "charlie", "dave");
    const erin = await world.user("erin");
    const roomId = await alice.createRoom({ preset: "public_chat", invite: [erin.userId] });
    for (const member of [bob, charlie, dave]) await member.join(roomId);
    await charlie.leave(roomId);
    await alice.ban(roomId, dave);

    const all = await members(alice, roomId);
    const left = await members(alice, roomId, { membership: "leave" });
    const others = await members(alice, roomId, { not_membership: "leave" });

    const present = [
      `${alice.userId} join`,
      `${bob.userId} join`,
      `${dave.userId} ban`,
      `${erin.userId} invite`,
    ].toSorted();
    const absent = [`${charlie.userId} leave`];
    expectEqual(all, [...present, ...absent].toSorted(), "the members");
    expectEqual(left, absent, "the members with membership=leave");
    expectEqual(others, present, "the members with not_membership=leave");
  },
);

check(
  "CS.members.list",
  "the server lists the members at a point before another user joined",
  {
    mutant: [
      altersAnswer("ignores at", { path: MEMBERS, contains: "at=" }, MORE),
      altersAnswer("lists nobody at a point", { path: MEMBERS, contains: "at=" }, EMPTY),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await charlie.join(roomId);
    const start = await alice.syncToken();
    const message = await alice.send(roomId, "before bob");
    const { bodies } = await alice.syncUntilEvent(start, roomId, message);
    const before = textAt(room(bodies.at(-1) ?? {}, "join", roomId), "timeline", "prev_batch");
    await bob.join(roomId);
    await charlie.leave(roomId);

    const then = await members(alice, roomId, { at: before });
    const now = await members(alice, roomId);

    const early = [`${alice.userId} join`, `${charlie.userId} join`];
    const late = [`${alice.userId} join`, `${bob.userId} join`, `${charlie.userId} leave`];
    expectEqual(then, early.toSorted(), "the members before bob joined");
    expectEqual(now, late.toSorted(), "the members now");
  },
);

check(
  "CS.members.before-join",
  "the server lists the members of before one has joined, where history is shared",
  {
    mutant: [
      altersAnswer(
        "takes one for a stranger then",
        { path: MEMBERS, contains: "at=" },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "" } },
      ),
      altersAnswer("lists who came later", { path: MEMBERS, contains: "at=" }, MORE),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await charlie.join(roomId);
    await charlie.leave(roomId);
    await bob.join(roomId);
    const filter = { room: { rooms: [roomId], timeline: { limit: 2 } } };
    const synced = room(await bob.sync({ filter }), "join", roomId) ?? {};
    const [oldest] = eventsAt(synced, "timeline", "events");
    const isBeforeLeave = oldest?.state_key === charlie.userId;

    const then = await members(bob, roomId, { at: textAt(synced, "timeline", "prev_batch") });

    const expected = [
      `${alice.userId} join`,
      `${charlie.userId} ${isBeforeLeave ? "join" : "leave"}`,
    ];
    expectEqual(then, expected.toSorted(), "the members before bob joined");
  },
);

check(
  "CS.members.list",
  "the server maps the joined users to their names and avatars",
  {
    mutant: [
      altersAnswer("has no names", { path: JOINED }, { remove: ["/joined/*/display_name"] }),
      altersAnswer("has no avatars", { path: JOINED }, { remove: ["/joined/*/avatar_url"] }),
      altersAnswer("lists who is not joined", { path: JOINED }, { set: { "/joined/@left": {} } }),
      altersAnswer("lists nobody", { path: JOINED }, { set: { "/joined": {} } }),
    ],
  },
  async (world) => {
    const [alice, bob, charlie, dave] = await world.users("alice", "bob", "charlie", "dave");
    const erin = await world.user("erin");
    await setProfile(alice, "Alice of the harbour", "mxc://example.org/alice");
    await setProfile(bob, "Bob of the tides", "mxc://example.org/bob");
    const roomId = await alice.createRoom({ preset: "public_chat", invite: [dave.userId] });
    for (const member of [bob, charlie, erin]) await member.join(roomId);
    await charlie.leave(roomId);

    const response = await getJoinedMembers(bob, roomId);

    const joined = objectAt(ok(response), "joined");
    const expected = [alice.userId, bob.userId, erin.userId].toSorted();
    expectEqual(Object.keys(joined).toSorted(), expected, "the joined users", response);
    expectContains(
      joined,
      {
        [alice.userId]: {
          display_name: "Alice of the harbour",
          avatar_url: "mxc://example.org/alice",
        },
        [bob.userId]: { display_name: "Bob of the tides", avatar_url: "mxc://example.org/bob" },
      },
      "the joined users",
      response,
    );
    if (at(joined, erin.userId, "avatar_url") === null)
      world.note("avatar_url of joined_members is null when there is none");
  },
);

check(
  "CS.members.forbidden",
  "the server shows outsiders no members of a private room",
  {
    mutant: [
      altersAnswer("lists the members", { path: MEMBERS, status: 403 }, EMPTY),
      altersAnswer(
        "lists the joined members",
        { path: JOINED, status: 403 },
        { status: 200, body: { joined: {} } },
      ),
      altersAnswer(
        "has another errcode",
        { path: MEMBERS },
        { set: { "/errcode": "M_UNAUTHORIZED" } },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await alice.createRoom({ preset: "private_chat" });

    const answers = [
      await getMembers(mallory, roomId),
      await getMembers(mallory, roomId, { membership: "join" }),
      await getJoinedMembers(mallory, roomId),
    ];

    for (const response of answers) expectMatrixError(response, 403, "M_FORBIDDEN");
  },
);

check(
  "CS.members.forbidden",
  "the server shows a user who left no joined members",
  {
    mutant: altersAnswer(
      "lists the joined members",
      { path: JOINED, status: 403 },
      { status: 200, body: { joined: {} } },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await bob.join(roomId);
    ok(await getJoinedMembers(bob, roomId));
    await bob.leave(roomId);

    const response = await getJoinedMembers(bob, roomId);

    expectMatrixError(response, 403, "M_FORBIDDEN");
  },
);
