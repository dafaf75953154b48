import { path } from "#harness/http/client";
import { eventsAt, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { type Session, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { ids, ROOM, texts, unknownRoom, walkMessages } from "./rooms.ts";

const MESSAGES = `${ROOM}/messages`;
const CONTEXT = `${ROOM}/context/*`;
const EVENT = `${ROOM}/event/*`;
const CREATE_ROOM = "/_matrix/client/v3/createRoom";
const TIMESTAMP = "/_matrix/client/v1/rooms/*/timestamp_to_event";

function visibility(value: string) {
  return [
    { type: "m.room.history_visibility", state_key: "", content: { history_visibility: value } },
  ];
}

check(
  "CS.context.get",
  "the server answers the surroundings of an event with tokens that fit",
  {
    mutant: [
      altersAnswer(
        "is off by one at the end",
        { path: CONTEXT, contains: "limit=4" },
        { remove: ["/events_after/-1"] },
      ),
      altersAnswer(
        "is off by one at the start",
        { path: CONTEXT, contains: "limit=4" },
        { remove: ["/events_before/-1"] },
      ),
      altersAnswer("answers no state", { path: CONTEXT }, { remove: ["/state"] }),
      altersAnswer(
        "reads 0 as absent",
        { path: CONTEXT, contains: "limit=0" },
        { set: { "/events_before": [{ type: "org.example.x", content: {} }] } },
      ),
      altersAnswer(
        "skips an event behind the end token",
        { path: MESSAGES, contains: "dir=f" },
        { remove: ["/chunk/0"] },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const sent: string[] = [];
    for (let count = 0; count < 10; count++)
      sent.push(await alice.send(roomId, `message ${count}`));
    const middle = sent[5] ?? "";
    const target = path`/_matrix/client/v3/rooms/${roomId}/context/${middle}`;

    const response = await alice.get(target, { limit: 4 });
    const alone = await alice.get(target, { limit: 0 });

    const body = ok(response);
    expectEqual(textAt(body, "event", "event_id"), middle, "the event", response);
    const before = ids(eventsAt(body, "events_before"));
    const after = ids(eventsAt(body, "events_after"));
    expectThat(
      before.length + after.length <= 4,
      "at most 4 events around it",
      [before, after],
      response,
    );
    expectEqual(
      before,
      sent.slice(5 - before.length, 5).toReversed(),
      "events_before, newest first",
      response,
    );
    expectEqual(after, sent.slice(6, 6 + after.length), "events_after, oldest first", response);
    expectThat(listAt(body, "state").length > 0, "state", body.state, response);
    const back = await walkMessages(alice, roomId, { dir: "b", from: textAt(body, "start") });
    const on = await walkMessages(alice, roomId, { dir: "f", from: textAt(body, "end") });
    const older = ids(back.events.filter(({ type }) => type === "m.room.message")).toReversed();
    expectEqual(
      [...older, ...before.toReversed(), middle, ...after, ...ids(on.events)],
      sent,
      "the pages joined",
    );
    expectEqual(textAt(ok(alone), "event", "event_id"), middle, "the event with limit 0", alone);
    const around = [
      ...eventsAt(alone.json, "events_before"),
      ...eventsAt(alone.json, "events_after"),
    ];
    expectEqual(ids(around), [], "the events around it with limit 0", alone);
  },
);

check(
  "CS.context.forbidden",
  "the server hides events that one may not see, whatever room they are asked for in",
  {
    mutant: [
      altersAnswer(
        "shows events by id",
        { path: EVENT, status: [403, 404] },
        { status: 200, body: { type: "m.room.message", content: {} } },
      ),
      altersAnswer(
        "shows contexts by id",
        { path: CONTEXT, status: [403, 404] },
        { status: 200, body: { event: {} } },
      ),
      altersRequest(
        "ignores the visibility",
        { path: CREATE_ROOM },
        { replace: [['"history_visibility":"joined"', '"history_visibility":"shared"']] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, mallory] = await world.users("alice", "bob", "mallory");
    const roomId = await alice.createRoom({
      preset: "public_chat",
      initial_state: visibility("joined"),
    });
    const early = await alice.send(roomId, "before bob");
    await bob.join(roomId);
    const seen = await alice.send(roomId, "for bob");
    const foreignRoom = await mallory.createRoom();
    const ask = async (session: Session, room: string, eventId: string) => ({
      event: await session.get(path`/_matrix/client/v3/rooms/${room}/event/${eventId}`),
      context: await session.get(path`/_matrix/client/v3/rooms/${room}/context/${eventId}`),
    });

    const refused = [
      await ask(mallory, roomId, seen),
      await ask(bob, roomId, early),
      await ask(mallory, foreignRoom, seen),
    ];
    const allowed = await ask(bob, roomId, seen);

    for (const { event, context } of refused) {
      expectMatrixError(event, 404, "M_NOT_FOUND");
      expectMatrixError(context, [403, 404]);
    }
    ok(allowed.event);
    ok(allowed.context);
  },
);

const EARLY = ["before the invite", "before the join"];

interface Story {
  readonly roomId: string;
  /** Event ids by text. */
  readonly sent: ReadonlyMap<string, string>;
}

/** A private room of alice; a message before bob's invite, one before and one after he joins. */
async function tell(alice: Session, bob: Session, value: string): Promise<Story> {
  const roomId = await alice.createRoom({
    preset: "private_chat",
    initial_state: visibility(value),
  });
  const sent = new Map<string, string>();
  const send = async (text: string) => sent.set(text, await alice.send(roomId, text));
  await send("before the invite");
  await alice.invite(roomId, bob);
  await send("before the join");
  await bob.join(roomId);
  await send("after the join");
  return { roomId, sent };
}

/** Which texts of the story a user reads, by each way of reading; sync only when they are in the room. */
async function readings(
  session: Session,
  story: Story,
  isMember: boolean,
): Promise<Record<string, readonly unknown[]>> {
  const { roomId, sent } = story;
  const readable = async (kind: "event" | "context") => {
    const found: string[] = [];
    for (const [text, eventId] of sent) {
      const response = await session.get(
        path`/_matrix/client/v3/rooms/${roomId}/${kind}/${eventId}`,
      );
      if (response.status === 200) found.push(text);
      else expectMatrixError(response, [403, 404]);
    }
    return found;
  };
  const found: Record<string, readonly unknown[]> = {
    event: await readable("event"),
    context: await readable("context"),
  };
  const first = await session.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, { dir: "b" });
  if (first.status === 200) {
    const { events } = await walkMessages(session, roomId, { dir: "b" });
    found.messages = texts(events).toReversed();
  } else {
    expectMatrixError(first, 403);
    found.messages = [];
  }
  if (isMember) {
    const body = await session.sync({ filter: { room: { timeline: { limit: 50 } } } });
    found.sync = texts(timeline(body, roomId));
  }
  return found;
}

async function expectReadings(
  world: World,
  value: string,
  expected: readonly string[],
  byOutsider: readonly string[],
): Promise<void> {
  const [alice, bob, mallory] = await world.users("alice", "bob", "mallory");
  const story = await tell(alice, bob, value);

  const { sync = [], ...others } = await readings(bob, story, true);
  const outsider = await readings(mallory, story, false);

  for (const [way, found] of Object.entries(others)) {
    expectEqual(found, expected, `what a new member reads by ${way} under ${value}`);
  }
  const hidden = sync.filter((text) => !expected.includes(String(text)));
  expectEqual(hidden, [], `what sync shows a new member beyond the visible under ${value}`);
  expectThat(sync.includes("after the join"), "later messages in sync", sync);
  for (const [way, found] of Object.entries(outsider)) {
    expectEqual(found, byOutsider, `what an outsider reads by ${way} under ${value}`);
  }
}

check(
  "CS.history.visibility",
  "the server hides history from new members under joined and invited",
  {
    mutant: [
      altersRequest(
        "takes joined for shared",
        { path: CREATE_ROOM },
        { replace: [['"history_visibility":"joined"', '"history_visibility":"shared"']] },
      ),
      altersRequest(
        "takes invited for shared",
        { path: CREATE_ROOM },
        { replace: [['"history_visibility":"invited"', '"history_visibility":"shared"']] },
      ),
      altersRequest(
        "takes invited for joined",
        { path: CREATE_ROOM },
        { replace: [['"history_visibility":"invited"', '"history_visibility":"joined"']] },
      ),
      altersAnswer(
        "forgets the filter in sync",
        { path: "/_matrix/client/v3/sync" },
        {
          set: {
            "/rooms/join/*/timeline/events/-1": {
              type: "m.room.message",
              content: { body: "before the invite" },
            },
          },
        },
      ),
    ],
  },
  async (world) => {
    await expectReadings(world, "joined", ["after the join"], []);
    await expectReadings(world, "invited", ["before the join", "after the join"], []);
  },
);

check(
  "CS.history.visibility",
  "the server shows all history to members under shared and to everybody under world_readable",
  {
    mutant: [
      altersRequest(
        "takes shared for invited",
        { path: CREATE_ROOM },
        { replace: [['"history_visibility":"shared"', '"history_visibility":"invited"']] },
      ),
      altersRequest(
        "takes shared for world_readable",
        { path: CREATE_ROOM },
        { replace: [['"history_visibility":"shared"', '"history_visibility":"world_readable"']] },
      ),
      altersRequest(
        "takes world_readable for shared",
        { path: CREATE_ROOM },
        { replace: [['"history_visibility":"world_readable"', '"history_visibility":"shared"']] },
      ),
      altersAnswer(
        "forgets the filter in /context",
        { path: CONTEXT, status: 403 },
        { status: 200, body: { event: {} } },
      ),
    ],
  },
  async (world) => {
    const all = [...EARLY, "after the join"];
    await expectReadings(world, "shared", all, []);
    await expectReadings(world, "world_readable", all, all);
  },
);

check(
  "CS.history.visibility",
  "the server takes an unknown visibility for shared",
  {
    mutant: [
      altersRequest(
        "takes it for joined",
        { method: "PUT", path: `${ROOM}/state/m.room.history_visibility/` },
        { set: { "/history_visibility": "joined" } },
      ),
      altersRequest(
        "takes it for world_readable",
        { method: "PUT", path: `${ROOM}/state/m.room.history_visibility/` },
        { set: { "/history_visibility": "world_readable" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, mallory] = await world.users("alice", "bob", "mallory");
    const roomId = await alice.createRoom({ preset: "public_chat" });

    const set = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/state/m.room.history_visibility/`,
      {
        history_visibility: "zz",
      },
    );

    if (set.status !== 200) {
      expectMatrixError(set, [400, 403]);
      world.note("the server refuses an unknown history visibility");
      return;
    }
    const story = { roomId, sent: new Map([["early", await alice.send(roomId, "early")]]) };
    await bob.join(roomId);
    const { sync: _, ...byMember } = await readings(bob, story, true);
    const byOutsider = await readings(mallory, story, false);
    expectEqual(
      byMember,
      { event: ["early"], context: ["early"], messages: ["early"] },
      "what a new member reads",
    );
    expectEqual(byOutsider, { event: [], context: [], messages: [] }, "what an outsider reads");
  },
);

check(
  "CS.history.after-leave",
  "the server shows a former member nothing that was sent later",
  {
    mutant: ["joined", "invited", "shared"]
      .map((value) =>
        altersRequest(
          `lets former members read on under ${value}`,
          { path: CREATE_ROOM },
          {
            replace: [[`"history_visibility":"${value}"`, '"history_visibility":"world_readable"']],
          },
        ),
      )
      .concat(
        altersAnswer(
          "shows later events in sync",
          { path: "/_matrix/client/v3/sync" },
          {
            set: {
              "/rooms/leave/*/timeline/events/-1": {
                type: "m.room.message",
                content: { body: "later" },
              },
            },
          },
        ),
      ),
  },
  async (world) => {
    for (const value of ["joined", "invited", "shared"]) {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({
        preset: "public_chat",
        initial_state: visibility(value),
      });
      await bob.join(roomId);
      const own = await alice.send(roomId, "seen");
      await alice.kick(roomId, bob);
      const later = await alice.send(roomId, "later");

      const event = await bob.get(path`/_matrix/client/v3/rooms/${roomId}/event/${later}`);
      const { events } = await walkMessages(bob, roomId, { dir: "b" });
      const body = await bob.sync({
        filter: { room: { include_leave: true, timeline: { limit: 50 } } },
      });

      expectMatrixError(event, 404, "M_NOT_FOUND");
      const newest = events[0] ?? fail("events in /messages of a former member", "none");
      expectEqual(
        [newest.type, newest.state_key],
        ["m.room.member", bob.userId],
        `the newest event of /messages under ${value}`,
      );
      expectThat(ids(events).includes(own), "what was sent before in /messages", ids(events));
      const synced = timeline(body, roomId, "leave");
      const last = synced.at(-1) ?? fail("the left room's timeline in sync", "no events");
      expectEqual(
        [last.type, last.state_key],
        ["m.room.member", bob.userId],
        `the last event of sync under ${value}`,
      );
    }
  },
);

check(
  "CS.messages.paginate",
  "the server shows every event once in each direction, and comes to an end",
  {
    mutant: [
      altersAnswer(
        "drops events at the border",
        { path: MESSAGES, contains: "dir=b" },
        { remove: ["/chunk/-1"] },
      ),
      altersAnswer(
        "drops events forwards",
        { path: MESSAGES, contains: "dir=f" },
        { remove: ["/chunk/0"] },
      ),
      altersAnswer(
        "repeats events",
        { path: MESSAGES, contains: "dir=b" },
        { replace: [["message 13", "message 12"]] },
      ),
      claims(
        "comes to no end",
        { path: MESSAGES, contains: "dir=b" },
        { chunk: [], start: "s", end: "s" },
      ),
      altersAnswer(
        "stops short of to",
        { path: MESSAGES, contains: "to=" },
        { set: { "/chunk": [] } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const sent: string[] = [];
    for (let count = 0; count < 30; count++)
      sent.push(await alice.send(roomId, `message ${count}`));

    const back = await walkMessages(alice, roomId, { dir: "b", limit: 7 });
    const on = await walkMessages(alice, roomId, { dir: "f", limit: 7 });
    const to = back.ends[1] ?? fail("an end of the second page", "none");
    const bounded = await walkMessages(alice, roomId, { dir: "b", limit: 5, to });

    const seen = ids(back.events);
    expectEqual(seen, [...new Set(seen)], "the events, each once");
    expectEqual(seen.slice(0, 30), sent.toReversed(), "the newest 30 events");
    expectEqual(
      texts(back.events),
      sent.map((_, count) => `message ${29 - count}`),
      "the texts, newest first",
    );
    expectEqual(back.events.at(-1)?.type, "m.room.create", "the type of the last event backwards");
    expectEqual(ids(on.events), seen.toReversed(), "the events forwards");
    expectEqual(ids(bounded.events), seen.slice(0, 14), "the events up to the token in to");
  },
);

check(
  "CS.messages.errors",
  "the server refuses messages to outsiders, of unknown rooms and with bad parameters",
  {
    mutant: [
      altersAnswer(
        "answers outsiders",
        { path: MESSAGES, status: [403, 404] },
        { status: 200, body: { chunk: [], start: "s" } },
      ),
      altersAnswer(
        "fails on bad parameters",
        { path: MESSAGES, status: 400, contains: "limit=zz" },
        { status: 500 },
      ),
      claims(
        "ignores bad tokens",
        { path: MESSAGES, contains: "from=zz" },
        { chunk: [], start: "s" },
      ),
      claims(
        "ignores bad filters",
        { path: MESSAGES, contains: "filter=zz" },
        { chunk: [], start: "s" },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await alice.createRoom({ preset: "private_chat" });
    await alice.send(roomId, "secret");
    const messages = path`/_matrix/client/v3/rooms/${roomId}/messages`;

    const outsider = await mallory.get(messages, { dir: "b" });
    const unknown = await mallory.get(
      path`/_matrix/client/v3/rooms/${unknownRoom(world)}/messages`,
      { dir: "b" },
    );

    expectMatrixError(outsider, 403, "M_FORBIDDEN");
    expectMatrixError(unknown, [403, 404]);
    if (unknown.status === 404) world.note("an unknown room answers 404");
    for (const bad of [
      { dir: "x" },
      { limit: -1 },
      { limit: "zz" },
      { from: "zz" },
      { filter: "zz" },
    ]) {
      const response = await alice.get(messages, { dir: "b", ...bad });
      expectMatrixError(response, 400);
    }
  },
);

check(
  "CS.messages.errors",
  "the server refuses a missing dir or reads it as backwards",
  {
    mutant: claims(
      "reads it as nothing",
      { method: "GET", path: MESSAGES, contains: "limit=3" },
      { chunk: [], start: "s" },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const eventId = await alice.send(roomId, "newest");

    const response = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, {
      limit: 3,
    });

    if (response.status === 400) {
      expectMatrixError(response, 400);
      return;
    }
    expectEqual(
      ids(eventsAt(ok(response), "chunk"))[0],
      eventId,
      "the first event without dir",
      response,
    );
  },
);

check(
  "CS.messages.lazy",
  "the server adds the members of the returned senders when they are loaded lazily",
  {
    mutant: [
      altersAnswer("adds no state", { path: MESSAGES }, { remove: ["/state"] }),
      altersAnswer("forgets a sender", { path: MESSAGES }, { remove: ["/state/0"] }),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await Promise.all([bob.join(roomId), charlie.join(roomId)]);
    await alice.send(roomId, "by alice");
    await bob.send(roomId, "by bob");

    const response = await charlie.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, {
      dir: "b",
      limit: 2,
      filter: JSON.stringify({ lazy_load_members: true }),
    });

    expectEqual(
      texts(eventsAt(ok(response), "chunk")),
      ["by bob", "by alice"],
      "the messages",
      response,
    );
    const members = eventsAt(response.json, "state").filter(({ type }) => type === "m.room.member");
    const users = members.map(({ state_key }) => state_key);
    for (const { userId } of [alice, bob]) {
      expectThat(users.includes(userId), `the member event of ${userId} in state`, users, response);
    }
    if (users.includes(charlie.userId))
      world.note("lazy loading also returns members who sent nothing");
  },
);

check(
  "CS.timestamp.find",
  "the server finds the nearest event before and after a time, for members",
  {
    mutant: [
      altersAnswer(
        "finds another event",
        { path: TIMESTAMP, contains: "dir=f" },
        { set: { "/event_id": "$other" } },
      ),
      altersAnswer(
        "finds the next for the previous",
        { path: TIMESTAMP, contains: "dir=b" },
        { set: { "/event_id": "$other" } },
      ),
      altersAnswer(
        "always finds one",
        { path: TIMESTAMP, status: 404 },
        { status: 200, body: { event_id: "$x", origin_server_ts: 1 } },
      ),
      altersAnswer(
        "answers outsiders",
        { path: TIMESTAMP, status: 403 },
        { status: 200, body: { event_id: "$x", origin_server_ts: 1 } },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const send = async () => alice.event(roomId, await alice.send(roomId, "a message"));
    let earlier = await send();
    // Two neighbours with a moment in between, which a fast server may need several tries for.
    const later = await world.eventually(async () => {
      const next = await send();
      const previous = earlier;
      if (next.origin_server_ts - previous.origin_server_ts < 2) {
        earlier = next;
        fail(
          "messages at least 2 ms apart",
          String(next.origin_server_ts - previous.origin_server_ts),
        );
      }
      return next;
    });
    const state = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/state/m.room.create/`, {
      format: "event",
    });
    const first = Number(ok(state).origin_server_ts);
    const target = path`/_matrix/client/v1/rooms/${roomId}/timestamp_to_event`;

    const on = await alice.get(target, { dir: "f", ts: earlier.origin_server_ts + 1 });
    const back = await alice.get(target, { dir: "b", ts: later.origin_server_ts - 1 });
    const none = await alice.get(target, { dir: "b", ts: first - 1 });
    const outsider = await mallory.get(target, { dir: "f", ts: first });

    for (const [response, { event_id, origin_server_ts }] of [
      [on, later],
      [back, earlier],
    ] as const) {
      const { event_id: foundId, origin_server_ts: foundTs } = ok(response);
      expectEqual([foundId, foundTs], [event_id, origin_server_ts], "the event found", response);
    }
    expectMatrixError(none, 404, "M_NOT_FOUND");
    expectMatrixError(outsider, [403, 404]);
    if (outsider.status === 404) world.note("an outsider gets 404");
  },
);
