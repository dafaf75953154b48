/** The sticky events extension of sliding sync (MSC4480). */
import { STICKY_REMAINING } from "#harness/clients/rtc/names";
import { remainingOf } from "#harness/clients/rtc/sticky-map";
import { SlidingConnection, type Synced } from "#harness/clients/sliding-sync/connection";
import {
  DIALECTS,
  STABLE_PATH,
  UNSTABLE,
  UNSTABLE_PATH,
} from "#harness/clients/sliding-sync/dialect";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import type { Rewrite } from "#harness/gateway/rule";
import { at, eventsAt, isObject, type MatrixEvent, textAt } from "#harness/match/json";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { chat, idsOf, ignore, LONG_MS, stick, stickMany, TYPE } from "./sticky.ts";

const KEY = "org.matrix.msc4354.sticky_events";
const ROOMS = `/extensions/${KEY}/rooms`;
const EVENTS = `${ROOMS}/*/events`;
const PAGES_AT_MOST = 10;
const LIMIT = 10;
const MANY = 35;
const TOLERANCE_MS = 1_000;
const WAIT_MS = 15_000;
const SOON_MS = 1_000;

/** A server whose answers are changed like this, in either dialect. */
function answers(
  name: string,
  change: Omit<Rewrite, "method" | "path">,
  contains?: string,
): Mutant {
  return {
    name,
    rules: [STABLE_PATH, UNSTABLE_PATH].map((path) => ({
      match: { path, status: 200, ...(contains === undefined ? {} : { contains }) },
      phase: "processed" as const,
      action: { kind: "rewrite" as const, ...change },
    })),
  };
}

/** A new connection, in a dialect that the server offers. */
function connect(world: World, session: Session): SlidingConnection {
  const dialect = DIALECTS.find(({ feature }) => world.has(feature)) ?? UNSTABLE;
  world.needs(dialect.feature);
  return new SlidingConnection(session, dialect, {
    onViolation: ({ requirement, expected, actual }, http) =>
      world.violation(requirement, expected, actual, http),
  });
}

/** One list with the newest room in its window, and with all others. */
const NEWEST: SlidingRequest = { lists: { newest: { range: [0, 0], timelineLimit: 1 } } };

function withSticky(
  rules: SlidingRequest,
  { since, limit }: { since?: string | undefined; limit?: number } = {},
): SlidingRequest {
  const config = {
    enabled: true,
    ...(since === undefined ? {} : { since }),
    ...(limit === undefined ? {} : { limit }),
  };
  return { ...rules, extensions: { [KEY]: config } };
}

function stuckIn({ extensions }: Synced, roomId: string): readonly MatrixEvent[] {
  return eventsAt(extensions, KEY, "rooms", roomId, "events");
}

/** Ids of the events of all rooms. */
function allIn({ extensions }: Synced): readonly string[] {
  const rooms = at(extensions, KEY, "rooms");
  return Object.keys(isObject(rooms) ? rooms : {}).flatMap((roomId) =>
    idsOf(eventsAt(rooms, roomId, "events")),
  );
}

function nextOf({ extensions }: Synced): string | undefined {
  return at(extensions, KEY, "next_batch") === undefined
    ? undefined
    : textAt(extensions, KEY, "next_batch");
}

