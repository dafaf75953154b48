import { path } from "#harness/http/client";
import { at, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { room, type Session, stateBefore, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { roomsIn, SYNC, sendAll } from "./syncs.ts";

const WITH_LEFT = { room: { include_leave: true } };
const HIDDEN_HISTORY = [
  { type: "m.room.history_visibility", state_key: "", content: { history_visibility: "joined" } },
];
const FULL = { full_state: true };
const NEXT = { "org.example.mark": "next" };

/** A sync from the start that has the rooms left, whatever was asked for. */
const SHOWS_LEFT = `${SYNC}?filter=${encodeURIComponent(JSON.stringify(WITH_LEFT))}`;

/** The memberships of a user that a left room's part of a /sync body tells. */
function leavesOf(user: Session, body: JsonObject, roomId: string): readonly unknown[] {
  return [...stateBefore(body, roomId, "leave"), ...timeline(body, roomId, "leave")]
    .filter(({ type, state_key }) => type === "m.room.member" && state_key === user.userId)
    .map(({ content }) => content.membership);
}

/** Syncs on until the room is under leave, and proves that it comes with the own leave event. */
async function untilLeft(
  session: Session,
  since: string,
  roomId: string,
  filter: JsonObject = {},
): Promise<string> {
  const options = { filter, deadlineMs: 5_000 };
  const left = await session.syncUntil(
    since,
    `${roomId} under leave`,
    (body) => (room(body, "leave", roomId) === undefined ? undefined : body),
    options,
  );
  const memberships = leavesOf(session, left.found, roomId);
  expectThat(memberships.includes("leave"), "the own leave event", memberships);
  return left.since;
}

/** False when the server forgets rooms on leave (v1.18): it has none to show later. */
async function keepsLeftRooms(world: World, session: Session): Promise<boolean> {
  const body = ok(await session.get("/_matrix/client/v3/capabilities"));
  const isForgetful = at(body, "capabilities", "m.forget_forced_upon_leave", "enabled") === true;
  if (isForgetful) world.note("the server forgets rooms on leave: include_leave shows none");
  return !isForgetful;
}

check(
  "CS.sync.leave",
  "the server shows a room just left once, later only by include_leave",
  {
    mutant: [
      altersAnswer(
        "hides the leave",
        { path: SYNC, contains: "since=" },
        { remove: ["/rooms/leave"] },
      ),
      altersAnswer(
        "hides the own leave event",
        { path: SYNC, contains: "since=" },
        {
          set: {
            "/rooms/leave/*/timeline/events": [],
            "/rooms/leave/*/state/events": [],
          },
        },
      ),
      altersRequest("repeats it", { path: SYNC, contains: "mark=next" }, { path: SHOWS_LEFT }),
      altersRequest(
        "always shows it",
        { path: SYNC, contains: "mark=start" },
        { path: SHOWS_LEFT },
      ),
      altersAnswer(
        "ignores include_leave",
        { path: SYNC, contains: "include_leave" },
        { remove: ["/rooms/leave"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const options = { preset: "public_chat", initial_state: HIDDEN_HISTORY };
    const [roomId, elsewhere] = [await alice.createRoom(options), await alice.createRoom(options)];
    await Promise.all([bob.join(roomId), bob.join(elsewhere)]);
    const start = await bob.syncToken();

    await bob.leave(roomId);
    const since = await untilLeft(bob, start, roomId);
    await alice.send(roomId, "after the leave");
    const marker = await alice.send(elsewhere, "elsewhere");
    const next = await bob.syncUntilEvent(since, elsewhere, marker, { query: NEXT });
    const initial = await bob.sync({ query: { "org.example.mark": "start" } });

    for (const body of [...next.bodies, initial])
      expectEqual(roomsIn(body, "leave"), [], "the rooms under leave later");
    if (!(await keepsLeftRooms(world, alice))) return;
    const withLeft = await bob.sync({ filter: WITH_LEFT });
    const full = await bob.sync({ since: start, filter: WITH_LEFT, query: FULL });
    const fullLater = await bob.sync({ since, filter: WITH_LEFT, query: FULL });
    for (const body of [withLeft, full]) {
      expectEqual(roomsIn(body, "leave"), [roomId], "the rooms under leave with include_leave");
      const memberships = leavesOf(bob, body, roomId);
      expectThat(memberships.includes("leave"), "the own leave event", memberships);
    }
    const isShown = roomsIn(fullLater, "leave").includes(roomId);
    world.note(`full_state ${isShown ? "shows" : "leaves out"} a room left before since`);
  },
);

check(
  "CS.sync.leave",
  "the server shows a rejected invite once under leave",
  {
    mutant: [
      altersAnswer(
        "hides the rejection",
        { path: SYNC, contains: "since=" },
        { remove: ["/rooms/leave"] },
      ),
      altersAnswer(
        "hides the own leave event",
        { path: SYNC, contains: "since=" },
        {
          set: {
            "/rooms/leave/*/timeline/events": [],
            "/rooms/leave/*/state/events": [],
          },
        },
      ),
      altersRequest("repeats it", { path: SYNC, contains: "mark=next" }, { path: SHOWS_LEFT }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({
      preset: "private_chat",
      initial_state: HIDDEN_HISTORY,
    });
    const start = await bob.syncToken();
    await alice.invite(roomId, bob);
    const invited = await bob.syncUntil(start, "the invite", (body) =>
      room(body, "invite", roomId),
    );

    await bob.leave(roomId);
    const since = await untilLeft(bob, invited.since, roomId);
    const next = await bob.sync({ since, query: NEXT });

    expectEqual(roomsIn(next, "leave"), [], "the rooms under leave in the next sync");
    expectEqual(room(next, "invite", roomId), undefined, "the rejected invite in the next sync");
  },
);

check(
  "CS.sync.leave",
  "the server shows a leave behind a large gap",
  {
    mutant: altersAnswer(
      "loses the leave event",
      { path: SYNC, contains: "since=" },
      { set: { "/rooms/leave/*/timeline/events": [] } },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const options = { preset: "public_chat", initial_state: HIDDEN_HISTORY };
    const [roomId, elsewhere] = [await alice.createRoom(options), await alice.createRoom(options)];
    await Promise.all([bob.join(roomId), bob.join(elsewhere)]);
    const filter = { room: { timeline: { limit: 1 } } };
    const { next_batch: since } = await bob.sync({ filter });
    const texts = Array.from({ length: 12 }, (_, index) => `message ${index}`);

    await sendAll(alice, roomId, ...texts);
    await bob.leave(roomId);
    await sendAll(alice, elsewhere, ...texts);

    await untilLeft(bob, since, roomId, filter);
  },
);

check(
  "CS.sync.leave",
  "the server shows a room left and joined again as joined only",
  {
    mutant: claims(
      "stays at the leave",
      { method: "POST", path: "/_matrix/client/v3/join/*", contains: "again" },
      { room_id: "!joined" },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const since = await bob.syncToken();

    await bob.join(roomId);
    await bob.leave(roomId);
    const again = await bob.post(path`/_matrix/client/v3/join/${roomId}`, { reason: "again" });

    ok(again);
    await world.eventually(
      async () => {
        const body = await bob.sync({ since });
        expectEqual(roomsIn(body, "join"), [roomId], "the rooms under join");
        expectEqual(roomsIn(body, "leave"), [], "the rooms under leave");
      },
      { deadlineMs: 5_000 },
    );
  },
);

check(
  "CS.sync.archived-history",
  "the server shows nothing of a left room that came after the leave",
  {
    mutant: [
      ...["in time", "the topic then"].map((known) =>
        altersAnswer(
          `shows what came later instead of ${known}`,
          { path: SYNC },
          { replace: [[`"${known}"`, '"too late"']] },
        ),
      ),
      altersAnswer(
        "shows later state",
        { path: SYNC, contains: "include_leave" },
        {
          set: {
            "/rooms/leave/*/state/events/-": {
              type: "m.room.topic",
              content: { topic: "too late" },
            },
          },
        },
      ),
      altersAnswer(
        "shows later state beside an empty timeline",
        { path: SYNC, contains: "nothing" },
        {
          set: {
            "/rooms/leave/*/state/events/-": {
              type: "m.room.topic",
              content: { topic: "too late" },
            },
          },
        },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const since = await bob.syncToken();
    await alice.setState(roomId, "m.room.topic", { topic: "the topic then" });
    await alice.send(roomId, "in time");
    await bob.leave(roomId);
    const sinceOfAlice = await alice.syncToken();
    await alice.setState(roomId, "m.room.topic", { topic: "too late" });
    const last = await alice.send(roomId, "too late");
    await alice.syncUntilEvent(sinceOfAlice, roomId, last);
    const isKept = await keepsLeftRooms(world, alice);
    const noTimeline = {
      room: { include_leave: true, timeline: { types: ["org.example.nothing"] } },
    };

    const just = await bob.sync({ since });
    const later = isKept
      ? [
          await bob.sync({ since, filter: WITH_LEFT, query: FULL }),
          await bob.sync({ filter: WITH_LEFT }),
          await bob.sync({ filter: noTimeline }),
        ]
      : [];

    for (const body of [just, ...later]) {
      const events = [...stateBefore(body, roomId, "leave"), ...timeline(body, roomId, "leave")];
      const shown = events.flatMap(({ content: { topic, body: text } }) => [topic, text]);
      expectThat(!shown.includes("too late"), "nothing from after the leave", events);
      expectThat(events.length > 0, "the left room", body.rooms);
    }
    const known = timeline(just, roomId, "leave").flatMap(({ content }) => [
      content.topic,
      content.body,
    ]);
    for (const text of ["the topic then", "in time"])
      expectThat(known.includes(text), `"${text}", from before the leave`, known);
  },
);
