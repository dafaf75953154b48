import { type HttpResponse, path } from "#harness/http/client";
import { eventsAt, type MatrixEvent, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { ROOM, unknownRoom, walkMessages } from "./rooms.ts";

const NOT_FOUND = { errcode: "M_NOT_FOUND", error: "no" };
const FORBIDDEN = { errcode: "M_FORBIDDEN", error: "no" };

/** The whole state of a room as somebody's GET /state shows it. */
async function wholeState(session: Session, roomId: string): Promise<readonly MatrixEvent[]> {
  const response = await session.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
  return eventsAt({ state: response.status === 200 ? response.json : ok(response) }, "state");
}

function stateOf(
  events: readonly MatrixEvent[],
  type: string,
  stateKey = "",
): MatrixEvent | undefined {
  return events.find((event) => event.type === type && event.state_key === stateKey);
}

function expectClientError(response: HttpResponse): void {
  expectThat(
    response.status >= 400 && response.status < 500,
    "status 4xx",
    String(response.status),
    response,
  );
  expectMatrixError(response, response.status);
}

check(
  "CS.state.set-get",
  "the server stores state by type and state key, with and without a trailing slash",
  {
    mutant: [
      altersAnswer(
        "reads another key behind a trailing slash",
        { method: "GET", path: `${ROOM}/state/m.room.topic/` },
        { status: 404, body: NOT_FOUND },
      ),
      claims("drops state of other keys", {
        method: "PUT",
        path: `${ROOM}/state/org.example.x/key`,
      }),
      altersAnswer(
        "has no event format",
        { path: `${ROOM}/state/**`, contains: "format=event" },
        { remove: ["/event_id"] },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const bare = path`/_matrix/client/v3/rooms/${roomId}/state/m.room.topic`;
    const keyed = path`/_matrix/client/v3/rooms/${roomId}/state/org.example.x/key`;

    for (const [target, topic] of [
      [bare, "without a slash"],
      [`${bare}/`, "with a slash"],
    ] as const) {
      const put = await alice.put(target, { topic });

      const eventId = textAt(ok(put), "event_id");
      for (const reading of [bare, `${bare}/`]) {
        const content = await alice.get(reading);
        expectEqual(ok(content), { topic }, "the content", content);
        const event = await alice.get(reading, { format: "event" });
        expectContains(
          ok(event),
          {
            type: "m.room.topic",
            state_key: "",
            event_id: eventId,
            sender: alice.userId,
            room_id: roomId,
            content: { topic },
          },
          "the event",
          event,
        );
        expectThat(
          typeof ok(event).origin_server_ts === "number",
          "origin_server_ts in the event",
          ok(event),
          event,
        );
      }
    }
    ok(await alice.put(keyed, { value: "key" }));
    ok(
      await alice.put(path`/_matrix/client/v3/rooms/${roomId}/state/org.example.x/`, {
        value: "empty",
      }),
    );
    const content = await alice.get(keyed);
    expectEqual(ok(content), { value: "key" }, "the content under another key", content);
    expectEqual(
      await alice.state(roomId, "org.example.x"),
      { value: "empty" },
      "the content under the empty key",
    );
  },
);

check(
  "CS.state.idempotent",
  "the server answers equal state with the event that is there",
  {
    mutant: [
      altersAnswer(
        "refuses state that is there",
        { method: "PUT", path: `${ROOM}/state/org.example.x` },
        { status: 409, body: { errcode: "M_UNKNOWN", error: "no" } },
      ),
      altersAnswer(
        "makes further events of it",
        { path: `${ROOM}/messages` },
        { replace: [["org.example.before", "org.example.x"]] },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    await alice.setState(roomId, "org.example.before", {});

    const first = await alice.put(path`/_matrix/client/v3/rooms/${roomId}/state/org.example.x/`, {
      value: "same",
    });
    const second = await alice.put(path`/_matrix/client/v3/rooms/${roomId}/state/org.example.x`, {
      value: "same",
    });

    const eventIds = new Set([textAt(ok(first), "event_id"), textAt(ok(second), "event_id")]);
    if (eventIds.size > 1) world.note("setting equal state makes a further event");
    const { events } = await walkMessages(alice, roomId, { dir: "b" });
    const shown = events.filter(({ type }) => type === "org.example.x");
    expectEqual(shown.length, eventIds.size, "the number of events in the timeline");
  },
);

check(
  "CS.state.missing",
  "the server answers 404 for state that is not there",
  {
    mutant: claims(
      "answers an empty object",
      { method: "GET", path: `${ROOM}/state/org.example.x/**` },
      {},
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    await alice.setState(roomId, "org.example.x", { value: 1 }, "other");

    const response = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/state/org.example.x/`);

    expectMatrixError(response, 404, "M_NOT_FOUND");
  },
);

check(
  "CS.state.all",
  "the server answers the whole current state as full events, each key once",
  {
    mutant: [
      altersAnswer(
        "keeps old values",
        { path: `${ROOM}/state` },
        { replace: [["org.example.old", "org.example.x"]] },
      ),
      altersAnswer("strips the events", { path: `${ROOM}/state` }, { remove: ["/*/event_id"] }),
      altersAnswer(
        "answers the first value",
        { path: `${ROOM}/state` },
        { replace: [['"new"', '"old"']] },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    await alice.setState(roomId, "org.example.old", { value: "other" });
    await alice.setState(roomId, "org.example.x", { value: "old" });
    await alice.setState(roomId, "org.example.x", { value: "new" });

    const state = await wholeState(alice, roomId);

    const keys = state.map(({ type, state_key }) => JSON.stringify([type, state_key]));
    expectEqual(keys, [...new Set(keys)], "the types and state keys");
    for (const event of state) {
      const isFull =
        typeof event.event_id === "string" &&
        typeof event.sender === "string" &&
        typeof event.origin_server_ts === "number" &&
        typeof event.state_key === "string" &&
        event.room_id === roomId;
      expectThat(
        isFull,
        "a full event with event_id, sender, origin_server_ts, state_key and room_id",
        event,
      );
    }
    expectEqual(
      stateOf(state, "org.example.x")?.content,
      { value: "new" },
      "the content set twice",
    );
    for (const type of ["m.room.create", "m.room.power_levels", "m.room.join_rules"]) {
      expectThat(stateOf(state, type) !== undefined, `${type} in the state`, keys);
    }
    expectEqual(
      stateOf(state, "m.room.member", alice.userId)?.content.membership,
      "join",
      "alice's membership",
    );
  },
);

check(
  "CS.state.outsider",
  "the server shows no state to somebody who was never in the room",
  {
    mutant: [
      altersAnswer(
        "shows all state",
        { method: "GET", path: `${ROOM}/state`, status: 403 },
        { status: 200, body: [] },
      ),
      altersAnswer(
        "shows a room's name",
        { method: "GET", path: `${ROOM}/state/m.room.name/`, status: 403 },
        { status: 200, body: { name: "secret" } },
      ),
      altersAnswer(
        "hides world readable state",
        { path: `${ROOM}/state`, status: 200 },
        { status: 403, body: FORBIDDEN },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const secret = await alice.createRoom({ name: "secret" });
    const open = await alice.createRoom({
      name: "open",
      initial_state: [
        {
          type: "m.room.history_visibility",
          state_key: "",
          content: { history_visibility: "world_readable" },
        },
      ],
    });
    const unknown = unknownRoom(world);

    const all = await mallory.get(path`/_matrix/client/v3/rooms/${secret}/state`);
    const single = await mallory.get(path`/_matrix/client/v3/rooms/${secret}/state/m.room.name/`);
    const allUnknown = await mallory.get(path`/_matrix/client/v3/rooms/${unknown}/state`);
    const singleUnknown = await mallory.get(
      path`/_matrix/client/v3/rooms/${unknown}/state/m.room.name/`,
    );

    expectMatrixError(all, 403, "M_FORBIDDEN");
    expectMatrixError(single, 403, "M_FORBIDDEN");
    expectMatrixError(allUnknown, [403, 404]);
    expectMatrixError(singleUnknown, [403, 404]);
    if (allUnknown.status === 404) world.note("an unknown room answers 404, a private one 403");
    expectEqual(
      stateOf(await wholeState(mallory, open), "m.room.name")?.content.name,
      "open",
      "the world readable name",
    );
  },
);

check(
  "CS.state.after-leave",
  "the server shows a former member the state as of leaving",
  {
    mutant: [
      altersAnswer(
        "shows later state",
        { method: "GET", path: `${ROOM}/state` },
        { replace: [["old name", "new name"]] },
      ),
      altersAnswer(
        "shows later values",
        { method: "GET", path: `${ROOM}/state/**` },
        { replace: [["old topic", "new topic"]] },
      ),
      altersAnswer(
        "shows later members",
        { method: "GET", path: `${ROOM}/members` },
        { replace: [["old nick", "new nick"]] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await alice.createRoom({
      preset: "public_chat",
      name: "old name",
      topic: "old topic",
    });
    await alice.setState(
      roomId,
      "m.room.member",
      { membership: "join", displayname: "old nick" },
      alice.userId,
    );
    await bob.join(roomId);
    await bob.leave(roomId);
    await alice.setState(roomId, "m.room.name", { name: "new name" });
    await alice.setState(roomId, "m.room.topic", { topic: "new topic" });
    await alice.setState(
      roomId,
      "m.room.member",
      { membership: "join", displayname: "new nick" },
      alice.userId,
    );
    await charlie.join(roomId);

    const state = await wholeState(bob, roomId);
    const topic = await bob.get(path`/_matrix/client/v3/rooms/${roomId}/state/m.room.topic/`);
    const members = await bob.get(path`/_matrix/client/v3/rooms/${roomId}/members`);

    expectEqual(stateOf(state, "m.room.name")?.content.name, "old name", "the name");
    expectEqual(ok(topic).topic, "old topic", "the topic", topic);
    const chunk = eventsAt(ok(members), "chunk");
    const alicesNick = stateOf(chunk, "m.room.member", alice.userId)?.content.displayname;
    expectEqual(alicesNick, "old nick", "alice's name in the member list", members);
    for (const list of [state, chunk]) {
      expectEqual(
        stateOf(list, "m.room.member", charlie.userId),
        undefined,
        "a member who joined later",
        members,
      );
    }
  },
);

check(
  "CS.state.foreign-state-key",
  "the server refuses a state key that is another user's id",
  {
    mutant: claims("takes it", {
      method: "PUT",
      path: `${ROOM}/state/org.example.x/*`,
      contains: "foreign",
    }),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);

    const foreign = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/state/org.example.x/${bob.userId}`,
      {
        value: "foreign",
      },
    );
    const own = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/state/org.example.x/${alice.userId}`,
      {
        value: "own",
      },
    );

    expectMatrixError(foreign, 403, "M_FORBIDDEN");
    expectEqual(
      await alice.state(roomId, "org.example.x", bob.userId),
      undefined,
      "the refused state",
    );
    ok(own);
    expectEqual(
      await alice.state(roomId, "org.example.x", alice.userId),
      { value: "own" },
      "the own state",
    );
  },
);

check(
  "CS.state.forged-create",
  "the server refuses a second create event as state",
  { mutant: claims("takes it", { method: "PUT", path: `${ROOM}/state/m.room.create/` }) },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const before = stateOf(await wholeState(alice, roomId), "m.room.create");

    const response = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/state/m.room.create/`,
      { ...before?.content, "org.example.x": "forged" },
    );

    expectClientError(response);
    const after = stateOf(await wholeState(alice, roomId), "m.room.create");
    expectEqual(after?.event_id, before?.event_id, "the id of the create event");
  },
);

check(
  "CS.state.forged-create",
  "the server refuses a create event sent as a message",
  { mutant: claims("takes it", { method: "PUT", path: `${ROOM}/send/m.room.create/*` }) },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();

    const response = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/send/m.room.create/${world.name("txn")}`,
      { creator: alice.userId },
    );

    const { events } = await walkMessages(alice, roomId, { dir: "b" });
    expectEqual(
      events.filter(({ type }) => type === "m.room.create").length,
      1,
      "the number of create events",
    );
    expectClientError(response);
  },
);

check(
  "CS.state.forged-create",
  "the server refuses a member event sent as a message",
  { mutant: claims("takes it", { method: "PUT", path: `${ROOM}/send/m.room.member/*` }) },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();

    const response = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/send/m.room.member/${world.name("txn")}`,
      { membership: "leave" },
    );

    const { events } = await walkMessages(alice, roomId, { dir: "b" });
    expectEqual(
      events.filter(({ type }) => type === "m.room.member").length,
      1,
      "the number of member events",
    );
    expectClientError(response);
  },
);

check(
  "CS.state.size",
  "the server refuses types and state keys above 255 bytes and events above 65536 bytes",
  {
    mutant: [
      altersAnswer(
        "takes long keys",
        { method: "PUT", path: `${ROOM}/state/**`, status: [400, 413] },
        { status: 200, body: { event_id: "$x" } },
      ),
      altersAnswer(
        "takes large messages",
        { method: "PUT", path: `${ROOM}/send/**`, status: 413 },
        { status: 200, body: { event_id: "$x" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const large = "x".repeat(70_000);
    const put = (type: string, stateKey: string, content: object) =>
      alice.put(path`/_matrix/client/v3/rooms/${roomId}/state/${type}/${stateKey}`, content);

    const longType = await put("t".repeat(256), "", {});
    const longKey = await put("org.example.x", "k".repeat(256), {});
    const fitting = await put("t".repeat(255), "k".repeat(255), {});
    const state = await put("org.example.x", "", { large });
    const message = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`,
      {
        msgtype: "m.text",
        body: large,
      },
    );

    for (const response of [longType, longKey]) {
      expectMatrixError(response, [400, 413]);
      if (response.status === 400) world.note("a long type or state key answers 400, not 413");
    }
    ok(fitting);
    expectMatrixError(state, 413, "M_TOO_LARGE");
    expectMatrixError(message, 413, "M_TOO_LARGE");
    expectEqual(await alice.state(roomId, "org.example.x"), undefined, "the refused state");
  },
);

check(
  "CS.state.member-self-only",
  "the server lets nobody join somebody else and knows no other memberships",
  {
    mutant: [
      claims("joins another user", {
        method: "PUT",
        path: `${ROOM}/state/m.room.member/*`,
        contains: '"join"',
      }),
      claims("takes any membership", {
        method: "PUT",
        path: `${ROOM}/state/m.room.member/*`,
        contains: '"zz"',
      }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const member = path`/_matrix/client/v3/rooms/${roomId}/state/m.room.member/${bob.userId}`;

    const joined = await alice.put(member, { membership: "join" });
    const unknown = await alice.put(member, { membership: "zz" });

    expectMatrixError(joined, 403, "M_FORBIDDEN");
    expectMatrixError(unknown, [400, 403]);
    const response = await alice.get(member);
    expectStatus(response, 404);
  },
);