check(
  "MSC4480.ext.basic",
  "the server sends what sticks by the extension, with a token to go on from",
  {
    mutant: [
      answers("sends no extension", { remove: [`/extensions/${KEY}`] }),
      answers("sends no token", { remove: [`/extensions/${KEY}/next_batch`] }),
      answers(
        "sends it to those who have not asked too",
        { set: { [`/extensions/${KEY}`]: { rooms: {} } } },
        '"extensions":{}',
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const sent = [await stick(alice, roomId), await stick(bob, roomId)];
    await chat(alice, roomId, 2);
    const connection = connect(world, bob);

    const without = await connection.initial({ ...NEWEST, extensions: {} });
    const first = await connection.initial(withSticky(NEWEST));
    const started = await stick(alice, roomId);
    await chat(alice, roomId, 2);
    const second = await connection.sync(withSticky(NEWEST, { since: nextOf(first) }));

    expectEqual(at(without.extensions, KEY), undefined, "the extension unasked", without.http);
    expectEqual(idsOf(stuckIn(first, roomId)), sent, "the sticky events", first.http);
    expectThat(nextOf(first) !== undefined, "a next_batch", first.extensions, first.http);
    const later = idsOf(stuckIn(second, roomId));
    expectEqual(later, [started], "the sticky events since then", second.http);
  },
);

check(
  "MSC4480.ext.ttl",
  "the server tells how long an event will stick, in the extension and in the timeline",
  {
    mutant: [EVENTS, "/rooms/*/timeline"].flatMap((place) => [
      answers(`does not tell in ${place}`, {
        remove: STICKY_REMAINING.map((key) => `${place}/*/unsigned/${key}`),
      }),
      answers(`tells too much in ${place}`, {
        set: { [`${place}/*/unsigned/${STICKY_REMAINING[1]}`]: LONG_MS + 1 },
      }),
    ]),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const id = await stick(alice, roomId);
    const sentBy = performance.now();
    const connection = connect(world, bob);

    const shown = await connection.initial(withSticky(NEWEST));
    await chat(alice, roomId, 2);
    const asked = performance.now();
    const hidden = await connection.initial(withSticky(NEWEST));

    const inTimeline = shown.rooms[roomId]?.timeline?.find(({ event_id }) => event_id === id);
    const inExtension = stuckIn(hidden, roomId).find(({ event_id }) => event_id === id);
    for (const [place, event, most] of [
      ["timeline", inTimeline, LONG_MS],
      ["extension", inExtension, LONG_MS - (asked - sentBy) + TOLERANCE_MS],
    ] as const) {
      expectThat(event !== undefined, `${id} in the ${place}`, "nothing of it");
      const remaining = remainingOf(event);
      const isRight =
        Number.isInteger(remaining) &&
        Number(remaining) > 0 &&
        Number(remaining) <= Math.min(most, LONG_MS);
      expectThat(isRight, `at most ${Math.round(most)} ms left in the ${place}`, remaining);
    }
  },
);

check(
  "MSC4480.ext.join",
  "the server sends a user who joins what sticks there, also what is older than the connection",
  { mutant: answers("leaves it out", { set: { [EVENTS]: [] } }) },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await bob.createRoom({ preset: "public_chat" });
    const sent = [await stick(bob, roomId), await stick(bob, roomId)];
    await chat(bob, roomId, 2);
    await stick(alice, await alice.createRoom());
    const connection = connect(world, alice);
    let since = nextOf(await connection.initial(withSticky(NEWEST)));

    await alice.join(roomId);
    const found = new Set<string>();
    for (let count = 0; count < PAGES_AT_MOST; count++) {
      const answer = await connection.sync(withSticky(NEWEST, { since }));
      since = nextOf(answer) ?? since;
      for (const id of idsOf(stuckIn(answer, roomId))) found.add(id);
    }

    expectEqual([...found].toSorted(), sent.toSorted(), "what stuck before the join");
  },
);

interface Page {
  readonly ids: readonly string[];
  /** What to go on from. */
  readonly next: string | undefined;
}

/** Goes on until an answer has nothing. */
async function pages(connection: SlidingConnection, since?: string): Promise<readonly Page[]> {
  const found: Page[] = [];
  let token = since;
  while (found.length < PAGES_AT_MOST) {
    const answer = await connection.sync(withSticky(NEWEST, { since: token, limit: LIMIT }));
    const ids = allIn(answer);
    token = nextOf(answer) ?? token;
    if (ids.length === 0) break;
    found.push({ ids, next: token });
  }
  return found;
}

check(
  "MSC4480.ext.paging",
  "the server sends many sticky events in pages, the oldest first, and a page again that is asked for again",
  {
    mutant: [
      answers("leaves one out", { remove: [`${EVENTS}/0`] }),
      answers("pays no heed to the limit", {
        set: {
          [`${EVENTS}/-`]: { type: TYPE, content: {}, event_id: "$x", sender: "@a:b" },
        },
      }),
      answers("sends the newest first", { reverse: [EVENTS] }),
    ],
    deadlineMs: 120_000,
  },
  async (world) => {
    const alice = await world.user("alice");
    const older = await alice.createRoom();
    const newest = await alice.createRoom();
    const sent: string[] = [];
    for (let index = 0; index < MANY; index++) {
      sent.push(await stick(alice, older, { content: { index } }));
    }
    await alice.send(newest, "the newest");
    const connection = connect(world, alice);
    await connection.initial(NEWEST);

    const first = await pages(connection);
    const again = await pages(connection, first[0]?.next);

    expectEqual(
      first.flatMap(({ ids }) => ids),
      sent,
      "the sticky events of all pages",
    );
    for (const { ids } of first)
      expectThat(ids.length <= LIMIT, `at most ${LIMIT} events in a page`, ids.length);
    expectEqual(
      again.map(({ ids }) => ids),
      first.slice(1).map(({ ids }) => ids),
      "the pages after the first, asked for again",
    );
    world.note(`pages of ${first.map(({ ids }) => ids.length).join(", ")}`);
  },
);

check(
  "MSC4480.ext.basic",
  "the server wakes a client that waits, for a sticky event of which it asks for no timeline",
  { mutant: answers("leaves it out", { set: { [EVENTS]: [] } }) },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const connection = connect(world, bob);
    const bare = { lists: { newest: { range: [0, 0] as const, timelineLimit: 0 } } };
    const first = await connection.initial(withSticky(bare));
    const rules = withSticky(bare, { since: nextOf(first) });

    const waiting = connection.start(rules, { timeoutMs: WAIT_MS });
    await world.quietPeriod(SOON_MS);
    const sentAt = performance.now();
    const id = await stick(alice, roomId);
    const http = await waiting.answer;
    const tookMs = Math.round(performance.now() - sentAt);

    expectThat(http !== undefined, "an answer", "none");
    expectEqual(allIn(connection.process(rules, http)), [id], "the sticky events", http);
    expectThat(tookMs < WAIT_MS - 2 * SOON_MS, "an answer as soon as it is there", `${tookMs} ms`);
  },
);

