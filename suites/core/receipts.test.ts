import { path } from "#harness/http/client";
import { at, eventsAt, type JsonObject, numberAt, objectAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { room, type Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { ephemeral, ROOM, receipt, receipts } from "./rooms.ts";

const SYNC = "/_matrix/client/v3/sync";
const RECEIPT = `${ROOM}/receipt/**`;
const MARKERS = `${ROOM}/read_markers`;
const TYPING = `${ROOM}/typing/*`;
const MINUTE_MS = 60_000;

function sendReceipt(
  session: Session,
  roomId: string,
  type: string,
  eventId: string,
  body: unknown = {},
) {
  return session.post(path`/_matrix/client/v3/rooms/${roomId}/receipt/${type}/${eventId}`, body);
}

function typing(session: Session, roomId: string, body: JsonObject, userId = session.userId) {
  return session.put(path`/_matrix/client/v3/rooms/${roomId}/typing/${userId}`, body);
}

/** A private room with these members besides its creator. */
async function roomOf(creator: Session, members: readonly Session[]): Promise<string> {
  const roomId = await creator.createRoom({
    preset: "private_chat",
    invite: members.map(({ userId }) => userId),
  });
  for (const member of members) await member.join(roomId, creator);
  return roomId;
}

check(
  "CS.receipt.read",
  "the server shows the latest read receipt of each user in sync, without room_id",
  {
    mutant: [
      altersAnswer(
        "leaks room_id",
        { path: SYNC },
        { set: { "/rooms/join/*/ephemeral/events/*/room_id": "!x" } },
      ),
      altersAnswer(
        "has no time",
        { path: SYNC },
        { remove: ["/rooms/join/*/ephemeral/events/*/content/*/m.read/*/ts"] },
      ),
      claims("keeps the older", { path: RECEIPT, contains: '"newer"' }, {}),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await roomOf(alice, [bob, charlie]);
    const older = await alice.send(roomId, "older");
    const newer = await alice.send(roomId, "newer");
    const since = await alice.syncToken();

    const first = await sendReceipt(bob, roomId, "m.read", older);
    const seenFirst = await alice.syncUntil(since, "the first receipt", (body) =>
      receipt(body, roomId, older, "m.read", bob.userId),
    );
    // The extra key is ignored; it marks the request.
    const second = await sendReceipt(bob, roomId, "m.read", newer, { "org.example.mark": "newer" });
    const seenSecond = await alice.syncUntil(seenFirst.since, "the second receipt", (body) =>
      receipt(body, roomId, newer, "m.read", bob.userId),
    );

    expectEqual(ok(first), {}, "the answer", first);
    ok(second);
    for (const { found } of [seenFirst, seenSecond]) {
      const age = Math.abs(Date.now() - numberAt(found, "ts"));
      expectThat(age < MINUTE_MS, "ts within a minute of now", `${age} ms`);
    }
    const fresh = await charlie.sync();
    const ofBob = receipts(fresh, roomId).filter(({ userId }) => userId === bob.userId);
    expectEqual(
      ofBob,
      [{ eventId: newer, type: "m.read", userId: bob.userId }],
      "bob's receipts in a new sync",
    );
    for (const body of [...seenFirst.bodies, ...seenSecond.bodies, fresh]) {
      for (const event of ephemeral(body, roomId, "m.receipt")) {
        expectEqual(event.room_id, undefined, "room_id of the m.receipt event");
      }
    }
  },
);

/** Proves that `reader` sees receipts of the room, but none of `secretive`: those are older than the one that arrives. */
async function expectNoReceiptOf(
  secretive: Session,
  reader: Session,
  since: string,
  roomId: string,
  until: { user: Session; eventId: string },
): Promise<void> {
  const { bodies } = await reader.syncUntil(since, "the public receipt of another user", (body) =>
    receipt(body, roomId, until.eventId, "m.read", until.user.userId),
  );
  const seen = bodies
    .flatMap((body) => receipts(body, roomId))
    .filter(({ userId }) => userId === secretive.userId);
  expectEqual(seen, [], `receipts of the private reader in the sync of ${reader.userId}`);
}

check(
  "CS.receipt.private",
  "the server shows private receipts to their user only and clears the counts",
  {
    mutant: [
      altersRequest(
        "makes them public",
        { path: MARKERS },
        { replace: [['"m.read.private"', '"m.read"']] },
      ),
      claims("drops them", { path: RECEIPT.replace("**", "m.read.private/*") }, {}),
      altersAnswer(
        "keeps the count",
        { path: SYNC },
        { set: { "/rooms/join/*/unread_notifications/notification_count": 2 } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await roomOf(alice, [bob, charlie]);
    const start = await bob.syncToken();
    const first = await alice.send(roomId, "first");
    const second = await alice.send(roomId, "second");
    const { since } = await bob.syncUntil(start, "two unread messages", (body) =>
      unread(body, roomId, 2),
    );
    const since2 = await alice.syncToken();

    ok(await sendReceipt(bob, roomId, "m.read.private", first));
    const once = await bob.syncUntil(
      since,
      "the own private receipt and one unread message",
      (body) =>
        receipt(body, roomId, first, "m.read.private", bob.userId) && unread(body, roomId, 1),
    );
    ok(
      await bob.post(path`/_matrix/client/v3/rooms/${roomId}/read_markers`, {
        "m.read.private": second,
      }),
    );
    await bob.syncUntil(once.since, "no unread message", (body) => unread(body, roomId, 0));
    ok(await sendReceipt(charlie, roomId, "m.read", second));

    await expectNoReceiptOf(bob, alice, since2, roomId, { user: charlie, eventId: second });
  },
);

/** True when a sync shows this number of unread notifications for the room. */
function unread(body: JsonObject, roomId: string, count: number): true | undefined {
  const shown = at(body, "rooms", "join", roomId, "unread_notifications", "notification_count");
  return shown === count ? true : undefined;
}

check(
  "CS.receipt.private",
  "the server sends no private receipts to other servers",
  {
    mutant: altersRequest(
      "makes them public",
      { path: MARKERS },
      { replace: [['"m.read.private"', '"m.read"']] },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const dana = await world.user("dana", "hs2");
    const roomId = await roomOf(alice, [bob, dana]);
    const eventId = await alice.send(roomId, "read in private");
    const { since } = await dana.syncUntilEvent(undefined, roomId, eventId, { deadlineMs: 15_000 });

    ok(
      await bob.post(path`/_matrix/client/v3/rooms/${roomId}/read_markers`, {
        "m.read.private": eventId,
      }),
    );
    ok(await sendReceipt(alice, roomId, "m.read", eventId));

    await expectNoReceiptOf(bob, dana, since, roomId, { user: alice, eventId });
  },
);

check(
  "CS.receipt.errors",
  "the server refuses receipts of unknown types, with bad threads and in foreign rooms",
  {
    mutant: [
      claims("takes unknown types", { path: RECEIPT.replace("**", "zz/*") }, {}),
      claims("takes an empty thread", { path: RECEIPT, contains: '"thread_id":""' }, {}),
      claims("takes a number as thread", { path: RECEIPT, contains: '"thread_id":5' }, {}),
      claims(
        "takes a thread with m.fully_read",
        { path: RECEIPT.replace("**", "m.fully_read/*") },
        {},
      ),
      claims(
        "takes an event outside the thread",
        { path: RECEIPT, contains: '"thread_id":"$' },
        {},
      ),
      altersAnswer(
        "takes receipts for foreign rooms",
        { path: RECEIPT, status: [403, 404] },
        { status: 200, body: {} },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await roomOf(alice, []);
    const root = await alice.send(roomId, "root");
    await alice.send(roomId, {
      msgtype: "m.text",
      body: "reply",
      "m.relates_to": { rel_type: "m.thread", event_id: root },
    });
    const unrelated = await alice.send(roomId, "unrelated");

    const unknownType = await sendReceipt(alice, roomId, "zz", unrelated);
    const refused = [
      await sendReceipt(alice, roomId, "m.read", unrelated, { thread_id: "" }),
      await sendReceipt(alice, roomId, "m.read", unrelated, { thread_id: 5 }),
      await sendReceipt(alice, roomId, "m.fully_read", unrelated, { thread_id: "main" }),
      await sendReceipt(alice, roomId, "m.read", unrelated, { thread_id: root }),
    ];
    const outsider = await sendReceipt(mallory, roomId, "m.read", unrelated);

    expectMatrixError(unknownType, 400);
    for (const response of refused) expectMatrixError(response, 400, "M_INVALID_PARAM");
    expectMatrixError(outsider, [403, 404]);
    if (outsider.status === 404) world.note("an outsider's receipt answers 404");
    expectEqual(receipts(await alice.sync(), roomId), [], "the receipts in the room");
  },
);

const BY_THREAD = { room: { timeline: { unread_thread_notifications: true } } };

interface Threaded {
  readonly alice: Session;
  readonly bob: Session;
  readonly roomId: string;
  readonly root: string;
  readonly inMain: string;
  readonly inThread: string;
  /** Of bob, before the messages. */
  readonly since: string;
}

/** Mentions of bob in a thread, in the main timeline, and in the thread again. */
async function mention(world: World): Promise<Threaded> {
  const [alice, bob] = await world.users("alice", "bob");
  const roomId = await roomOf(alice, [bob]);
  const root = await alice.send(roomId, "root");
  ok(await sendReceipt(bob, roomId, "m.read", root));
  const since = await bob.syncToken();
  const content = { msgtype: "m.text", body: "bob!", "m.mentions": { user_ids: [bob.userId] } };
  const reply = { ...content, "m.relates_to": { rel_type: "m.thread", event_id: root } };
  await alice.send(roomId, reply);
  const inMain = await alice.send(roomId, content);
  const inThread = await alice.send(roomId, reply);
  return { alice, bob, roomId, root, inMain, inThread, since };
}

/** Highlights of the main timeline and of a thread, as a sync that splits them shows them. */
function highlights(body: JsonObject, roomId: string, root: string): readonly [unknown, unknown] {
  const shown = room(body, "join", roomId);
  const inThread = at(shown, "unread_thread_notifications", root, "highlight_count");
  return [at(shown, "unread_notifications", "highlight_count"), inThread ?? 0];
}

async function untilHighlights(
  threaded: Threaded,
  since: string,
  main: number,
  thread: number,
): Promise<string> {
  const { bob, roomId, root } = threaded;
  const what = `${main} highlights in the main timeline and ${thread} in the thread`;
  const fits = (body: JsonObject) => {
    const [inMain, inThread] = highlights(body, roomId, root);
    return inMain === main && inThread === thread ? true : undefined;
  };
  return (await bob.syncUntil(since, what, fits, { filter: BY_THREAD })).since;
}

check(
  "CS.receipt.threaded",
  "the server counts by thread when asked and clears one thread by a threaded receipt, all by an unthreaded",
  {
    mutant: [
      altersRequest(
        "clears threads by a main receipt",
        { path: RECEIPT, contains: '"main"' },
        { remove: ["/thread_id"] },
      ),
      altersRequest(
        "clears the main timeline only",
        { path: RECEIPT, contains: '"all"' },
        { set: { "/thread_id": "main" } },
      ),
      altersRequest(
        "clears all by a receipt of the thread",
        { path: RECEIPT, contains: '"thread_id":"$' },
        { remove: ["/thread_id"] },
      ),
      altersAnswer(
        "does not split the counts",
        { path: SYNC },
        { remove: ["/rooms/join/*/unread_thread_notifications"] },
      ),
      altersAnswer(
        "counts the main timeline only",
        { path: SYNC },
        { set: { "/rooms/join/*/unread_notifications/highlight_count": 1 } },
      ),
    ],
  },
  async (world) => {
    const [first, second] = await Promise.all([mention(world), mention(world)]);

    await first.bob.syncUntil(first.since, "all highlights in one count", (body) => {
      const [together, split] = highlights(body, first.roomId, first.root);
      return together === 3 && split === 0 ? true : undefined;
    });
    const counted = await untilHighlights(first, first.since, 1, 2);
    ok(await sendReceipt(first.bob, first.roomId, "m.read", first.inMain, { thread_id: "main" }));
    const mainRead = await untilHighlights(first, counted, 0, 2);
    ok(
      await sendReceipt(first.bob, first.roomId, "m.read", first.inThread, {
        "org.example.mark": "all",
      }),
    );
    await untilHighlights(first, mainRead, 0, 0);
    const countedAgain = await untilHighlights(second, second.since, 1, 2);
    ok(
      await sendReceipt(second.bob, second.roomId, "m.read", second.inThread, {
        thread_id: second.root,
      }),
    );
    const threadRead = await untilHighlights(second, countedAgain, 1, 0);
    ok(
      await sendReceipt(second.bob, second.roomId, "m.read", second.inThread, {
        "org.example.mark": "all",
      }),
    );
    await untilHighlights(second, threadRead, 0, 0);
  },
);

check(
  "CS.receipt.threaded",
  "the server keeps the unthreaded receipt of two for one event",
  {
    mutant: altersRequest(
      "keeps the threaded",
      { path: RECEIPT, contains: '"all"' },
      { set: { "/thread_id": "main" } },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await roomOf(alice, [bob]);
    const eventId = await alice.send(roomId, "read twice");
    const since = await alice.syncToken();

    ok(await sendReceipt(bob, roomId, "m.read", eventId, { "org.example.mark": "all" }));
    ok(await sendReceipt(bob, roomId, "m.read", eventId, { thread_id: "main" }));

    const { found } = await alice.syncUntil(since, "bob's receipt", (body) =>
      receipt(body, roomId, eventId, "m.read", bob.userId),
    );
    expectEqual(found.thread_id, undefined, "thread_id of the receipt");
  },
);

check(
  "CS.markers.fully-read",
  "the server sets the marker and both receipts in one call, and sync shows them",
  {
    mutant: [
      altersRequest("drops the marker", { path: MARKERS }, { remove: ["/m.fully_read"] }),
      altersRequest("drops the receipt", { path: MARKERS }, { remove: ["/m.read"] }),
      altersRequest(
        "drops the private receipt",
        { path: MARKERS },
        { remove: ["/m.read.private"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await roomOf(alice, [bob]);
    const eventId = await alice.send(roomId, "read");
    const [since, sinceOfAlice] = await Promise.all([bob.syncToken(), alice.syncToken()]);

    const response = await bob.post(path`/_matrix/client/v3/rooms/${roomId}/read_markers`, {
      "m.fully_read": eventId,
      "m.read": eventId,
      "m.read.private": eventId,
    });

    expectEqual(ok(response), {}, "the answer", response);
    const left = new Set(["m.fully_read", "m.read", "m.read.private"]);
    await bob.syncUntil(since, "the marker and both receipts", (body) => {
      for (const { type, content } of eventsAt(
        body,
        "rooms",
        "join",
        roomId,
        "account_data",
        "events",
      )) {
        if (type === "m.fully_read" && content.event_id === eventId) left.delete(type);
      }
      for (const { type, eventId: read, userId } of receipts(body, roomId)) {
        if (read === eventId && userId === bob.userId) left.delete(type);
      }
      return left.size === 0 ? true : undefined;
    });
    await alice.syncUntil(sinceOfAlice, "bob's receipt", (body) =>
      receipt(body, roomId, eventId, "m.read", bob.userId),
    );
  },
);

check(
  "CS.markers.direct-write",
  "the server refuses m.fully_read and m.push_rules as account data",
  {
    mutant: [
      claims(
        "takes them globally",
        { method: "PUT", path: "/_matrix/client/v3/user/*/account_data/*" },
        {},
      ),
      claims(
        "takes them for a room",
        { method: "PUT", path: "/_matrix/client/v3/user/*/rooms/*/account_data/*" },
        {},
      ),
      altersAnswer(
        "overwrites the marker",
        { path: SYNC },
        { set: { "/rooms/join/*/account_data/events/*/content/event_id": "$junk" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await roomOf(alice, []);
    const eventId = await alice.send(roomId, "read");
    ok(
      await alice.post(path`/_matrix/client/v3/rooms/${roomId}/read_markers`, {
        "m.fully_read": eventId,
      }),
    );
    const rules = ok(await alice.get("/_matrix/client/v3/pushrules/"));
    const targets = ["m.fully_read", "m.push_rules"].flatMap((type) => [
      path`/_matrix/client/v3/user/${alice.userId}/account_data/${type}`,
      path`/_matrix/client/v3/user/${alice.userId}/rooms/${roomId}/account_data/${type}`,
    ]);

    for (const target of targets) {
      const response = await alice.put(target, { event_id: "$junk", global: {} });

      expectMatrixError(response, 405, "M_BAD_JSON");
    }

    expectEqual(ok(await alice.get("/_matrix/client/v3/pushrules/")), rules, "the push rules");
    const body = await alice.sync();
    const data = eventsAt(body, "rooms", "join", roomId, "account_data", "events");
    const marker = data.find(({ type }) => type === "m.fully_read");
    expectEqual(marker?.content.event_id, eventId, "the marker");
  },
);

/** Who types in the room by a /sync body; undefined when it says nothing about that. */
function typists(body: JsonObject, roomId: string): readonly unknown[] | undefined {
  const [event] = ephemeral(body, roomId, "m.typing");
  if (event === undefined) return undefined;
  expectEqual(event.room_id, undefined, "room_id of the m.typing event");
  const users = objectAt(event, "content").user_ids;
  expectThat(Array.isArray(users), "user_ids to be an array", users);
  return users;
}

/** How late after its timeout typing may end: the text sets no bound, and timers of servers are coarse. */
const TIMED_OUT_MS = 20_000;

function untilTyping(
  reader: Session,
  since: string,
  roomId: string,
  expected: readonly string[],
  options: { readonly deadlineMs?: number } = {},
) {
  const what = expected.length === 0 ? "nobody typing" : `${expected.join()} typing`;
  const find = (body: JsonObject) => {
    const users = typists(body, roomId);
    return users?.length === expected.length && expected.every((user) => users.includes(user))
      ? true
      : undefined;
  };
  return reader.syncUntil(since, what, find, options);
}

check(
  "CS.typing.flow",
  "the server shows typing to members until it stops or times out, and to nobody else",
  {
    mutant: [
      altersAnswer(
        "leaks room_id",
        { path: SYNC },
        { set: { "/rooms/join/*/ephemeral/events/*/room_id": "!x" } },
      ),
      altersRequest(
        "ignores the timeout",
        { path: TYPING, contains: '"timeout":1000' },
        { set: { "/timeout": 60_000 } },
      ),
      claims("ignores the end", { path: TYPING, contains: "false" }, {}),
      altersAnswer(
        "shows it to outsiders",
        { path: SYNC },
        { replace: [['"join":{', '"join":{"!leak":{},']] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await roomOf(alice, [bob]);
    const elsewhere = await roomOf(alice, [charlie]);
    const [since, sinceOfCharlie] = await Promise.all([bob.syncToken(), charlie.syncToken()]);

    const start = await typing(alice, roomId, { typing: true, timeout: 30_000 });
    const started = await untilTyping(bob, since, roomId, [alice.userId]);
    const stop = await typing(alice, roomId, { typing: false });
    const stopped = await untilTyping(bob, started.since, roomId, []);
    const short = await typing(alice, roomId, { typing: true, timeout: 1000 });
    const again = await untilTyping(bob, stopped.since, roomId, [alice.userId]);
    await untilTyping(bob, again.since, roomId, [], { deadlineMs: TIMED_OUT_MS });
    const other = await typing(alice, elsewhere, { typing: true, timeout: 30_000 });
    const { bodies } = await untilTyping(charlie, sinceOfCharlie, elsewhere, [alice.userId]);

    for (const response of [start, stop, short, other])
      expectEqual(ok(response), {}, "the answer", response);
    for (const body of bodies) {
      const rooms = Object.keys((at(body, "rooms", "join") as JsonObject | undefined) ?? {});
      expectEqual(
        rooms.filter((shown) => shown !== elsewhere),
        [],
        "other rooms in charlie's sync",
      );
    }
  },
);

check(
  "CS.typing.forbidden",
  "the server refuses typing for another user and in a foreign room",
  {
    mutant: [
      altersAnswer(
        "types for others",
        { path: TYPING, status: [400, 403], contains: "20001" },
        { status: 200, body: {} },
      ),
      altersAnswer(
        "takes typing of outsiders",
        { path: TYPING, status: 403, contains: "20002" },
        { status: 200, body: {} },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, mallory] = await world.users("alice", "bob", "mallory");
    const roomId = await roomOf(alice, [bob]);
    const since = await bob.syncToken();

    const spoofed = await typing(alice, roomId, { typing: true, timeout: 20_001 }, bob.userId);
    const outsider = await typing(mallory, roomId, { typing: true, timeout: 20_002 });

    expectMatrixError(spoofed, [400, 403], "M_FORBIDDEN");
    if (spoofed.status === 400)
      world.note("typing for another user answers 400 M_FORBIDDEN, not 403");
    expectMatrixError(outsider, 403);
    ok(await typing(alice, roomId, { typing: true, timeout: 30_000 }));
    const { bodies } = await bob.syncUntil(since, "alice typing", (body) =>
      typists(body, roomId)?.includes(alice.userId) ? true : undefined,
    );
    const shown = new Set(bodies.flatMap((body) => typists(body, roomId) ?? []));
    expectEqual([...shown], [alice.userId], "who types in the room");
  },
);
