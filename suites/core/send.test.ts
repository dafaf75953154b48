import { path } from "#harness/http/client";
import { at, type MatrixEvent, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  fail,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { type Session, timeline } from "#harness/world/session";
import { ROOM, texts, unknownRoom, walkMessages } from "./rooms.ts";

const SEND = `${ROOM}/send/**`;
const SYNC = "/_matrix/client/v3/sync";
const MINUTE_MS = 60_000;
const UNKNOWN_EVENT = "$0000000000000000000000000000000000000000000";

function text(body: string): Record<string, string> {
  return { msgtype: "m.text", body };
}

/** The event as GET /messages shows it. */
async function inMessages(session: Session, roomId: string, eventId: string): Promise<MatrixEvent> {
  const { events } = await walkMessages(session, roomId, { dir: "b" });
  return (
    events.find(({ event_id }) => event_id === eventId) ??
    fail(`${eventId} in /messages`, "it is not there")
  );
}

/** The event as an initial sync shows it. */
async function inInitialSync(
  session: Session,
  roomId: string,
  eventId: string,
): Promise<MatrixEvent> {
  const body = await session.sync({ filter: { room: { timeline: { limit: 50 } } } });
  const found = timeline(body, roomId).find(({ event_id }) => event_id === eventId);
  return found ?? fail(`${eventId} in an initial sync`, "it is not there");
}

check(
  "CS.send.roundtrip",
  "the server delivers an event unchanged by sync, messages and event",
  {
    mutant: [
      altersRequest(
        "loses keys of the content",
        { method: "PUT", path: SEND },
        { remove: ["/org.example.nested/empty"] },
      ),
      altersAnswer(
        "changes the content in /messages",
        { path: `${ROOM}/messages` },
        { replace: [["empty key", "other key"]] },
      ),
      altersAnswer(
        "hides the room in /event",
        { path: `${ROOM}/event/*` },
        { remove: ["/room_id"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const since = await bob.syncToken();
    const content = {
      msgtype: "m.text",
      body: 'zażółć 🦆\n\t"quoted" \\ / \u2028',
      "org.example.nested": {
        empty: {},
        list: [1, -2, [], null, false],
        text: "",
        "": "empty key",
      },
    };

    const sent = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`,
      content,
    );

    const eventId = textAt(ok(sent), "event_id");
    const expected = { event_id: eventId, type: "m.room.message", sender: alice.userId };
    const { found } = await bob.syncUntilEvent(since, roomId, eventId);
    const places = [
      { place: "sync", event: found },
      { place: "messages", event: await inMessages(bob, roomId, eventId) },
      { place: "event", event: await bob.event(roomId, eventId) },
    ];
    for (const { place, event } of places) {
      expectContains(event, expected, `the event of ${place}`);
      expectEqual(event.content, content, `the content of ${place}`);
      if (place !== "sync") expectEqual(event.room_id, roomId, `room_id of ${place}`);
      const age = Math.abs(Date.now() - event.origin_server_ts);
      expectThat(
        age < MINUTE_MS,
        `origin_server_ts of ${place} within a minute of now`,
        `${age} ms`,
      );
    }
  },
);

check(
  "CS.send.not-member",
  "the server takes no events from outsiders",
  {
    mutant: [
      altersAnswer(
        "takes them",
        { method: "PUT", path: SEND, status: 403, contains: "intruder" },
        { status: 200, body: { event_id: "$x" } },
      ),
      claims("takes them from former members", { method: "PUT", path: SEND, contains: "former" }),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const hidden = await alice.createRoom({ preset: "private_chat" });
    const open = await alice.createRoom({ preset: "public_chat" });
    const left = await alice.createRoom({ preset: "public_chat" });
    await mallory.join(left);
    await mallory.leave(left);
    const send = (roomId: string, body: string) =>
      mallory.put(
        path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`,
        text(body),
      );

    const refused = [
      await send(hidden, "intruder"),
      await send(open, "intruder"),
      await send(left, "former"),
    ];
    const unknown = await send(unknownRoom(world), "intruder");

    for (const response of refused) expectMatrixError(response, 403, "M_FORBIDDEN");
    expectMatrixError(unknown, [403, 404]);
    if (unknown.status === 404) world.note("an unknown room answers 404");
    for (const roomId of [hidden, open, left]) {
      const { events } = await walkMessages(alice, roomId, { dir: "b" });
      expectEqual(texts(events), [], "the messages in the room");
    }
  },
);

check(
  "CS.txn.idempotent",
  "the server makes one event of one transaction id, whatever the content",
  {
    mutant: [
      altersAnswer(
        "makes another event of another content",
        { method: "PUT", path: SEND, contains: "other" },
        { set: { "/event_id": "$other" } },
      ),
      altersAnswer(
        "posts a repetition",
        { path: `${ROOM}/messages` },
        { replace: [['"before"', '"once"']] },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    await alice.send(roomId, "before");
    const target = path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`;

    const first = await alice.put(target, text("once"));
    const second = await alice.put(target, text("once"));
    const third = await alice.put(target, text("other"));
    await alice.send(roomId, "after");

    const eventId = textAt(ok(first), "event_id");
    expectEqual(ok(second).event_id, eventId, "event_id of the repetition", second);
    expectEqual(
      ok(third).event_id,
      eventId,
      "event_id of the repetition with other content",
      third,
    );
    const { events } = await walkMessages(alice, roomId, { dir: "f" });
    expectEqual(texts(events), ["before", "once", "after"], "the messages in the room");
  },
);

check(
  "CS.txn.scope-room",
  "the server takes a transaction id in another room for another request",
  {
    mutant: altersAnswer(
      "knows one for all rooms",
      { method: "PUT", path: SEND, contains: "to " },
      { set: { "/event_id": "$same" } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const [here, there] = await Promise.all([alice.createRoom(), alice.createRoom()]);
    const transaction = world.name("txn");
    const send = (roomId: string, type: string, body: string) =>
      alice.put(path`/_matrix/client/v3/rooms/${roomId}/send/${type}/${transaction}`, text(body));

    const first = await send(here, "m.room.message", "to here");
    const second = await send(there, "m.room.message", "to there");
    const otherType = await send(here, "org.example.other", "of another type");

    const eventId = textAt(ok(first), "event_id");
    expectThat(
      ok(second).event_id !== eventId,
      "another event_id in another room",
      eventId,
      second,
    );
    const { events } = await walkMessages(alice, there, { dir: "f" });
    expectEqual(texts(events), ["to there"], "the messages in the other room");
    if (ok(otherType).event_id === eventId) {
      world.note(
        "a transaction id counts for all event types of a room: the second type got the first event's id",
      );
    }
  },
);

check(
  "CS.txn.scope-device",
  "the server scopes transaction ids to the device, not to the access token",
  {
    mutant: [
      altersAnswer(
        "posts a retry after a refresh twice",
        { path: SEND, contains: "after refresh" },
        { set: { "/event_id": "$again" } },
      ),
      altersAnswer(
        "posts a retry after a login twice",
        { path: SEND, contains: "after login" },
        { set: { "/event_id": "$again" } },
      ),
      altersAnswer(
        "mixes devices up",
        { path: SEND, contains: "from " },
        { set: { "/event_id": "$same" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const target = path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`;
    const login = ok(
      await world.anonymous().post("/_matrix/client/v3/login", {
        type: "m.login.password",
        identifier: { type: "m.id.user", user: alice.userId },
        password: alice.password,
        refresh_token: true,
      }),
    );
    const deviceId = textAt(login, "device_id");
    const phone = world.session("hs1", alice, {
      accessToken: textAt(login, "access_token"),
      deviceId,
    });

    const first = await phone.put(target, text("from the phone"));
    const other = await alice.put(target, text("from another device"));
    const eventId = textAt(ok(first), "event_id");
    if (typeof login.refresh_token === "string") {
      const refreshed = await world
        .anonymous()
        .post("/_matrix/client/v3/refresh", { refresh_token: login.refresh_token });
      const accessToken = textAt(ok(refreshed), "access_token");
      const retry = await world
        .session("hs1", alice, { accessToken, deviceId })
        .put(target, text("after refresh"));
      expectEqual(ok(retry).event_id, eventId, "event_id of a retry after a refresh", retry);
    } else {
      world.note("the server gives no refresh tokens: a retry after a refresh was not tried");
    }
    const relogin = await world.login(alice, { device_id: deviceId });
    const retry = await relogin.put(target, text("after login"));

    expectThat(
      ok(other).event_id !== eventId,
      "another event_id for another device",
      eventId,
      other,
    );
    expectEqual(ok(retry).event_id, eventId, "event_id of a retry after a login", retry);
    const { events } = await walkMessages(alice, roomId, { dir: "f" });
    expectEqual(
      texts(events),
      ["from the phone", "from another device"],
      "the messages in the room",
    );
  },
);

check(
  "CS.txn.unsigned",
  "the server gives the transaction id to the sending device only",
  {
    mutant: [
      altersAnswer(
        "forgets it in /event",
        { path: `${ROOM}/event/*` },
        { remove: ["/unsigned/transaction_id"] },
      ),
      altersAnswer(
        "forgets it in /sync",
        { path: SYNC },
        { remove: ["/rooms/join/*/timeline/events/*/unsigned/transaction_id"] },
      ),
      altersAnswer(
        "tells everybody in /event",
        { path: `${ROOM}/event/*` },
        { set: { "/unsigned/transaction_id": "txn" } },
      ),
      altersAnswer(
        "tells everybody in /sync",
        { path: SYNC },
        { set: { "/rooms/join/*/timeline/events/*/unsigned/transaction_id": "txn" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const others = [bob];
    if (world.has("password-login")) others.push(await world.login(alice));
    const sender = { session: alice, since: await alice.syncToken() };
    const readers = await Promise.all(
      others.map(async (session) => ({ session, since: await session.syncToken() })),
    );
    const transaction = world.name("txn");

    const sent = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${transaction}`,
      text("hi"),
    );

    const eventId = textAt(ok(sent), "event_id");
    const idFor = async ({ session, since }: typeof sender) => {
      const { found } = await session.syncUntilEvent(since, roomId, eventId);
      const event = await session.event(roomId, eventId);
      return [found, event].map((shown) => at(shown, "unsigned", "transaction_id"));
    };
    expectEqual(
      await idFor(sender),
      [transaction, transaction],
      "transaction_id for the sending device",
    );
    for (const reader of readers) {
      const who = reader.session === bob ? "another user" : "another device";
      expectEqual(await idFor(reader), [undefined, undefined], `transaction_id for ${who}`);
    }
  },
);

check(
  "CS.event.membership",
  "the server tells the reader's membership at each event",
  {
    mutant: [
      altersAnswer(
        "tells the current membership",
        { path: `${ROOM}/messages` },
        { set: { "/chunk/*/unsigned/membership": "join" } },
      ),
      altersAnswer(
        "does not tell it",
        { path: `${ROOM}/messages` },
        { remove: ["/chunk/*/unsigned/membership"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const before = await alice.send(roomId, "before");
    await bob.join(roomId);
    const after = await alice.send(roomId, "after");

    const { events } = await walkMessages(bob, roomId, { dir: "b" });

    const membershipAt = (is: (event: MatrixEvent) => boolean) =>
      at(events.find(is), "unsigned", "membership");
    expectEqual(
      [
        membershipAt(({ event_id }) => event_id === before),
        membershipAt(({ type, state_key }) => type === "m.room.member" && state_key === bob.userId),
        membershipAt(({ event_id }) => event_id === after),
      ],
      ["leave", "join", "join"],
      "bob's membership before, at and after joining",
    );
  },
);

check(
  "CS.redact.own-and-other",
  "the server strips redacted events everywhere",
  {
    mutant: [
      altersAnswer(
        "keeps the text in /event",
        { path: `${ROOM}/event/*` },
        { set: { "/content/body": "regretted" } },
      ),
      altersAnswer(
        "keeps the text in /messages",
        { path: `${ROOM}/messages` },
        { set: { "/chunk/*/content/body": "regretted" } },
      ),
      altersAnswer(
        "keeps the text in sync",
        { path: SYNC },
        { set: { "/rooms/join/*/timeline/events/*/content/body": "x" } },
      ),
      altersRequest(
        "loses the reason",
        { method: "PUT", path: `${ROOM}/redact/**` },
        { remove: ["/reason"] },
      ),
      claims("does not redact", { method: "PUT", path: `${ROOM}/redact/**`, contains: "by admin" }),
      altersAnswer(
        "strips the membership",
        { path: `${ROOM}/event/*` },
        { remove: ["/content/membership"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await Promise.all([bob.join(roomId), charlie.join(roomId)]);
    const member = { membership: "join", displayname: "Bobby" };
    const targets = [
      { session: bob, eventId: await bob.send(roomId, "regretted"), reason: "own", content: {} },
      { session: alice, eventId: await bob.send(roomId, "rude"), reason: "by admin", content: {} },
      {
        session: bob,
        eventId: await bob.setState(roomId, "m.room.member", member, bob.userId),
        reason: "name",
        content: { membership: "join" },
      },
    ];

    for (const { session, eventId, reason } of targets) {
      const redact = path`/_matrix/client/v3/rooms/${roomId}/redact/${eventId}/${world.name("txn")}`;
      const response = await session.put(redact, { reason });
      textAt(ok(response), "event_id");
    }

    for (const { eventId, reason, content } of targets) {
      for (const [place, event] of [
        ["/event", await charlie.event(roomId, eventId)],
        ["/messages", await inMessages(charlie, roomId, eventId)],
        ["a new sync", await inInitialSync(charlie, roomId, eventId)],
      ] as const) {
        expectEqual(
          event.content,
          content,
          `the content in ${place} after the redaction "${reason}"`,
        );
        const why = at(event, "unsigned", "redacted_because", "content", "reason");
        expectEqual(why, reason, `the reason in unsigned.redacted_because in ${place}`);
      }
    }
  },
);

check(
  "CS.redact.forbidden",
  "the server lets nobody redact another's event without the level",
  {
    mutant: [
      claims("says that it did for an outsider", {
        method: "PUT",
        path: `${ROOM}/redact/**`,
        contains: "outsider",
      }),
      claims("says that it did for a member", {
        method: "PUT",
        path: `${ROOM}/redact/**`,
        contains: "member",
      }),
      altersAnswer("redacts in silence", { path: `${ROOM}/event/*` }, { set: { "/content": {} } }),
    ],
  },
  async (world) => {
    const [alice, bob, mallory] = await world.users("alice", "bob", "mallory");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const eventId = await alice.send(roomId, "kept");
    const redact = (session: Session, reason: string) =>
      session.put(path`/_matrix/client/v3/rooms/${roomId}/redact/${eventId}/${world.name("txn")}`, {
        reason,
      });

    const byMember = await redact(bob, "member");
    const byOutsider = await redact(mallory, "outsider");

    expectMatrixError(byMember, 403, "M_FORBIDDEN");
    expectMatrixError(byOutsider, 403, "M_FORBIDDEN");
    expectEqual((await alice.event(roomId, eventId)).content, text("kept"), "the content");
  },
);

check(
  "CS.redact.via-send",
  "the server redacts by an m.room.redaction that was sent, in all room versions",
  {
    mutant: claims("takes an inert redaction", {
      method: "PUT",
      path: `${ROOM}/send/m.room.redaction/*`,
    }),
  },
  async (world) => {
    const alice = await world.user("alice");
    const versions = ["10", "11", "12"].filter((version) => world.has(`room-version:${version}`));

    for (const version of versions) {
      const roomId = await alice.createRoom({ room_version: version });
      const target = await alice.send(roomId, "regretted");
      const response = await alice.put(
        path`/_matrix/client/v3/rooms/${roomId}/send/m.room.redaction/${world.name("txn")}`,
        { redacts: target },
      );

      const redaction = await alice.event(roomId, textAt(ok(response), "event_id"));
      expectEqual(
        (await alice.event(roomId, target)).content,
        {},
        `the content in version ${version}`,
      );
      const redacts = version === "10" ? redaction.redacts : redaction.content.redacts;
      expectEqual(redacts, target, `redacts of the redaction in version ${version}`);
    }
    expectThat(versions.length > 0, "a room version of 10, 11, 12", world.deployment.features);
  },
);

check(
  "CS.redact.unknown-target",
  "the server survives the redaction of an unknown event",
  {
    mutant: [
      altersAnswer("fails", { method: "PUT", path: `${ROOM}/redact/**` }, { status: 500 }),
      altersAnswer("fails to sync on", { path: SYNC, contains: "since=" }, { status: 500 }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const since = await alice.syncToken();

    const response = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/redact/${UNKNOWN_EVENT}/${world.name("txn")}`,
      {},
    );

    expectStatus(response, [200, 404]);
    const first = await alice.syncResponse({
      since,
      timeoutMs: response.status === 200 ? 1_000 : 0,
    });
    const second = await alice.syncResponse({ since: textAt(ok(first), "next_batch") });
    const next = textAt(ok(second), "next_batch");
    const after = await alice.send(roomId, "after");
    await alice.syncUntilEvent(next, roomId, after);
  },
);
