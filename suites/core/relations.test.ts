import { type HttpResponse, path, type Query } from "#harness/http/client";
import { at, eventsAt, type JsonObject, objectAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectStatus,
  fail,
  ok,
} from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { ids, ROOM } from "./rooms.ts";

const RELATIONS = "/_matrix/client/v1/rooms/*/relations/**";
const THREADS = "/_matrix/client/v1/rooms/*/threads";
const UNKNOWN_EVENT = "$0000000000000000000000000000000000000000000";
const PAGES_AT_MOST = 20;

function related(relType: string, eventId: string, body: string): JsonObject {
  return { msgtype: "m.text", body, "m.relates_to": { rel_type: relType, event_id: eventId } };
}

function edit(eventId: string, body: string): JsonObject {
  return {
    ...related("m.replace", eventId, `* ${body}`),
    "m.new_content": { msgtype: "m.text", body },
  };
}

/** All pages of an endpoint that answers chunk and next_batch, as event ids. */
async function walk(session: Session, target: string, query: Query): Promise<readonly string[]> {
  const found: string[] = [];
  let from = query.from;
  for (let page = 1; ; page++) {
    const response = await session.get(target, { ...query, from });
    found.push(...ids(eventsAt(ok(response), "chunk")));
    const next = at(response.json, "next_batch");
    if (next === undefined) return found;
    if (page >= PAGES_AT_MOST)
      fail("the pages to end", `${page} pages and still next_batch`, response);
    from = textAt(response.json, "next_batch");
  }
}

