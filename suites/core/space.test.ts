import { path } from "#harness/http/client";
import { at, type JsonObject, listAt, numberAt, textAt } from "#harness/match/json";
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
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { ROOM, unknownRoom } from "./rooms.ts";

const HIERARCHY = "/_matrix/client/v1/rooms/*/hierarchy";
const CREATE_ROOM = "/_matrix/client/v3/createRoom";
const CHILD = `${ROOM}/state/m.space.child/*`;
const FOREIGN = {
  room_id: "!foreign:hs1",
  num_joined_members: 1,
  world_readable: false,
  guest_can_join: false,
  children_state: [],
};
const PAGES_AT_MOST = 30;

function createSpace(session: Session, options: JsonObject = {}): Promise<string> {
  const creation_content = { type: "m.space" };
  return session.createRoom({ preset: "public_chat", creation_content, ...options });
}

/** Several new public rooms. */
function createRooms<const Names extends readonly string[]>(
  session: Session,
  ...names: Names
): Promise<{ [Index in keyof Names]: string }> {
  const rooms = names.map((name) => session.createRoom({ preset: "public_chat", name }));
  return Promise.all(rooms) as Promise<{ [Index in keyof Names]: string }>;
}

/** Puts a room into a space; returns the event id. */
function link(
  session: Session,
  space: string,
  child: string,
  content: JsonObject = {},
): Promise<string> {
  const via = [session.server.serverName];
  return session.setState(space, "m.space.child", { via, ...content }, child);
}

function hierarchy(
  session: Session,
  roomId: string,
  query: { limit?: number; max_depth?: number; suggested_only?: boolean; from?: string } = {},
) {
  return session.get(path`/_matrix/client/v1/rooms/${roomId}/hierarchy`, query);
}

/** All pages of GET /hierarchy. @throws CheckFailure when there is no end. */
async function walkSpace(
  session: Session,
  roomId: string,
  query: Parameters<typeof hierarchy>[2] = {},
): Promise<readonly (readonly unknown[])[]> {
  const pages: (readonly unknown[])[] = [];
  let from: string | undefined;
  for (;;) {
    const response = await hierarchy(session, roomId, {
      ...query,
      ...(from === undefined ? {} : { from }),
    });
    pages.push(listAt(ok(response), "rooms"));
    if (at(response.json, "next_batch") === undefined) return pages;
    if (pages.length >= PAGES_AT_MOST)
      fail("the walk through the space to end", `${pages.length} pages and more`, response);
    from = textAt(response.json, "next_batch");
  }
}

/** Room ids in the order of their first appearance; rooms may come again as grandchildren. */
function roomIds(pages: readonly (readonly unknown[])[], world: World): readonly string[] {
  const shown = pages.flat().map((room) => textAt(room, "room_id"));
  const once = [...new Set(shown)];
  if (once.length < shown.length) world.note("a room appears more than once in a hierarchy");
  return once;
}

function roomIn(pages: readonly (readonly unknown[])[], roomId: string): unknown {
  return pages.flat().find((room) => at(room, "room_id") === roomId);
}

/** The rooms that a walk shows, in any order, have to be these. */
async function expectRooms(
  world: World,
  session: Session,
  space: string,
  query: Parameters<typeof hierarchy>[2],
  expected: readonly string[],
): Promise<void> {
  const shown = roomIds(await walkSpace(session, space, query), world);
  const what = `the rooms that ${session.userId} is shown for ${JSON.stringify(query)}`;
  expectEqual(shown.toSorted(), expected.toSorted(), what);
}

/** Waits until a walk shows these rooms: servers may learn what is a space, and cache answers, in the background. */
function untilRooms(
  world: World,
  session: Session,
  space: string,
  expected: readonly string[],
): Promise<void> {
  return world.eventually(() => expectRooms(world, session, space, {}, expected));
}

interface Tree {
  readonly alice: Session;
  readonly root: string;
  readonly sub: string;
  readonly plain: string;
  /** In the order of the walk. */
  readonly all: readonly string[];
}

/**
 * Two levels with a cycle. Subspaces come first among their siblings, so that "recurses before returning non-space
 * children" and the order of siblings ask for the same walk.
 */
