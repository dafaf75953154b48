import type { Synced } from "#harness/clients/sliding-sync/connection";
import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms } from "#harness/clients/sliding-sync/request";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import {
  globals,
  KEY,
  markRead,
  ofRoom,
  set,
  tagPath,
  typeName,
  windowOf,
} from "./account-data.ts";
import { withExtension } from "./extensions.ts";
import { answers, inDialect } from "./sync.ts";

const ALL = withExtension(allRooms({ timelineLimit: 1 }), KEY);
const GLOBAL = "/extensions/account_data/global";
const _FORGETS_GLOBAL = answers("leaves a global entry out", { remove: [`${GLOBAL}/-1`] });
const FORGETS_ROOMS = answers("leaves rooms out", { remove: ["/extensions/account_data/rooms/*"] });

check(
  "MSC3959.accountdata.room-initial",
  "the server sends all account data of a room that comes into scope",
  {
    mutant: [FORGETS_ROOMS, answers("leaves the tags out", { replace: [['"m.tag"', '"other"']] })],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const eventId = await alice.send(roomId, "read");
      await markRead(alice, roomId, eventId);
      ok(await alice.put(tagPath(alice, roomId, "u.crucible"), { order: 0.5 }));

      const answer = await sync.connection(alice).initial(ALL);

      const data = ofRoom(answer, roomId);
      expectEqual(data.get("m.fully_read"), { event_id: eventId }, "m.fully_read", answer.http);
      const tags = { tags: { "u.crucible": { order: 0.5 } } };
      expectEqual(data.get("m.tag"), tags, "m.tag", answer.http);
    });
  },
);

check(
  "MSC3959.accountdata.room-scope",
  "the server sends no account data of a room out of range",
  {
    mutant: answers("sends that of any room", {
      set: { "/extensions/account_data/rooms": { "!other:hs1": [] } },
    }),
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const alice = await world.user("alice");
      const older = await alice.createRoom();
      const newest = await alice.createRoom();
      await set(alice, typeName("room"), { n: 1 }, older);
      const connection = sync.connection(alice);
      const seen: Synced[] = [await connection.initial(windowOf(0))];

      await set(alice, typeName("room"), { n: 2 }, older);
      await set(alice, typeName("fence"), {});
      await connection.until(windowOf(0), "the fence", (answer) => {
        seen.push(answer);
        return globals(answer).has(typeName("fence")) ? true : undefined;
      });

      for (const answer of seen) {
        const rooms = Object.keys(at(answer.extensions, KEY, "rooms") ?? {});
        const others = rooms.filter((id) => id !== newest);
        expectEqual(others, [], "rooms out of range with account data", answer.http);
      }
    });
  },
);

check(
  "MSC3959.accountdata.room-missed",
  "the server sends the account data of a room that comes into range for the first time",
  { mutant: FORGETS_ROOMS },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const alice = await world.user("alice");
      const older = await alice.createRoom();
      await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(windowOf(0));
      await set(alice, typeName("room"), { n: 1 }, older);
      await connection.sync(windowOf(0));

      const data = await connection.until(windowOf(1), `account data of ${older}`, (answer) =>
        ofRoom(answer, older).get(typeName("room")),
      );

      expectEqual(data, { n: 1 }, "the account data");
    });
  },
);

check(
  "MSC3959.accountdata.room-missed",
  "the server sends account data that has changed while a room was out of range",
  { mutant: FORGETS_ROOMS },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const alice = await world.user("alice");
      const older = await alice.createRoom();
      const newest = await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(windowOf(1));
      await set(alice, typeName("room"), { n: 1 }, older);
      await connection.sync(windowOf(1));
      await connection.sync(windowOf(0));
      await set(alice, typeName("room"), { n: 2 }, older);
      await alice.send(newest, "still the newest");
      await connection.drain(windowOf(0));

      const found: unknown[] = [];
      const take = (answer: Synced) => {
        const content = ofRoom(answer, older).get(typeName("room"));
        if (content !== undefined) found.push(content);
      };
      take(await connection.sync(windowOf(1)));
      if (found.length === 0) world.note("missed account data comes with the next result only");
      const eventId = await alice.send(older, "next result");
      await connection.until(windowOf(1), `event ${eventId}`, (answer) => {
        take(answer);
        const { timeline } = answer.rooms[older] ?? {};
        return timeline?.some(({ event_id }) => event_id === eventId) === true ? true : undefined;
      });

      expectEqual(found.at(-1), { n: 2 }, "the account data at the room's next result");
    });
  },
);

check(
  "MSC3959.accountdata.tag-removed",
  "the server sends empty tags when the last one is removed",
  {
    mutant: [
      answers("keeps the tag", {
        set: { "/extensions/account_data/rooms/*/*/content": { tags: { "u.crucible": {} } } },
      }),
      FORGETS_ROOMS,
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const tag = tagPath(alice, roomId, "u.crucible");
      ok(await alice.put(tag, {}));
      const connection = sync.connection(alice);
      await connection.initial(ALL);

      ok(await alice.delete(tag));
      await alice.send(roomId, "next result");
      const tags = await connection.until(ALL, `m.tag of ${roomId}`, (answer) =>
        ofRoom(answer, roomId).get("m.tag"),
      );

      expectEqual(at(tags, "tags") ?? {}, {}, "the tags");
    });
  },
);
