import { type HttpResponse, path } from "#harness/http/client";
import { at, isObject, type JsonObject, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  fail,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import type { ServerClient, Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { unknownRoom } from "./rooms.ts";

const LIST = "/_matrix/client/v3/directory/list/room/*";
const PUBLIC_ROOMS = "/_matrix/client/v3/publicRooms";
const DONE = { status: 200, body: {} };
const PAGES_AT_MOST = 50;
const SEARCH = { method: "POST", path: PUBLIC_ROOMS };
/** Of a listed room, besides its id. */
const KEYS = [
  "num_joined_members",
  "world_readable",
  "guest_can_join",
  "name",
  "topic",
  "canonical_alias",
];

function setVisibility(
  session: Session,
  roomId: string,
  visibility: string,
): Promise<HttpResponse> {
  return session.put(path`/_matrix/client/v3/directory/list/room/${roomId}`, { visibility });
}

function visibilityOf(reader: ServerClient, roomId: string): Promise<HttpResponse> {
  return reader.get(path`/_matrix/client/v3/directory/list/room/${roomId}`);
}

/** A word for the metadata of rooms that no other check searches for. */
function newWord(world: World): string {
  return world.name("word").replace("-", "");
}

function search(reader: ServerClient, word: string, more: JsonObject = {}): Promise<HttpResponse> {
  return reader.post(PUBLIC_ROOMS, { filter: { generic_search_term: word }, ...more });
}

/** An entry of `initial_state`. */
function state(type: string, content: JsonObject): JsonObject {
  return { type, state_key: "", content };
}

function expectAbsent(room: JsonObject | undefined, ...keys: readonly string[]): void {
  const there = keys.filter((key) => Object.hasOwn(room ?? {}, key));
  expectEqual(there, [], "the keys without value in the listed room");
}

/** Ids of the rooms on each page, until one has no `next_batch`. @param get asks for a page. */
async function walk(
  get: (since: { since?: string }) => Promise<HttpResponse>,
): Promise<readonly (readonly string[])[]> {
  const pages: string[][] = [];
  let since: { since?: string } = {};
  for (;;) {
    const response = await get(since);
    pages.push(listAt(ok(response), "chunk").map((room) => textAt(room, "room_id")));
    const next = at(response.json, "next_batch");
    if (next === undefined) return pages;
    if (pages.length >= PAGES_AT_MOST)
      fail("the pages of /publicRooms to end", `${pages.length} and still a next_batch`, response);
    since = { since: textAt(response.json, "next_batch") };
  }
}

/** The listed rooms by id. */
function chunk(response: HttpResponse): ReadonlyMap<unknown, JsonObject> {
  const rooms = listAt(ok(response), "chunk").filter(isObject);
  return new Map(rooms.map((room) => [room.room_id, room]));
}

/** Searches until exactly these rooms are found; a directory may be a moment behind. */
function untilFound(
  world: World,
  reader: ServerClient,
  word: string,
  roomIds: readonly string[],
): Promise<ReadonlyMap<unknown, JsonObject>> {
  return world.eventually(async () => {
    const response = await search(reader, word);
    const found = chunk(response);
    expectEqual(
      [...found.keys()].sort(),
      roomIds.toSorted(),
      `the rooms found by ${word}`,
      response,
    );
    return found;
  });
}

check(
  "CS.directory.listing",
  "the server lists published rooms with their data, and without keys that have no value",
  {
    mutant: [
      ...KEYS.map((key) => altersAnswer(`omits ${key}`, SEARCH, { remove: [`/chunk/*/${key}`] })),
      altersAnswer("has null for an avatar", SEARCH, { set: { "/chunk/*/avatar_url": null } }),
      altersAnswer("calls all public", SEARCH, { set: { "/chunk/*/join_rule": "public" } }),
      altersAnswer("counts one member", SEARCH, { set: { "/chunk/*/num_joined_members": 1 } }),
      altersAnswer("opens all", SEARCH, { set: { "/chunk/*/world_readable": true } }),
      altersAnswer("lets guests in", SEARCH, { set: { "/chunk/*/guest_can_join": true } }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const word = newWord(world);
    const open = await alice.createRoom({
      preset: "public_chat",
      name: `Open ${word}`,
      topic: "All are welcome",
      room_alias_name: word,
      initial_state: [
        state("m.room.history_visibility", { history_visibility: "world_readable" }),
        state("m.room.guest_access", { guest_access: "can_join" }),
      ],
    });
    await bob.join(open);
    const nameless = await alice.createRoom({ preset: "public_chat", topic: `About ${word}` });
    const knock = await alice.createRoom({
      name: `Knock ${word}`,
      initial_state: [
        state("m.room.join_rules", { join_rule: "knock" }),
        state("m.room.guest_access", { guest_access: "forbidden" }),
      ],
    });
    const closed = { world_readable: false, guest_can_join: false, num_joined_members: 1 };

    for (const roomId of [open, nameless, knock]) ok(await setVisibility(alice, roomId, "public"));
    const found = await untilFound(world, bob, word, [open, nameless, knock]);

    expectContains(
      found.get(open),
      {
        num_joined_members: 2,
        world_readable: true,
        guest_can_join: true,
        name: `Open ${word}`,
        topic: "All are welcome",
        canonical_alias: `#${word}:${alice.server.serverName}`,
      },
      "the open room",
    );
    expectContains(found.get(nameless), { ...closed, topic: `About ${word}` }, "the nameless room");
    expectContains(found.get(knock), { ...closed, name: `Knock ${word}` }, "the knock room");
    for (const roomId of [open, nameless])
      expectEqual(found.get(roomId)?.join_rule ?? "public", "public", "join_rule of a public room");
    expectEqual(found.get(knock)?.join_rule, "knock", "join_rule of the knock room");
    expectAbsent(found.get(open), "avatar_url", "room_type");
    expectAbsent(found.get(nameless), "name", "canonical_alias", "avatar_url", "room_type");
    expectAbsent(found.get(knock), "topic", "canonical_alias", "avatar_url", "room_type");
  },
);

check(
  "CS.directory.listing",
  "the server finds published rooms by a word of their data, and no private ones",
  {
    mutant: [
      altersRequest("finds all rooms", SEARCH, { remove: ["/filter"] }),
      altersRequest(
        "lists private rooms",
        { path: "/_matrix/client/v3/createRoom" },
        { replace: [['"visibility":"private"', '"visibility":"public"']] },
      ),
      claims("does not take rooms back", { path: LIST, contains: "private" }, {}),
      altersAnswer(
        "calls them private",
        { method: "GET", path: LIST },
        { set: { "/visibility": "private" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const [word, otherWord] = [newWord(world), newWord(world)];
    const create = (visibility: string, name: string) =>
      alice.createRoom({ preset: "public_chat", visibility, name });
    await create("private", `Hidden ${word}`);
    const [initial, later] = [
      await create("public", `Initial ${word}`),
      await create("private", `Later ${word}`),
    ];
    const other = await create("public", `Other ${otherWord}`);
    await untilFound(world, bob, otherWord, [other]);

    const published = await setVisibility(alice, later, "public");
    const whenPublic = await visibilityOf(bob, later);
    await untilFound(world, bob, word, [initial, later]);
    const takenBack = await setVisibility(alice, initial, "private");
    const whenPrivate = await visibilityOf(bob, initial);
    await untilFound(world, bob, word, [later]);

    for (const response of [published, takenBack])
      expectEqual(ok(response), {}, "the answer", response);
    expectEqual(ok(whenPublic).visibility, "public", "the visibility", whenPublic);
    expectEqual(ok(whenPrivate).visibility, "private", "the visibility", whenPrivate);
  },
);

check(
  "CS.directory.listing",
  "the server pages through the published rooms",
  {
    mutant: [
      altersRequest("ignores the limit", SEARCH, { remove: ["/limit"] }),
      altersRequest("starts again on each page", SEARCH, { remove: ["/since"] }),
      altersAnswer("ends after a page", SEARCH, { remove: ["/next_batch"] }),
      altersAnswer(
        "lists nothing without a search",
        { method: "GET", path: PUBLIC_ROOMS },
        { set: { "/chunk": [] } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const word = newWord(world);
    const options = { preset: "public_chat", visibility: "public", name: `Paged ${word}` };
    const roomIds: string[] = [];
    for (let count = 0; count < 3; count++) roomIds.push(await alice.createRoom(options));
    await untilFound(world, alice, word, roomIds);

    const pages = await walk((since) => search(alice, word, { limit: 1, ...since }));

    for (const page of pages)
      expectThat(page.length <= 1, "at most one room on a page", page.join());
    expectEqual(pages.flat().toSorted(), roomIds.toSorted(), "the rooms of all pages");
    // Other checks publish and hide rooms at the same time, which may move rooms between pages.
    await world.eventually(async () => {
      const listed = await walk((since) => alice.get(PUBLIC_ROOMS, { limit: 100, ...since }));
      const missing = roomIds.filter((roomId) => !listed.flat().includes(roomId));
      expectEqual(missing, [], "the rooms missing in GET /publicRooms");
    });
  },
);

check(
  "CS.directory.errors",
  "the server lets no member without power publish a room, and takes no other visibility",
  {
    mutant: [
      altersAnswer("lets anybody publish", { method: "PUT", path: LIST, status: 403 }, DONE),
      claims("takes any visibility", { method: "PUT", path: LIST, contains: '"zz"' }, {}),
      altersAnswer(
        "refuses, and yet publishes",
        { method: "GET", path: LIST },
        { set: { "/visibility": "public" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat", visibility: "private" });
    await bob.join(roomId);

    const byMember = await setVisibility(bob, roomId, "public");
    const invalid = await setVisibility(alice, roomId, "zz");

    expectMatrixError(byMember, 403, "M_FORBIDDEN");
    expectMatrixError(invalid, 400);
    const after = await visibilityOf(alice, roomId);
    expectEqual(ok(after).visibility, "private", "the visibility after the refusals", after);
  },
);

check(
  "CS.directory.errors",
  "the server does not find the visibility of an unknown room",
  {
    mutant: altersAnswer("knows all rooms", { method: "GET", path: LIST, status: 404 }, DONE),
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await visibilityOf(alice, unknownRoom(world));

    expectMatrixError(response, 404, "M_NOT_FOUND");
  },
);

check(
  "CS.directory.unknown-room",
  "the server does not find an unknown room to publish",
  {
    mutant: altersAnswer("publishes any", { method: "PUT", path: LIST }, DONE),
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await setVisibility(alice, unknownRoom(world), "public");

    expectMatrixError(response, 404, "M_NOT_FOUND");
  },
);