async function growTree(world: World): Promise<Tree> {
  const alice = await world.user("alice");
  const [root, sub] = await Promise.all([createSpace(alice), createSpace(alice, { name: "Sub" })]);
  const [plain, early, late, deep1, deep2] = await createRooms(
    alice,
    "plain",
    "early",
    "late",
    "deep 1",
    "deep 2",
  );
  await link(alice, root, early);
  await link(alice, root, late);
  await link(alice, root, plain, { order: "b" });
  await link(alice, root, sub, { order: "a" });
  await link(alice, sub, deep2, { order: "2" });
  await link(alice, sub, deep1, { order: "1" });
  await link(alice, sub, root);
  const all = [root, sub, deep1, deep2, plain, early, late];
  await untilRooms(world, alice, root, all);
  return { alice, root, sub, plain, all };
}

check(
  "CS.space.hierarchy",
  "the server walks a space depth first in the order of the children and ends on a cycle",
  {
    mutant: [
      altersAnswer("skips a room", { path: HIERARCHY }, { remove: ["/rooms/3"] }),
      altersRequest(
        "ignores the order",
        { path: CHILD, contains: '"order"' },
        { remove: ["/order"] },
      ),
      altersAnswer("never ends", { path: HIERARCHY }, { set: { "/next_batch": "on" } }),
      altersAnswer(
        "answers no links",
        { path: HIERARCHY },
        { set: { "/rooms/*/children_state": [] } },
      ),
      altersAnswer(
        "answers links without time",
        { path: HIERARCHY },
        { remove: ["/rooms/*/children_state/*/origin_server_ts"] },
      ),
      altersAnswer("hides spaces", { path: HIERARCHY }, { remove: ["/rooms/*/room_type"] }),
      altersAnswer(
        "leaves out the members",
        { path: HIERARCHY },
        { remove: ["/rooms/*/num_joined_members"] },
      ),
    ],
  },
  async (world) => {
    const { alice, root, sub, plain, all } = await growTree(world);

    const summary = {
      name: "Sub",
      room_type: "m.space",
      join_rule: "public",
      world_readable: false,
      guest_can_join: false,
    };
    const pages = await world.eventually(async () => {
      const walked = await walkSpace(alice, root);
      expectContains(roomIn(walked, sub), summary, "the summary of the subspace");
      return walked;
    });

    expectEqual(roomIds(pages, world), all, "the rooms in order");
    numberAt(roomIn(pages, sub), "num_joined_members");
    const links = listAt(roomIn(pages, root), "children_state");
    const linked = links.map((event) => textAt(event, "state_key"));
    const children = [sub, ...all.slice(-3)];
    expectEqual(linked.toSorted(), children.toSorted(), "the children in the root's links");
    for (const event of links) {
      const stripped = {
        type: "m.space.child",
        sender: alice.userId,
        content: { via: [alice.server.serverName] },
      };
      expectContains(event, stripped, "a link");
      numberAt(event, "origin_server_ts");
    }
    expectEqual(
      listAt(roomIn(pages, plain), "children_state"),
      [],
      "the links of a room that is no space",
    );
  },
);

check(
  "CS.space.hierarchy",
  "the server pages through a space by a limit of one room",
  {
    mutant: [
      altersAnswer(
        "ignores the limit",
        { path: HIERARCHY, contains: "limit=1" },
        { set: { "/rooms/-": FOREIGN } },
      ),
      altersAnswer(
        "loses the rest",
        { path: HIERARCHY, contains: "from=" },
        { remove: ["/next_batch"] },
      ),
    ],
  },
  async (world) => {
    const { alice, root, all } = await growTree(world);

    const pages = await walkSpace(alice, root, { limit: 1 });

    for (const page of pages) expectThat(page.length <= 1, "at most one room a page", page);
    expectEqual(roomIds(pages, world), all, "the pages joined");
  },
);