check(
  "MSC4480.ext.scope",
  "the server sends what sticks in rooms that a list matches, in its window or not, and in no others",
  {
    mutant: [
      answers("sends those in the window alone", { set: { [EVENTS]: [] } }),
      answers("sends those of other rooms too", {
        set: {
          [`${ROOMS}/!other:example.org`]: {
            events: [{ type: TYPE, content: {}, event_id: "$other", sender: "@a:b" }],
          },
        },
      }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const encryption = { algorithm: "m.megolm.v1.aes-sha2" };
    const encrypted = {
      initial_state: [{ type: "m.room.encryption", state_key: "", content: encryption }],
    };
    const matched = [];
    for (let index = 0; index < 3; index++) matched.push(await alice.createRoom(encrypted));
    const unmatched = await alice.createRoom();
    const [oldest = "", , newest = ""] = matched;
    const sent = await stick(alice, oldest);
    await stick(alice, unmatched);
    await alice.send(newest, "the newest");
    const filters = { isEncrypted: true };
    const rules = { lists: { newest: { range: [0, 0] as const, timelineLimit: 1, filters } } };

    const answer = await connect(world, alice).initial(withSticky(rules));

    expectThat(answer.rooms[oldest] === undefined, "the room out of the window", answer.rooms);
    expectEqual(allIn(answer), [sent], "the sticky events", answer.http);

    const subscribed = { ...rules, subscriptions: { [unmatched]: { timelineLimit: 1 } } };
    const other = await connect(world, alice).initial(withSticky(subscribed));
    const isSent = at(other.extensions, KEY, "rooms", unmatched) !== undefined;
    world.note(
      `sticky events of a room that is only subscribed to are ${isSent ? "" : "not "}sent`,
    );
  },
);

check(
  "MSC4480.ext.dedup",
  "the server does not repeat in the extension what the timeline has",
  {
    mutant: answers("sends an event besides", {
      set: {
        [ROOMS]: {
          "!x:y": { events: [{ type: TYPE, content: {}, event_id: "$x", sender: "@a:b" }] },
        },
      },
    }),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const sent = await stickMany(alice, roomId, 3);
    const rules = { lists: { newest: { range: [0, 0] as const, timelineLimit: 20 } } };

    const answer = await connect(world, bob).initial(withSticky(rules));

    const shown = idsOf((answer.rooms[roomId]?.timeline ?? []) as readonly MatrixEvent[]);
    for (const id of sent) expectThat(shown.includes(id), `${id} in the timeline`, shown);
    expectEqual(allIn(answer), [], "the sticky events besides", answer.http);
  },
);

check(
  "MSC4354.sync.ignored-user",
  "the server sends no sticky events by the extension of a user whom the client ignores",
  {
    mutant: answers("sends them", {
      set: { [`${EVENTS}/-`]: { type: TYPE, content: {}, event_id: "$x", sender: "@a:b" } },
    }),
  },
  async (world) => {
    const [alice, bob, mallory] = await world.users("alice", "bob", "mallory");
    const connection = connect(world, bob);
    const roomId = await alice.createRoom({ preset: "public_chat" });
    for (const user of [bob, mallory]) await user.join(roomId);
    await ignore(bob, mallory);
    await stick(mallory, roomId);
    const sent = await stick(alice, roomId);
    await chat(alice, roomId, 2);

    const answer = await connection.initial(withSticky(NEWEST));

    expectEqual(allIn(answer), [sent], "the sticky events", answer.http);
  },
);
