import { type HttpResponse, path } from "#harness/http/client";
import { at, eventsAt, type JsonObject, listAt, objectAt, textAt } from "#harness/match/json";
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
import type { ServerClient, Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { ids } from "./rooms.ts";

const SEARCH = "/_matrix/client/v3/search";
const DIRECTORY = "/_matrix/client/v3/user_directory/search";
const CREATE_ROOM = "/_matrix/client/v3/createRoom";
const RESULTS = "/search_categories/room_events/results";
const FOREIGN = { result: { event_id: "$foreign", type: "m.room.message", content: {} } };
const PAGES_AT_MOST = 10;

/** One word that nobody else uses, however a server cuts text into words. */
function word(world: World, prefix: string): string {
  return world.name(prefix).replace("-", "");
}

function search(session: ServerClient, criteria: JsonObject, nextBatch?: string) {
  const body = { search_categories: { room_events: criteria } };
  return session.post(SEARCH, body, { next_batch: nextBatch });
}

/** Ids of the events found, in the order of the answer. */
function found(response: HttpResponse): readonly string[] {
  const section = objectAt(ok(response), "search_categories", "room_events");
  if (section.results === undefined) return [];
  return listAt(section, "results").map((result) => textAt(result, "result", "event_id"));
}

/** Searches until exactly these events are found, in any order: servers may take their time to index. */
function untilFound(
  world: World,
  session: Session,
  criteria: JsonObject,
  expected: readonly string[],
): Promise<HttpResponse> {
  return world.eventually(async () => {
    const response = await search(session, criteria);
    const what = `the events found for ${JSON.stringify(criteria)}`;
    expectEqual(found(response).toSorted(), expected.toSorted(), what, response);
    return response;
  });
}

check(
  "CS.search.events",
  "the server finds events of one's rooms by body, name and topic",
  {
    mutant: [
      ...["body", "name", "topic"].map((key) =>
        altersAnswer(
          `does not find by ${key}`,
          { path: SEARCH, contains: `"search_term":"${key}` },
          { set: { [RESULTS]: [] } },
        ),
      ),
      altersAnswer(
        "ignores the keys",
        { path: SEARCH, contains: '"content.name"' },
        { set: { [RESULTS]: [FOREIGN] } },
      ),
      altersAnswer(
        "drops the content",
        { path: SEARCH },
        { remove: [`${RESULTS}/0/result/content`] },
      ),
      altersAnswer(
        "counts in words",
        { path: SEARCH },
        { set: { "/search_categories/room_events/count": "one" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const [inBody, inName, inTopic] = [
      word(world, "body"),
      word(world, "name"),
      word(world, "topic"),
    ];
    const roomId = await alice.createRoom({ preset: "private_chat" });
    const message = await alice.send(roomId, `hello ${inBody}, world`);
    const name = await alice.setState(roomId, "m.room.name", { name: `The ${inName}` });
    const topic = await alice.setState(roomId, "m.room.topic", { topic: `All on ${inTopic}` });

    const byBody = await untilFound(world, alice, { search_term: inBody }, [message]);
    await untilFound(world, alice, { search_term: inName }, [name]);
    await untilFound(world, alice, { search_term: inTopic }, [topic]);
    const byOtherKey = await search(alice, { search_term: inBody, keys: ["content.name"] });
    const byKey = await search(alice, { search_term: inBody, keys: ["content.body"] });

    const section = objectAt(byBody.json, "search_categories", "room_events");
    const event = at(section, "results", 0, "result");
    const expected = {
      event_id: message,
      room_id: roomId,
      sender: alice.userId,
      type: "m.room.message",
      content: { body: `hello ${inBody}, world` },
    };
    expectContains(event, expected, "the event found", byBody);
    const { count } = section;
    expectThat(Number.isInteger(count), "count to be an integer", count, byBody);
    if (count !== 1) world.note(`the count of one match is estimated as ${count}`);
    expectEqual(found(byOtherKey), [], "events found by their name", byOtherKey);
    expectEqual(found(byKey), [message], "events found by their body", byKey);
  },
);

check(
  "CS.search.events",
  "the server adds as many neighbours of the event as asked for",
  {
    mutant: [
      altersAnswer(
        "adds none before",
        { path: SEARCH },
        { set: { [`${RESULTS}/*/context/events_before`]: [] } },
      ),
      altersAnswer(
        "adds one after too few",
        { path: SEARCH },
        { remove: [`${RESULTS}/*/context/events_after/-1`] },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const term = word(world, "middle");
    const roomId = await alice.createRoom({ preset: "private_chat" });
    const sent: string[] = [];
    for (const body of ["one", "two", "three", term, "five", "six", "seven"])
      sent.push(await alice.send(roomId, body));
    const criteria = { search_term: term, event_context: { before_limit: 2, after_limit: 1 } };

    const response = await untilFound(world, alice, criteria, sent.slice(3, 4));

    const context = at(response.json, "search_categories", "room_events", "results", 0, "context");
    const before = ids(eventsAt(context, "events_before"));
    const after = ids(eventsAt(context, "events_after"));
    expectEqual(before.toSorted(), sent.slice(1, 3).toSorted(), "the events before it", response);
    expectEqual(after, sent.slice(4, 5), "the events after it", response);
  },
);

check(
  "CS.search.events",
  "the server orders by recency and pages through the results",
  {
    mutant: [
      altersAnswer("skips a result", { path: SEARCH }, { remove: [`${RESULTS}/1`] }),
      altersRequest(
        "orders by rank",
        { path: SEARCH, contains: '"recent"' },
        { set: { "/search_categories/room_events/order_by": "rank" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const term = word(world, "page");
    const roomId = await alice.createRoom({ preset: "private_chat" });
    const sent: string[] = [];
    // The older, the more often it has the word: rank and recency are opposite orders.
    for (const times of [5, 4, 3, 2, 1])
      sent.push(await alice.send(roomId, Array(times).fill(term).join(" ")));
    await untilFound(world, alice, { search_term: term }, sent);
    const criteria = { search_term: term, order_by: "recent", filter: { limit: 2 } };

    const pages: (readonly string[])[] = [];
    let nextBatch: string | undefined;
    do {
      const response = await search(alice, criteria, nextBatch);
      pages.push(found(response));
      const next = at(response.json, "search_categories", "room_events", "next_batch");
      nextBatch = typeof next === "string" ? next : undefined;
      if (pages.length > PAGES_AT_MOST) fail("the pages to end", `${pages.length} pages`, response);
    } while (nextBatch !== undefined);

    const newestFirst = sent.toReversed();
    for (const page of pages) expectThat(page.length <= 2, "at most 2 events a page", page);
    if (pages.length > 1) {
      expectEqual(pages.flat(), newestFirst, "the pages joined");
    } else {
      world.note("the search has no pages");
      expectEqual(pages[0], newestFirst.slice(0, 2), "the only page");
    }
  },
);

check(
  "CS.search.events",
  "the server finds no redacted event in either order",
  {
    mutant: [
      claims("keeps redacted events", {
        method: "PUT",
        path: "/_matrix/client/v3/rooms/*/redact/**",
      }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const term = word(world, "redacted");
    const roomId = await alice.createRoom({ preset: "private_chat" });
    const redacted = await alice.send(roomId, `${term} will go`);
    const kept = await alice.send(roomId, `${term} will stay`);
    await untilFound(world, alice, { search_term: term }, [redacted, kept]);

    const target = path`/_matrix/client/v3/rooms/${roomId}/redact/${redacted}/${world.name("txn")}`;
    ok(await alice.put(target, {}));

    for (const order_by of ["rank", "recent"])
      await untilFound(world, alice, { search_term: term, order_by }, [kept]);
  },
);

check(
  "CS.search.events",
  "the server finds nothing in rooms that one was never in, nor what came after one left",
  {
    mutant: [
      altersAnswer(
        "searches rooms by their id",
        { path: SEARCH, contains: '"rooms"' },
        { status: 200, body: { search_categories: { room_events: { results: [FOREIGN] } } } },
      ),
      altersRequest(
        "does not let go of members",
        { method: "POST", path: "/_matrix/client/v3/rooms/*/leave" },
        { path: "/_matrix/client/v3/account/whoami", method: "GET" },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, mallory] = await world.users("alice", "bob", "mallory");
    const term = word(world, "secret");
    const roomId = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await bob.join(roomId);
    await bob.leave(roomId);
    const after = await alice.send(roomId, `${term} of the others`);
    const own = await mallory.createRoom({ preset: "private_chat" });
    const marker = await mallory.send(own, `${term} of mallory`);
    await untilFound(world, alice, { search_term: term }, [after]);

    const anywhere = await untilFound(world, mallory, { search_term: term }, [marker]);
    const byRoom = await search(mallory, { search_term: term, filter: { rooms: [roomId] } });
    const byFormerMember = await search(bob, { search_term: term });

    expectThat(!anywhere.text.includes(after), "no trace of the event", anywhere.text, anywhere);
    expectStatus(byRoom, [200, 403, 404]);
    if (byRoom.status === 200) expectEqual(found(byRoom), [], "what mallory finds there", byRoom);
    expectEqual(found(byFormerMember), [], "what the former member finds", byFormerMember);
  },
);

check(
  "CS.search.left-rooms",
  "the server finds what was said in a room before one left it",
  {
    mutant: altersAnswer(
      "forgets left rooms",
      { path: SEARCH, contains: '"recent"' },
      { set: { [RESULTS]: [] } },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const term = word(world, "before");
    const roomId = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await bob.join(roomId);
    const before = await alice.send(roomId, `${term} bob left`);
    await untilFound(world, bob, { search_term: term }, [before]);

    await bob.leave(roomId);

    await untilFound(world, bob, { search_term: term, order_by: "recent" }, [before]);
  },
);

check(
  "CS.search.events",
  "the server finds events of the predecessor and the replacement when both are asked for",
  {
    mutant: altersAnswer(
      "forgets the predecessor",
      { path: SEARCH },
      { remove: [`${RESULTS}/-1`] },
    ),
  },
  async (world) => {
    world.needs("room-version:10");
    world.needs("room-version:11");
    const alice = await world.user("alice");
    const term = word(world, "upgraded");
    const old = await alice.createRoom({ preset: "private_chat", room_version: "10" });
    const before = await alice.send(old, `before: ${term}`);
    const response = await alice.post(path`/_matrix/client/v3/rooms/${old}/upgrade`, {
      new_version: "11",
    });
    const replacement = textAt(ok(response), "replacement_room");
    const after = await alice.send(replacement, `after: ${term}`);
    const rooms = [old, replacement];

    await untilFound(world, alice, { search_term: term, filter: { rooms } }, [before, after]);
  },
);

check(
  "CS.search.errors",
  "the server refuses a search without categories, without a term and without a token",
  {
    mutant: [
      altersAnswer("fails", { path: SEARCH, status: 400 }, { status: 500 }),
      claims("takes an empty body", { path: SEARCH, contains: "{}" }, { search_categories: {} }),
      altersAnswer(
        "searches for anybody",
        { path: SEARCH, status: 401 },
        { status: 200, body: { search_categories: {} } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const withoutCategories = await alice.post(SEARCH, {});
    const withoutTerm = await search(alice, {});
    const withoutToken = await search(world.anonymous(), { search_term: "term" });

    expectMatrixError(withoutCategories, 400);
    expectMatrixError(withoutTerm, 400);
    expectMatrixError(withoutToken, 401, "M_MISSING_TOKEN");
  },
);

async function setName(session: Session, displayname: string): Promise<void> {
  const target = path`/_matrix/client/v3/profile/${session.userId}/displayname`;
  ok(await session.put(target, { displayname }));
}

function searchUsers(session: Session, term: string, limit?: number) {
  return session.post(DIRECTORY, { search_term: term, limit });
}

function usersIn(response: HttpResponse): readonly string[] {
  return listAt(ok(response), "results").map((user) => textAt(user, "user_id"));
}

/** Searches the directory until exactly these users are found: servers may update it in the background. */
function untilUsers(
  world: World,
  session: Session,
  term: string,
  expected: readonly Session[],
): Promise<HttpResponse> {
  const userIds = expected.map(({ userId }) => userId).toSorted();
  return world.eventually(async () => {
    const response = await searchUsers(session, term);
    expectEqual(usersIn(response).toSorted(), userIds, `the users found for ${term}`, response);
    return response;
  });
}

check(
  "CS.userdir.search",
  "the server finds users of shared and of public rooms by id and display name, in any case",
  {
    mutant: [
      altersAnswer(
        "finds nobody by id",
        { path: DIRECTORY, contains: '"@' },
        { set: { "/results": [] } },
      ),
      altersAnswer(
        "minds the case",
        { path: DIRECTORY, contains: "PUBLIC" },
        { set: { "/results": [] } },
      ),
      altersRequest(
        "forgets public rooms",
        { path: CREATE_ROOM, contains: "public_chat" },
        { set: { "/preset": "private_chat" } },
      ),
      altersAnswer(
        "forgets shared rooms",
        { path: DIRECTORY, contains: "shared" },
        { set: { "/results": [] } },
      ),
      altersAnswer("drops names", { path: DIRECTORY }, { remove: ["/results/*/display_name"] }),
      altersAnswer("drops limited", { path: DIRECTORY }, { remove: ["/limited"] }),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const [publicName, sharedName] = [word(world, "public"), word(world, "shared")];
    await Promise.all([setName(alice, publicName), setName(charlie, sharedName)]);
    await alice.createRoom({ preset: "public_chat" });
    const shared = await charlie.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await bob.join(shared);

    const byName = await untilUsers(world, bob, publicName, [alice]);
    await untilUsers(world, bob, publicName.toUpperCase(), [alice]);
    await untilUsers(world, bob, alice.userId, [alice]);
    await untilUsers(world, bob, sharedName, [charlie]);
    await untilUsers(world, bob, charlie.userId, [charlie]);

    const user = { user_id: alice.userId, display_name: publicName };
    expectContains(at(byName.json, "results", 0), user, "the user found", byName);
    expectEqual(at(byName.json, "limited"), false, "limited", byName);
  },
);

check(
  "CS.userdir.search",
  "the server does not find by a name that is used only in a room one is not in",
  {
    mutant: [
      altersAnswer(
        "searches private names",
        { path: DIRECTORY, contains: "private" },
        { set: { "/results": [{ user_id: "@alice:hs1" }] } },
      ),
      altersRequest(
        "takes the private name for the user's",
        { method: "PUT", path: "/_matrix/client/v3/profile/*/displayname", contains: "public" },
        { replace: [['"public', '"private']] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, dave, eve] = await world.users("alice", "bob", "dave", "eve");
    const [publicName, privateName] = [word(world, "public"), word(world, "private")];
    const markerName = word(world, "marker");
    await Promise.all([setName(alice, publicName), setName(dave, markerName)]);
    await alice.createRoom({ preset: "public_chat" });
    const shared = await bob.createRoom({ preset: "private_chat", invite: [alice.userId] });
    await alice.join(shared);
    const nickname = { membership: "join", displayname: privateName };
    await alice.setState(shared, "m.room.member", nickname, alice.userId);

    // A later newcomer who is found proves that the directory has the nickname behind it.
    await dave.createRoom({ preset: "public_chat" });
    await untilUsers(world, eve, markerName, [dave]);
    const byPublicName = await searchUsers(eve, publicName);
    const byPrivateName = await searchUsers(eve, privateName);

    expectEqual(usersIn(byPublicName), [alice.userId], "users by the public name", byPublicName);
    expectEqual(usersIn(byPrivateName), [], "users by the private name", byPrivateName);
    const shown = at(byPublicName.json, "results", 0, "display_name");
    expectEqual(shown, publicName, "the name shown to a stranger", byPublicName);
  },
);

check(
  "CS.userdir.search",
  "the server says when a limit cut the users found",
  {
    mutant: [
      altersAnswer(
        "ignores the limit",
        { path: DIRECTORY, contains: '"limit":1' },
        { set: { "/results": [{ user_id: "@a:hs1" }, { user_id: "@b:hs1" }] } },
      ),
      altersAnswer("does not say", { path: DIRECTORY }, { set: { "/limited": false } }),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const term = word(world, "twin");
    await Promise.all([setName(alice, `${term} one`), setName(charlie, `${term} two`)]);
    await Promise.all([alice, charlie].map((twin) => twin.createRoom({ preset: "public_chat" })));
    await untilUsers(world, bob, term, [alice, charlie]);

    const response = await searchUsers(bob, term, 1);

    const users = usersIn(response);
    expectEqual(users.length, 1, "the number of users", response);
    expectEqual(at(response.json, "limited"), true, "limited", response);
  },
);

check(
  "CS.userdir.search",
  "the server refuses a search for users without a term",
  {
    mutant: [
      altersAnswer("fails", { path: DIRECTORY }, { status: 500 }),
      claims("finds nobody", { path: DIRECTORY }, { results: [], limited: false }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await alice.post(DIRECTORY, {});

    expectMatrixError(response, 400);
  },
);