check(
  "CS.space.hierarchy",
  "the server honours suggested_only and max_depth",
  {
    mutant: [
      altersRequest(
        "takes all for suggested",
        { path: CHILD, contains: '"suggested":false' },
        { set: { "/suggested": true } },
      ),
      altersRequest(
        "takes none for suggested",
        { path: CHILD, contains: '"suggested":true' },
        { set: { "/suggested": false } },
      ),
      altersAnswer(
        "goes deeper than asked",
        { path: HIERARCHY, contains: "max_depth=1" },
        { set: { "/rooms/-": FOREIGN } },
      ),
      altersAnswer(
        "takes 0 for no bound",
        { path: HIERARCHY, contains: "max_depth=0" },
        { set: { "/rooms/-": FOREIGN } },
      ),
      altersAnswer(
        "stops at the root",
        { path: HIERARCHY, contains: "max_depth=1" },
        { remove: ["/rooms/1"] },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const [root, sub, other] = await Promise.all([
      createSpace(alice),
      createSpace(alice),
      createSpace(alice),
    ]);
    const [plain, good, bad, hidden] = await createRooms(alice, "plain", "good", "bad", "hidden");
    await link(alice, root, plain, { suggested: false });
    await link(alice, root, sub, { suggested: true });
    await link(alice, root, other, { suggested: false });
    await link(alice, sub, good, { suggested: true });
    await link(alice, sub, bad, { suggested: false });
    await link(alice, other, hidden, { suggested: true });

    const all = [root, plain, sub, other, good, bad, hidden];
    await untilRooms(world, alice, root, all);
    await expectRooms(world, alice, root, { suggested_only: true }, [root, sub, good]);
    await expectRooms(world, alice, root, { max_depth: 0 }, [root]);
    await expectRooms(world, alice, root, { max_depth: 1 }, [root, plain, sub, other]);
    await expectRooms(world, alice, root, { max_depth: 2 }, all);
  },
);

check(
  "CS.space.hierarchy",
  "the server ignores links without via, links of rooms that are no space, and removed ones",
  {
    mutant: [
      altersRequest(
        "follows links without via",
        { path: CHILD, contains: "without via" },
        { set: { "/via": ["hs1"] } },
      ),
      altersRequest(
        "takes every room for a space",
        { path: CREATE_ROOM, contains: '"plain"' },
        { set: { "/creation_content": { type: "m.space" } } },
      ),
      claims("keeps emptied links", { path: CHILD, contains: "removed" }),
      claims("keeps redacted links", { path: `${ROOM}/redact/**` }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const root = await createSpace(alice);
    const [plain, unlinked, beyond, emptied, redacted] = await createRooms(
      alice,
      "plain",
      "unlinked",
      "beyond",
      "emptied",
      "redacted",
    );
    const note = (text: string) => ({ "org.example.note": text });
    await link(alice, root, plain);
    await alice.setState(root, "m.space.child", note("without via"), unlinked);
    await link(alice, plain, beyond);
    await link(alice, root, emptied);
    const redactedLink = await link(alice, root, redacted);
    await untilRooms(world, alice, root, [root, plain, emptied, redacted]);

    await alice.setState(root, "m.space.child", note("removed"), emptied);
    const target = path`/_matrix/client/v3/rooms/${root}/redact/${redactedLink}/${world.name("txn")}`;
    ok(await alice.put(target, {}));

    await untilRooms(world, alice, root, [root, plain]);
  },
);

/** A room with this join rule, which nobody but its creator is in. */
function roomWithRule(session: Session, content: JsonObject): Promise<string> {
  return session.createRoom({
    preset: "private_chat",
    initial_state: [{ type: "m.room.join_rules", state_key: "", content }],
  });
}

check(
  "CS.space.hierarchy",
  "the server shows each user only the children that this user may join, knock on or read",
  {
    mutant: [
      altersRequest(
        "shows private rooms",
        { path: CREATE_ROOM, contains: '"closed"' },
        { set: { "/preset": "public_chat" } },
      ),
      altersRequest(
        "shows restricted rooms to all",
        { path: CREATE_ROOM, contains: '"restricted"' },
        { replace: [['"restricted"', '"public"']] },
      ),
      altersRequest(
        "hides restricted rooms from the eligible",
        { path: CREATE_ROOM, contains: '"restricted"' },
        { replace: [['"restricted"', '"invite"']] },
      ),
      altersRequest(
        "hides knockable rooms",
        { path: CREATE_ROOM, contains: '"knock"' },
        { replace: [['"knock"', '"invite"']] },
      ),
      altersRequest(
        "hides world-readable rooms",
        { path: CREATE_ROOM, contains: '"world_readable"' },
        { replace: [['"world_readable"', '"shared"']] },
      ),
      altersAnswer(
        "hides rooms from the invited",
        { path: HIERARCHY, contains: "limit=20" },
        { remove: ["/rooms/-1"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, dave, mallory] = await world.users("alice", "bob", "dave", "mallory");
    const root = await createSpace(alice);
    const [open, club] = await createRooms(alice, "open", "club");
    await bob.join(club);
    const closed = await alice.createRoom({
      preset: "private_chat",
      name: "closed",
      invite: [dave.userId],
    });
    const restricted = await roomWithRule(alice, {
      join_rule: "restricted",
      allow: [{ type: "m.room_membership", room_id: club }],
    });
    const knockable = await roomWithRule(alice, { join_rule: "knock" });
    const content = { history_visibility: "world_readable" };
    const readable = await alice.createRoom({
      preset: "private_chat",
      initial_state: [{ type: "m.room.history_visibility", state_key: "", content }],
    });
    for (const roomId of [open, closed, restricted, knockable, readable])
      await link(alice, root, roomId);

    const all = [root, open, closed, restricted, knockable, readable];
    await untilRooms(world, alice, root, all);
    await expectRooms(world, mallory, root, {}, [root, open, knockable, readable]);
    await expectRooms(world, bob, root, {}, [root, open, restricted, knockable, readable]);
    await expectRooms(world, dave, root, { limit: 20 }, [root, open, closed, knockable, readable]);
  },
);

check(
  "CS.space.errors",
  "the server refuses a root that one may not see or that does not exist",
  {
    mutant: [
      altersAnswer(
        "shows an empty space",
        { path: HIERARCHY, status: [403, 404] },
        { status: 200, body: { rooms: [] } },
      ),
      altersRequest(
        "shows private spaces",
        { path: CREATE_ROOM },
        { set: { "/preset": "public_chat" } },
      ),
      altersAnswer("fails", { path: HIERARCHY }, { status: 500 }),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const name = world.name("secret");
    const root = await createSpace(alice, { preset: "private_chat", name });

    const foreign = await hierarchy(mallory, root);
    const unknown = await hierarchy(mallory, unknownRoom(world));

    for (const response of [foreign, unknown]) {
      expectMatrixError(response, [403, 404], ["M_FORBIDDEN", "M_NOT_FOUND"]);
      if (response.status === 404) world.note("an inaccessible root answers 404, not 403");
    }
    expectThat(!foreign.text.includes(name), "nothing of the space", foreign.text, foreign);
  },
);

check(
  "CS.space.errors",
  "the server refuses unknown tokens and tokens with other parameters",
  {
    mutant: [
      claims("takes any token", { path: HIERARCHY, contains: "from=zz" }, { rooms: [] }),
      ...["suggested_only", "max_depth"].map((parameter) =>
        altersAnswer(
          `lets ${parameter} change`,
          { path: HIERARCHY, contains: parameter, status: 400 },
          { status: 200, body: { rooms: [] } },
        ),
      ),
      altersAnswer("fails", { path: HIERARCHY, status: 400 }, { status: 500 }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const root = await createSpace(alice);
    const [first, second] = await createRooms(alice, "first", "second");
    await Promise.all([link(alice, root, first), link(alice, root, second)]);
    await untilRooms(world, alice, root, [root, first, second]);
    const page = await hierarchy(alice, root, { limit: 1 });
    const from = textAt(ok(page), "next_batch");

    const unknown = await hierarchy(alice, root, { from: "zz" });
    const suggested = await hierarchy(alice, root, { limit: 1, from, suggested_only: true });
    const shallow = await hierarchy(alice, root, { limit: 1, from, max_depth: 1 });

    for (const response of [unknown, suggested, shallow])
      expectMatrixError(response, 400, "M_INVALID_PARAM");
    ok(await hierarchy(alice, root, { limit: 1, from }));
  },
);
