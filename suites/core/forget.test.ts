import { path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import { room, type Session } from "#harness/world/session";
import { change, REFUSED, roomsUnder, untilIn } from "./membership.ts";
import { ROOM, texts, walkMessages } from "./rooms.ts";
import { SYNC } from "./syncs.ts";

const FORGET = `${ROOM}/forget`;
const MESSAGES = `${ROOM}/messages`;
const WITH_LEFT = { room: { include_leave: true } };

/** Forgets the room and proves that its history and its place in /sync are gone. */
async function expectForgotten(session: Session, roomId: string): Promise<void> {
  const forget = await change(session, roomId, "forget");
  const history = await session.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, {
    dir: "b",
  });
  const body = await session.sync({ filter: WITH_LEFT });

  expectEqual(ok(forget), {}, "the answer", forget);
  expectMatrixError(history, 403, "M_FORBIDDEN");
  for (const section of ["join", "invite", "knock", "leave"] as const)
    expectEqual(roomsUnder(body, section), [], `the rooms under ${section}`);
}

const FORGET_MUTANTS = [
  altersAnswer("refuses to forget", { path: FORGET }, REFUSED),
  altersAnswer(
    "still shows the history",
    { path: MESSAGES, status: 403 },
    { status: 200, body: { start: "t1", chunk: [] } },
  ),
  altersAnswer(
    "still syncs the room",
    { path: SYNC, contains: "include_leave" },
    { set: { "/rooms": { leave: { "!left": {} } } } },
  ),
];

check(
  "CS.forget.flow",
  "the server forgets a room left, and shows its history again after a new invite and join",
  {
    mutant: [
      ...FORGET_MUTANTS,
      claims("only claims to forget", { path: FORGET }, {}),
      altersAnswer("loses the history", { path: MESSAGES }, { replace: [["earlier", "lost"]] }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await alice.setState(roomId, "m.room.history_visibility", { history_visibility: "shared" });
    await alice.send(roomId, "earlier than all of bob");
    await bob.join(roomId);
    await bob.leave(roomId);

    await expectForgotten(bob, roomId);

    await alice.invite(roomId, bob);
    await bob.join(roomId);
    const { events } = await walkMessages(bob, roomId, { dir: "b" });
    const shown = texts(events);
    expectThat(shown.includes("earlier than all of bob"), "the earlier message again", shown);
  },
);

check(
  "CS.forget.flow",
  "the server forgets a room after a kick",
  { mutant: FORGET_MUTANTS },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await bob.join(roomId);
    await alice.kick(roomId, bob);

    await expectForgotten(bob, roomId);
  },
);

check(
  "CS.forget.flow",
  "the server forgets a room after a rejected invite",
  { mutant: FORGET_MUTANTS },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const start = await bob.syncToken();
    const roomId = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await untilIn(bob, start, "invite", roomId);
    await bob.leave(roomId);

    await expectForgotten(bob, roomId);
  },
);

check(
  "CS.forget.still-in",
  "the server refuses to forget a room that the user is in",
  {
    mutant: [
      claims("claims to forget", { path: FORGET }, {}),
      altersAnswer("has another errcode", { path: FORGET }, { set: { "/errcode": "M_BAD_STATE" } }),
      altersAnswer("hides the room", { path: SYNC }, { remove: ["/rooms/join"] }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom({ preset: "private_chat" });

    const response = await change(alice, roomId, "forget");

    expectMatrixError(response, 400, "M_UNKNOWN");
    expectEqual(roomsUnder(await alice.sync(), "join"), [roomId], "the joined rooms in /sync");
  },
);

check(
  "CS.forget.leave-still-synced",
  "the server does not sync a room forgotten at once as joined, and may sync its leave",
  {
    mutant: [
      claims("only claims the leave", { path: `${ROOM}/leave` }, {}),
      altersAnswer("refuses to forget", { path: FORGET }, REFUSED),
      altersAnswer(
        "shows the leave as a join",
        { path: SYNC, contains: "include_leave" },
        { replace: [['"leave":{"!', '"join":{"!']] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const elsewhere = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    await bob.join(elsewhere);
    const since = await bob.syncToken();

    await bob.leave(roomId);
    const forget = await change(bob, roomId, "forget");
    const marker = await alice.send(elsewhere, "elsewhere");
    const { bodies } = await bob.syncUntilEvent(since, elsewhere, marker, { filter: WITH_LEFT });

    ok(forget);
    for (const body of bodies)
      expectEqual(room(body, "join", roomId), undefined, "the room among the joined ones");
    const isShown = bodies.some((body) => room(body, "leave", roomId) !== undefined);
    if (!isShown) world.note("the leave of a room forgotten at once is not synced");
  },
);
