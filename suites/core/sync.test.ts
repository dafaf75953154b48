import { awakeMs } from "#harness/awake";
import { path } from "#harness/http/client";
import {
  at,
  eventsAt,
  isObject,
  type JsonObject,
  listAt,
  objectAt,
  textAt,
} from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { stateBefore, timeline } from "#harness/world/session";
import { ids, texts } from "./rooms.ts";
import { folded, presentState, roomsIn, SYNC, sendAll, syncWith } from "./syncs.ts";

const UNSEEN = { set_presence: "offline" };
/** Presence would be news, too. */
const NO_PRESENCE = { presence: { types: [] } };
/** An unknown parameter, which servers ignore; it marks the request. */
const IDLE = { "org.example.mark": "idle" };

check(
  "CS.sync.initial",
  "the server answers an initial sync with the state at the start of the timeline",
  {
    mutant: [
      altersAnswer("has no next_batch", { path: SYNC }, { remove: ["/next_batch"] }),
      altersAnswer(
        "has no prev_batch",
        { path: SYNC },
        { remove: ["/rooms/join/*/timeline/prev_batch"] },
      ),
      altersAnswer(
        "says nothing of limited",
        { path: SYNC },
        { remove: ["/rooms/join/*/timeline/limited"] },
      ),
      altersAnswer(
        "takes the state at the end of the timeline",
        { path: SYNC },
        { replace: [["at the start", "at the end"]] },
      ),
      altersAnswer(
        "leaves state out",
        { path: SYNC },
        { remove: ["/rooms/join/*/state/events/0"] },
      ),
      altersAnswer(
        "leaks room_id in the timeline",
        { path: SYNC },
        { set: { "/rooms/join/*/timeline/events/*/room_id": "!x" } },
      ),
      altersAnswer(
        "leaks room_id in the state",
        { path: SYNC },
        { set: { "/rooms/join/*/state/events/*/room_id": "!x" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat", topic: "at the start" });
    await bob.join(roomId);
    await sendAll(bob, roomId, "one", "two", "three");
    const topic = await alice.setState(roomId, "m.room.topic", { topic: "at the end" });
    const last = await alice.send(roomId, "last");

    const filter = { room: { timeline: { limit: 3 } } };
    const body = await syncWith(world, bob, { filter }, roomId, last);

    const shown = objectAt(body, "rooms", "join", roomId, "timeline");
    expectEqual(shown.limited, true, "limited");
    textAt(shown, "prev_batch");
    const [inState, inTimeline] = [stateBefore(body, roomId), timeline(body, roomId)];
    expectEqual(ids(inTimeline).slice(-2), [topic, last], "the end of the timeline");
    const topics = inState.filter(({ type }) => type === "m.room.topic");
    expectEqual(
      topics.map(({ content }) => content.topic),
      ["at the start"],
      "the topics in the state",
    );
    const twice = ids(inState).filter((id) => ids(inTimeline).includes(id));
    expectEqual(twice, [], "events in state and timeline");
    for (const { type, room_id } of [...inState, ...inTimeline]) {
      if (type !== "m.room.create") expectEqual(room_id, undefined, `room_id of an ${type} event`);
    }
    expectEqual(
      folded(body, roomId),
      await presentState(bob, roomId),
      "state and timeline together",
    );
  },
);

check(
  "CS.sync.incremental",
  "the server shows each event once, and no room without news",
  {
    mutant: [
      altersAnswer(
        "drops an event and repeats another",
        { path: SYNC },
        { replace: [['"message 3"', '"message 2"']] },
      ),
      altersAnswer(
        "shows an unchanged room",
        { path: SYNC, contains: "mark=idle" },
        { set: { "/rooms": { join: { "!unchanged": {} } } } },
      ),
      altersAnswer(
        "repeats the state",
        { path: SYNC, contains: "since=" },
        {
          set: {
            "/rooms/join/*/state": {
              events: [{ type: "m.room.topic", content: {}, event_id: "$" }],
            },
          },
        },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const here = await alice.createRoom({ preset: "public_chat" });
    const there = await alice.createRoom({ preset: "public_chat" });
    await Promise.all([bob.join(here), bob.join(there)]);
    const start = await bob.syncToken();
    const messages = Array.from({ length: 12 }, (_, index) => `message ${index}`);
    const filter = { room: { timeline: { limit: 50 } } };

    const idle = await bob.sync({ since: start, filter, query: IDLE });
    const last = `message ${messages.length}`;
    const [seen] = await Promise.all([
      bob.syncUntil(
        idle.next_batch,
        last,
        (body) => texts(timeline(body, here)).includes(last) || undefined,
        // The sending of all is part of it.
        { filter, deadlineMs: 25_000 },
      ),
      sendAll(alice, here, ...messages, last),
    ]);
    const idleAgain = await bob.sync({ since: seen.since, filter, query: IDLE });

    for (const body of [idle, idleAgain])
      expectEqual(roomsIn(body, "join"), [], "the rooms of a sync without news");
    const events = seen.bodies.flatMap((body) => timeline(body, here));
    expectEqual(texts(events), [...messages, last], "the messages of all syncs");
    expectEqual(new Set(ids(events)).size, messages.length + 1, "the number of event ids");
    for (const body of seen.bodies) {
      const others = roomsIn(body, "join").filter((roomId) => roomId !== here);
      expectEqual(others, [], "the rooms without news");
      expectEqual(ids(stateBefore(body, here)), [], "the state before a timeline without a gap");
    }
  },
);

check(
  "CS.sync.incremental",
  "the server shows a room just created or joined with its full state, once",
  {
    mutant: [
      altersAnswer(
        "leaves the new room out",
        { path: SYNC, contains: "since=" },
        { set: { "/rooms/join": {} } },
      ),
      altersAnswer(
        "shows the timeline only",
        { path: SYNC, contains: "since=" },
        { set: { "/rooms/join/*/state/events": [] } },
      ),
      altersRequest("starts again", { path: SYNC, contains: "mark=next" }, { path: SYNC }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const [ofBob, old] = await Promise.all([
      bob.createRoom({ preset: "public_chat", topic: "a topic", name: "a name" }),
      alice.createRoom(),
    ]);
    await sendAll(bob, ofBob, "one", "two", "three", "four");
    const start = await alice.syncToken();
    const filter = { room: { timeline: { limit: 3 } } };
    const next = { "org.example.mark": "next" };

    await alice.join(ofBob);
    const hello = await alice.send(ofBob, "hello");
    const joined = await syncWith(world, alice, { since: start, filter }, ofBob, hello);
    const afterJoin = await alice.sync({ since: joined.next_batch, filter, query: next });
    const created = await alice.createRoom({ topic: "a topic" });
    const first = await alice.send(created, "first");
    const creation = await syncWith(
      world,
      alice,
      { since: afterJoin.next_batch, filter },
      created,
      first,
    );
    const afterCreation = await alice.sync({ since: creation.next_batch, filter, query: next });

    for (const [body, roomId] of [
      [joined, ofBob],
      [creation, created],
    ] as const) {
      expectEqual(roomsIn(body, "join"), [roomId], "the rooms with news");
      const state = await presentState(alice, roomId);
      expectEqual(folded(body, roomId), state, "state and timeline of the new room");
    }
    for (const body of [afterJoin, afterCreation])
      expectEqual(roomsIn(body, "join"), [], `the rooms of the next sync, such as ${old}`);
  },
);

check(
  "CS.sync.since-repeatable",
  "the server answers an old since again with all that it showed before",
  {
    mutant: [
      ...["/rooms/join/*/timeline/events/0", "/to_device/events/0", "/account_data/events"].map(
        (pointer) =>
          altersAnswer(
            `consumes ${pointer.split("/").slice(1, 3).join(" ")} by the first answer`,
            { path: SYNC, contains: "mark=again" },
            { remove: [pointer] },
          ),
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const since = await bob.syncToken();
    const [, last] = await sendAll(alice, roomId, "first", "last");
    ok(
      await alice.put(
        path`/_matrix/client/v3/sendToDevice/org.example.hello/${world.name("txn")}`,
        { messages: { [bob.userId]: { [bob.deviceId]: { hello: "bob" } } } },
      ),
    );
    const data = path`/_matrix/client/v3/user/${bob.userId}/account_data/org.example.data`;
    ok(await bob.put(data, { value: 1 }));

    const first = await world.eventually(async () => {
      const body = await bob.sync({ since });
      const shown = contentsOf(body, roomId);
      const isComplete =
        ids(timeline(body, roomId)).includes(last ?? "") &&
        shown.some(({ hello }) => hello === "bob") &&
        shown.some(({ value }) => value === 1);
      expectThat(isComplete, "messages, a to-device message and account data", shown);
      return body;
    });
    const again = await bob.sync({ since, query: { "org.example.mark": "again" } });

    const missing = contentsOf(first, roomId).filter(
      (content) => !contentsOf(again, roomId).some((other) => isSame(content, other)),
    );
    expectEqual(missing, [], "what the second answer has not");
  },
);

/** Contents of the messages, to-device messages and account data in a /sync body. */
function contentsOf(body: JsonObject, roomId: string): readonly JsonObject[] {
  return [
    ...timeline(body, roomId),
    ...eventsAt(body, "to_device", "events"),
    ...eventsAt(body, "account_data", "events"),
  ].map(({ content }) => content);
}

function isSame(one: JsonObject, other: JsonObject): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

check(
  "CS.sync.long-poll",
  "the server waits for the timeout when nothing happens, and not at all with timeout 0",
  {
    mutant: [
      claims(
        "answers an idle poll at once",
        { path: SYNC, contains: "timeout=2000" },
        { next_batch: "early" },
      ),
      {
        name: "hangs after the timeout",
        rules: [
          {
            match: { path: SYNC, contains: "timeout=2000" },
            phase: "processed",
            action: { kind: "delay", ms: 4_000 },
          },
        ],
      },
      {
        name: "waits without a timeout",
        rules: [
          {
            match: { path: SYNC, contains: "mark=idle" },
            phase: "processed",
            action: { kind: "delay", ms: 1_500 },
          },
        ],
      },
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    await alice.createRoom();
    const options = { filter: NO_PRESENCE, query: UNSEEN };
    const { next_batch: since } = await alice.sync(options);
    const { timeoutScale } = alice.context;

    const atOnce = await alice.syncResponse({ ...options, since, query: { ...UNSEEN, ...IDLE } });
    const idle = await alice.syncResponse({ ...options, since, timeoutMs: 2_000 });

    ok(atOnce);
    expectThat(
      atOnce.durationMs < 1_000 * timeoutScale,
      "an answer at once with timeout 0",
      `after ${Math.round(atOnce.durationMs)} ms`,
      atOnce,
    );
    expectEqual(roomsIn(ok(idle), "join"), [], "the rooms with news", idle);
    expectThat(
      idle.elapsedMs >= 1_500 && idle.durationMs <= 5_000 * timeoutScale,
      `an answer after 1500 to ${5_000 * timeoutScale} ms with timeout 2000`,
      `after ${Math.round(idle.elapsedMs)} ms`,
      idle,
    );
  },
);

check(
  "CS.sync.long-poll",
  "the server ends a poll as soon as there is news",
  {
    mutant: [
      {
        name: "tells the news late",
        rules: [
          {
            match: { path: SYNC, contains: "timeout=20000" },
            phase: "processed",
            action: { kind: "delay", ms: 1_500 },
          },
        ],
      },
      claims(
        "does not wait for the news",
        { path: SYNC, contains: "timeout=20000" },
        { next_batch: "early" },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const options = { filter: NO_PRESENCE, query: UNSEEN };
    const { next_batch: since } = await alice.sync(options);

    const [{ response, endedAt }, { eventId, sentAt }] = await Promise.all([
      alice
        .syncResponse({ ...options, since, timeoutMs: 20_000 })
        .then((answer) => ({ response: answer, endedAt: awakeMs() })),
      world
        .quietPeriod(500)
        .then(() => bob.send(roomId, "news"))
        .then((sent) => ({ eventId: sent, sentAt: awakeMs() })),
    ]);

    expectEqual(ids(timeline(ok(response), roomId)), [eventId], "the news", response);
    expectThat(
      endedAt - sentAt < 1_000 * alice.context.timeoutScale,
      "an answer within 1 s of the message",
      `after ${Math.round(endedAt - sentAt)} ms`,
      response,
    );
  },
);

check(
  "CS.sync.bad-params",
  "the server refuses an invalid since, timeout and set_presence",
  {
    mutant: ["since=zz", "timeout=zz", "set_presence=zz"].map((parameter) =>
      altersAnswer(
        `takes ${parameter}`,
        { path: SYNC, contains: parameter },
        { status: 200, body: { next_batch: "taken" } },
      ),
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    await alice.createRoom();
    const since = await alice.syncToken();

    const refused = [
      await alice.get("/_matrix/client/v3/sync", { since: "zz" }),
      await alice.get("/_matrix/client/v3/sync", { since, timeout: "zz" }),
      await alice.get("/_matrix/client/v3/sync", { since, set_presence: "zz" }),
    ];

    for (const response of refused) expectMatrixError(response, 400);
  },
);

check(
  "CS.sync.presence-off",
  "the server syncs with set_presence=offline and with or without presence",
  {
    mutant: [
      altersAnswer(
        "refuses to sync without presence",
        { path: SYNC, contains: "set_presence=offline" },
        { status: 400, body: { errcode: "M_UNKNOWN", error: "presence is off" } },
      ),
      altersAnswer(
        "answers with null for presence",
        { path: SYNC, contains: "since=" },
        { set: { "/presence": null } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();

    const initial = await alice.syncResponse({ query: UNSEEN });
    const since = textAt(ok(initial), "next_batch");
    const next = await alice.syncResponse({ since, query: UNSEEN });

    objectAt(ok(initial), "rooms", "join", roomId);
    for (const response of [initial, next]) {
      const presence = at(ok(response), "presence");
      if (presence === undefined) continue;
      expectThat(isObject(presence), "presence absent or an object", presence, response);
      if (presence.events !== undefined) listAt(presence, "events");
    }
    const isThere = at(initial.json, "presence") !== undefined;
    world.note(`the answer ${isThere ? "has" : "leaves out"} presence`);
  },
);