check(
  "CS.relations.list",
  "the server lists the children of an event by relation and type",
  {
    mutant: [
      altersAnswer(
        "loses one",
        { method: "GET", path: "/_matrix/client/v1/rooms/*/relations/*" },
        { remove: ["/chunk/0"] },
      ),
      altersAnswer(
        "ignores the event type",
        { path: `${RELATIONS}/m.thread/*` },
        { set: { "/chunk/0/event_id": "$other" } },
      ),
      altersAnswer(
        "knows no relation type",
        { path: "/_matrix/client/v1/rooms/*/relations/*/m.replace" },
        { set: { "/chunk": [] } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const parent = await alice.send(roomId, "parent");
    await alice.send(roomId, "unrelated");
    const reply = await alice.send(roomId, related("m.thread", parent, "reply"));
    const other = await alice.send(
      roomId,
      related("m.thread", parent, "other"),
      "org.example.other",
    );
    const edited = await alice.send(roomId, edit(parent, "edited"));
    const list = async (target: string) => new Set(await walk(alice, target, {}));
    const relations = path`/_matrix/client/v1/rooms/${roomId}/relations/${parent}`;

    const all = await list(relations);
    const threaded = await list(`${relations}/m.thread`);
    const typed = await list(`${relations}/m.thread/m.room.message`);
    const edits = await list(`${relations}/m.replace`);

    expectEqual(all, new Set([reply, other, edited]), "the children");
    expectEqual(threaded, new Set([reply, other]), "the children with rel_type m.thread");
    expectEqual(typed, new Set([reply]), "the messages with rel_type m.thread");
    expectEqual(edits, new Set([edited]), "the children with rel_type m.replace");
  },
);

check(
  "CS.relations.list",
  "the server pages through the children in both directions and from a sync token",
  {
    mutant: [
      altersAnswer(
        "drops events at the border",
        { path: RELATIONS, contains: "limit=3" },
        { remove: ["/chunk/-1"] },
      ),
      altersAnswer(
        "does not end",
        { path: RELATIONS, contains: "limit=3" },
        { set: { "/next_batch": "again" } },
      ),
      altersAnswer(
        "knows no sync token",
        { path: RELATIONS, contains: "limit=50" },
        { status: 400 },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const parent = await alice.send(roomId, "parent");
    const children: string[] = [];
    const sendFive = async () => {
      for (let count = 0; count < 5; count++) {
        children.push(
          await alice.send(roomId, related("m.thread", parent, `child ${children.length}`)),
        );
      }
    };
    const before = await alice.syncToken();
    await sendFive();
    const { since } = await alice.syncUntilEvent(before, roomId, children.at(-1) ?? "");
    await sendFive();
    const relations = path`/_matrix/client/v1/rooms/${roomId}/relations/${parent}/m.thread`;

    const newestFirst = await walk(alice, relations, { limit: 3 });
    const oldestFirst = await walk(alice, relations, { limit: 3, dir: "f" });
    const backFromToken = await walk(alice, relations, { limit: 50, from: since });
    const onFromToken = await walk(alice, relations, { limit: 50, from: since, dir: "f" });

    expectEqual(newestFirst, children.toReversed(), "the children, newest first");
    expectEqual(oldestFirst, children, "the children, oldest first");
    expectEqual(
      backFromToken,
      children.slice(0, 5).toReversed(),
      "the children before the sync token",
    );
    expectEqual(onFromToken, children.slice(5), "the children after the sync token");
  },
);

check(
  "CS.relations.errors",
  "the server lists no relations of unknown events and to no outsiders",
  {
    mutant: [
      altersAnswer(
        "answers outsiders",
        { path: RELATIONS, status: 403 },
        { status: 200, body: { chunk: [] } },
      ),
      altersAnswer(
        "answers for unknown events",
        { path: RELATIONS, status: 404 },
        { status: 200, body: { chunk: [] } },
      ),
      claims("takes any direction", { path: RELATIONS, contains: "dir=x" }, { chunk: [] }),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await alice.createRoom({ preset: "private_chat" });
    const parent = await alice.send(roomId, "parent");
    await alice.send(roomId, related("m.thread", parent, "secret"));
    const relations = path`/_matrix/client/v1/rooms/${roomId}/relations/${parent}`;

    const unknown = await alice.get(
      path`/_matrix/client/v1/rooms/${roomId}/relations/${UNKNOWN_EVENT}`,
    );
    const outsider = await mallory.get(relations);
    const direction = await alice.get(relations, { dir: "x" });

    expectMatrixError(unknown, 404, ["M_NOT_FOUND", "M_UNKNOWN"]);
    expectMatrixError(outsider, [403, 404]);
    expectMatrixError(direction, 400);
  },
);

check(
  "CS.relations.edit-aggregate",
  "the server bundles the latest valid edit and leaves the content alone",
  {
    mutant: [
      altersAnswer(
        "replaces the text",
        { path: `${ROOM}/event/*` },
        { set: { "/content/body": "second" } },
      ),
      altersAnswer(
        "does not bundle edits",
        { path: `${ROOM}/event/*` },
        { remove: ["/unsigned/m.relations"] },
      ),
      altersAnswer(
        "bundles a foreign edit",
        { path: `${ROOM}/event/*` },
        { set: { "/unsigned/m.relations/m.replace/event_id": "$foreign" } },
      ),
      altersAnswer(
        "shows foreign text",
        { path: `${ROOM}/event/*` },
        { replace: [["second", "foreign"]] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const original = await alice.send(roomId, "original");
    await alice.send(roomId, edit(original, "first"));
    const latest = await alice.send(roomId, edit(original, "second"));
    // A server may refuse these two; it must not bundle them.
    const send = (session: Session, type: string, body: string) =>
      session.put(
        path`/_matrix/client/v3/rooms/${roomId}/send/${type}/${world.name("txn")}`,
        edit(original, body),
      );
    await send(bob, "m.room.message", "foreign");
    await send(alice, "org.example.other", "of another type");

    const event = await bob.event(roomId, original);

    expectEqual(event.content, { msgtype: "m.text", body: "original" }, "the content");
    const bundled = objectAt(event, "unsigned", "m.relations", "m.replace");
    expectContains(
      bundled,
      { event_id: latest, sender: alice.userId, content: edit(original, "second") },
      "the bundled edit",
    );
  },
);

check(
  "CS.threads.list",
  "the server lists threads by their latest reply with a summary",
  {
    mutant: [
      altersAnswer("lets active threads sink", { path: THREADS }, { remove: ["/chunk/0"] }),
      altersAnswer(
        "bundles no summary",
        { path: THREADS },
        { remove: ["/chunk/*/unsigned/m.relations/m.thread"] },
      ),
      altersAnswer(
        "counts roots",
        { path: THREADS },
        { set: { "/chunk/*/unsigned/m.relations/m.thread/count": 9 } },
      ),
      altersAnswer(
        "takes everybody for a participant",
        { path: THREADS },
        { set: { "/chunk/*/unsigned/m.relations/m.thread/current_user_participated": true } },
      ),
      altersAnswer(
        "does not end",
        { path: THREADS, contains: "limit=1" },
        { set: { "/next_batch": "again" } },
      ),
      altersAnswer(
        "filters out all",
        { path: THREADS, contains: "include=participated" },
        { set: { "/chunk": [] } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const older = await alice.send(roomId, "older root");
    const newer = await alice.send(roomId, "newer root");
    await alice.send(roomId, "no root");
    await alice.send(roomId, related("m.thread", older, "first reply"));
    const inNewer = await alice.send(roomId, related("m.thread", newer, "reply"));
    const inOlder = await bob.send(roomId, related("m.thread", older, "second reply"));
    const threads = path`/_matrix/client/v1/rooms/${roomId}/threads`;

    const listed = await bob.get(threads);
    const participated = await walk(bob, threads, { include: "participated" });
    const paged = await walk(bob, threads, { limit: 1 });

    const chunk = eventsAt(ok(listed), "chunk");
    expectEqual(ids(chunk), [older, newer], "the roots, latest reply first", listed);
    const summaries = chunk.map((root) => {
      const { count, latest_event, current_user_participated } = objectAt(
        root,
        "unsigned",
        "m.relations",
        "m.thread",
      );
      return { count, latest: textAt(latest_event, "event_id"), current_user_participated };
    });
    expectEqual(
      summaries,
      [
        { count: 2, latest: inOlder, current_user_participated: true },
        { count: 1, latest: inNewer, current_user_participated: false },
      ],
      "the summaries",
      listed,
    );
    expectEqual(participated, [older], "the threads that bob takes part in");
    expectEqual(paged, [older, newer], "the roots, page by page");
  },
);

check(
  "CS.threads.errors",
  "the server lists no threads to outsiders and refuses an unknown filter",
  {
    mutant: [
      altersAnswer(
        "answers outsiders",
        { path: THREADS, status: 403 },
        { status: 200, body: { chunk: [] } },
      ),
      claims("takes any filter", { path: THREADS, contains: "include=zz" }, { chunk: [] }),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const roomId = await alice.createRoom({ preset: "private_chat" });
    const root = await alice.send(roomId, "root");
    await alice.send(roomId, related("m.thread", root, "secret"));
    const threads = path`/_matrix/client/v1/rooms/${roomId}/threads`;

    const outsider = await mallory.get(threads);
    const include = await alice.get(threads, { include: "zz" });

    expectMatrixError(outsider, 403, "M_FORBIDDEN");
    expectMatrixError(include, 400, "M_INVALID_PARAM");
  },
);

check(
  "CS.threads.unknown-token",
  "the server refuses an unknown token",
  { mutant: claims("takes any token", { path: THREADS, contains: "from=zz" }, { chunk: [] }) },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();

    const response = await alice.get(path`/_matrix/client/v1/rooms/${roomId}/threads`, {
      from: "zz",
    });

    expectMatrixError(response, 400, "M_INVALID_PARAM");
  },
);

check(
  "CS.threads.no-nesting",
  "the server refuses a thread that starts from an event with a relation",
  {
    mutant: [
      claims("nests threads", {
        method: "PUT",
        path: `${ROOM}/send/**`,
        contains: "below a reply",
      }),
      claims("starts threads from edits", {
        method: "PUT",
        path: `${ROOM}/send/**`,
        contains: "below an edit",
      }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const root = await alice.send(roomId, "root");
    const reply = await alice.send(roomId, related("m.thread", root, "reply"));
    const edited = await alice.send(roomId, edit(root, "edited"));
    const start = (eventId: string, body: string): Promise<HttpResponse> =>
      alice.put(
        path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`,
        related("m.thread", eventId, body),
      );

    const belowReply = await start(reply, "below a reply");
    const belowEdit = await start(edited, "below an edit");

    expectMatrixError(belowReply, 400, "M_UNKNOWN");
    expectMatrixError(belowEdit, 400, "M_UNKNOWN");
    const further = await start(root, "a further reply");
    expectStatus(further, 200);
  },
);
