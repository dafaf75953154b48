import type { SlidingConnection, Synced } from "#harness/clients/sliding-sync/connection";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { at, eventsAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { withExtension } from "./extensions.ts";
import { answers, inEachDialect } from "./sync.ts";

const KEY = "org.matrix.msc4354.sticky_events";
const TYPE = "org.matrix-crucible.sticky";
const EVENTS = `/extensions/${KEY}/rooms/*/events`;
const LONG_MS = 600_000;

/** Sends an event that sticks; returns its id. */
async function stick(session: Session, roomId: string, durationMs = LONG_MS): Promise<string> {
  const transaction = session.context.nextName("txn");
  const target = path`/_matrix/client/v3/rooms/${roomId}/send/${TYPE}/${transaction}`;
  const query = { "org.matrix.msc4354.sticky_duration_ms": durationMs };
  const response = await session.request("PUT", target, { body: { text: transaction }, query });
  return textAt(ok(response), "event_id");
}

/** Ids of the sticky events that an answer has of a room. */
function stuckIn({ extensions }: Synced, roomId: string): readonly string[] {
  return eventsAt(extensions, KEY, "rooms", roomId, "events").map(({ event_id }) => event_id);
}

function nextOf({ extensions }: Synced): string | undefined {
  const token = at(extensions, KEY, "next_batch");
  return token === undefined ? undefined : textAt(extensions, KEY, "next_batch");
}

function requestOf(rules: SlidingRequest, since?: string, limit?: number): SlidingRequest {
  const config = {
    ...(since === undefined ? {} : { since }),
    ...(limit === undefined ? {} : { limit }),
  };
  return withExtension(rules, KEY, config);
}

/** Goes on with next_batch until an answer has sticky events of none; returns the pages of the room. */
async function pages(
  connection: SlidingConnection,
  rules: SlidingRequest,
  roomId: string,
  { since: start, limit }: { since?: string | undefined; limit?: number } = {},
): Promise<readonly (readonly string[])[]> {
  const found: (readonly string[])[] = [];
  let since = start;
  for (let count = 0; count < 10; count++) {
    const answer = await connection.sync(requestOf(rules, since, limit));
    const ids = stuckIn(answer, roomId);
    since = nextOf(answer) ?? since;
    if (ids.length === 0) break;
    found.push(ids);
  }
  return found;
}

const NEWEST: SlidingRequest = { lists: { newest: { range: [0, 0], timelineLimit: 1 } } };

check(
  "MSC4480.sticky.delivery",
  "the server sends sticky events of rooms that a list matches, in range or not",
  {
    mutant: [
      answers("sends those in range alone", { set: { [EVENTS]: [] } }),
      answers("sends no next_batch", { remove: [`/extensions/${KEY}/next_batch`] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const encryption = { algorithm: "m.megolm.v1.aes-sha2" };
      const encrypted = {
        initial_state: [{ type: "m.room.encryption", state_key: "", content: encryption }],
      };
      const unmatched = await alice.createRoom();
      const older = await alice.createRoom(encrypted);
      const newest = await alice.createRoom(encrypted);
      const sticky = await stick(alice, older);
      await stick(alice, unmatched);
      await alice.send(newest, "the newest");
      const rules: SlidingRequest = {
        lists: { newest: { range: [0, 0], timelineLimit: 1, filters: { isEncrypted: true } } },
      };

      const answer = await sync.connection(alice).initial(requestOf(rules));

      expectEqual(stuckIn(answer, older), [sticky], "the events out of range", answer.http);
      const told = at(answer.extensions, KEY, "rooms", unmatched);
      expectEqual(told, undefined, "the events of a room that no list matches", answer.http);
      expectThat(nextOf(answer) !== undefined, "a next_batch", answer.extensions, answer.http);
    });
  },
);

check(
  "MSC4480.sticky.dedup",
  "the server does not repeat sticky events of the timeline",
  {
    mutant: answers("sends an event besides", {
      set: {
        [`/extensions/${KEY}/rooms`]: {
          "!x:y": { events: [{ type: TYPE, content: {}, event_id: "$x" }] },
        },
      },
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);
      const first = await connection.initial(requestOf(NEWEST));
      const sticky = await stick(alice, roomId);

      const answer = await connection.sync(requestOf(NEWEST, nextOf(first)));

      const ids = answer.rooms[roomId]?.timeline?.map(({ event_id }) => event_id);
      expectEqual(ids, [sticky], "the timeline", answer.http);
      const rooms = Object.keys(at(answer.extensions, KEY, "rooms") ?? {});
      const events = rooms.flatMap((id) => eventsAt(answer.extensions, KEY, "rooms", id, "events"));
      expectEqual(events, [], "the sticky events besides", answer.http);
    });
  },
);

check(
  "MSC4480.sticky.pagination",
  "the server sends many sticky events in pages, the oldest first, and none that has expired",
  {
    mutant: [
      answers("leaves one out", { remove: [`${EVENTS}/0`] }),
      answers("pays no heed to the limit", {
        set: { [`${EVENTS}/-`]: { type: TYPE, content: {}, event_id: "$x" } },
      }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const older = await alice.createRoom();
      const newest = await alice.createRoom();
      const sent: string[] = [];
      const expiring = await stick(alice, older, 1_500);
      for (let index = 0; index < 25; index++) sent.push(await stick(alice, older));
      await alice.send(newest, "the newest");
      const connection = sync.connection(alice);
      await connection.initial(NEWEST);
      await world.quietPeriod(2_000);

      const inPages = await pages(connection, NEWEST, older, { limit: 10 });
      const again = await pages(connection, NEWEST, older, { limit: 10 });

      expectEqual(inPages.flat(), sent, `the sticky events without ${expiring}`);
      expectEqual(
        inPages.map(({ length }) => length),
        [10, 10, 5],
        "the lengths of the pages",
      );
      expectEqual(again, inPages, "the pages without since");
    });
  },
);

check(
  "MSC4480.sticky.join",
  "the server sends sticky events from before the user joined",
  { mutant: answers("leaves them out", { set: { [EVENTS]: [] } }) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await bob.createRoom({ preset: "public_chat" });
      const sticky = await stick(bob, roomId);
      for (let index = 0; index < 3; index++) await bob.send(roomId, `later ${index}`);
      const connection = sync.connection(alice);
      await stick(alice, await alice.createRoom());
      const first = await connection.initial(requestOf(NEWEST));
      let since = nextOf(first);

      await alice.join(roomId);
      const found: string[] = [];
      for (let count = 0; count < 5 && found.length === 0; count++) {
        const answer = await connection.sync(requestOf(NEWEST, since), { timeoutMs: 1_000 });
        since = nextOf(answer) ?? since;
        found.push(...stuckIn(answer, roomId));
      }

      expectEqual(found, [sticky], "the sticky events from before the join");
    });
  },
);

check(
  "MSC4480.sticky.join",
  "the server sends no sticky events of ignored users",
  {
    mutant: answers("sends them all", {
      set: { [`${EVENTS}/-`]: { type: TYPE, content: {}, event_id: "$x" } },
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, mallory] = await world.users("alice", "bob", "mallory");
      const list = path`/_matrix/client/v3/user/${alice.userId}/account_data/m.ignored_user_list`;
      ok(await alice.put(list, { ignored_users: { [mallory.userId]: {} } }));
      const roomId = await bob.createRoom({ preset: "public_chat" });
      for (const user of [alice, mallory]) await user.join(roomId);
      await stick(mallory, roomId);
      const sticky = await stick(bob, roomId);
      await bob.send(roomId, "for the timeline");
      const connection = sync.connection(alice);
      await connection.initial(NEWEST);

      const found = (await pages(connection, NEWEST, roomId)).flat();

      expectEqual(found, [sticky], "the sticky events");
    });
  },
);
