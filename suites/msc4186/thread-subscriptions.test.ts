import type { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { at, isObject, numberAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { withExtension } from "./extensions.ts";
import { answers, inEachDialect } from "./sync.ts";

const KEY = "io.element.msc4308.thread_subscriptions";
const REQUEST: SlidingRequest = withExtension({}, KEY);
const COMPANION = "/_matrix/client/unstable/io.element.msc4308/thread_subscriptions";
const SECTION = `/extensions/${KEY}`;

function target(roomId: string, threadId: string): string {
  return path`/_matrix/client/unstable/io.element.msc4306/rooms/${roomId}/thread/${threadId}/subscription`;
}

async function subscribe(session: Session, roomId: string, threadId: string): Promise<void> {
  ok(await session.put(target(roomId, threadId), {}));
}

async function unsubscribe(session: Session, roomId: string, threadId: string): Promise<void> {
  ok(await session.delete(target(roomId, threadId)));
}

/** Messages of a room that can be the roots of threads. */
async function roots(session: Session, roomId: string, count: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) ids.push(await session.send(roomId, `root ${index}`));
  return ids;
}

/** A message of a room that can be the root of a thread. */
function rootIn(session: Session, roomId: string): Promise<string> {
  return session.send(roomId, "root");
}

/** Goes on until an answer has something of the extension. */
function untilTold(connection: SlidingConnection, request = REQUEST) {
  return connection.until(request, "changes of thread subscriptions", (answer) => {
    const section = answer.extensions[KEY];
    return isObject(section) ? { section, http: answer.http } : undefined;
  });
}

/** Threads in a section or a page, of any room. */
function threadsIn(section: unknown): readonly string[] {
  return ["subscribed", "unsubscribed", "chunk"].flatMap((part) =>
    Object.values(at(section, part) ?? {}).flatMap((threads) => Object.keys(threads ?? {})),
  );
}

check(
  "MSC4308.threadsub.new",
  "the server sends subscriptions of threads, and that they have ended",
  {
    mutant: [
      answers("does not tell whether it is automatic", {
        remove: [`${SECTION}/subscribed/*/*/automatic`],
      }),
      answers("does not tell the end", { remove: [`${SECTION}/unsubscribed`] }),
      answers("sends no bump_stamp", { remove: [`${SECTION}/unsubscribed/*/*/bump_stamp`] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const root = await rootIn(alice, roomId);
      const connection = sync.connection(alice);
      await connection.initial(REQUEST);

      await subscribe(alice, roomId, root);
      const first = await untilTold(connection);
      await unsubscribe(alice, roomId, root);
      const second = await untilTold(connection);

      const subscribed = at(first.section, "subscribed", roomId, root);
      expectEqual(at(subscribed, "automatic"), false, "automatic", first.http);
      numberAt(subscribed, "bump_stamp");
      numberAt(second.section, "unsubscribed", roomId, root, "bump_stamp");
      const again = at(second.section, "subscribed", roomId, root);
      expectEqual(again, undefined, "the subscription after its end", second.http);
    });
  },
);

check(
  "MSC4308.threadsub.latest-only",
  "the server sends the newest of several changes to a thread alone",
  {
    mutant: answers("sends older ones, too", {
      set: {
        [`${SECTION}/subscribed`]: { "!x:y": { $root: { automatic: false, bump_stamp: 1 } } },
      },
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const root = await rootIn(alice, roomId);
      const connection = sync.connection(alice);
      await connection.initial(REQUEST);

      await subscribe(alice, roomId, root);
      await unsubscribe(alice, roomId, root);
      const { section, http } = await untilTold(connection);

      expectThat(
        at(section, "unsubscribed", roomId, root) !== undefined,
        "the thread in unsubscribed",
        section,
        http,
      );
      expectEqual(at(section, "subscribed") ?? {}, {}, "subscribed", http);
    });
  },
);

check(
  "MSC4308.threadsub.limit-backpaginate",
  "the server sends the newest changes up to the limit, and the others in pages",
  {
    mutant: [
      answers("gives no way to the others", { remove: [`${SECTION}/prev_batch`] }),
      altersAnswer("repeats a page", { path: COMPANION, status: 200 }, { set: { "/end": "1" } }),
      altersAnswer("leaves pages empty", { path: COMPANION, status: 200 }, { body: {} }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const ids = await roots(alice, roomId, 15);
      const connection = sync.connection(alice);
      const { pos } = await connection.initial(REQUEST);
      for (const id of ids) await subscribe(alice, roomId, id);

      const { section, http } = await untilTold(connection, withExtension({}, KEY, { limit: 5 }));
      const newest = threadsIn(section);
      expectEqual([...newest].sort(), ids.slice(-5).sort(), "the threads of the answer", http);
      const pages: string[] = [];
      let from = at(section, "prev_batch");
      for (let count = 0; from !== undefined && count < 10; count++) {
        const query = { dir: "b", from: String(from), to: pos, limit: 4 };
        const response = await alice.get(COMPANION, query);
        pages.push(...threadsIn(ok(response)));
        from = at(response.json, "end");
      }

      expectEqual(from, undefined, "end of the last page");
      expectEqual([...newest, ...pages].sort(), [...ids].sort(), "all threads");
      expectMatrixError(await alice.get(COMPANION, { dir: "b", limit: 0 }), 400);
    });
  },
);

check(
  "MSC4308.threadsub.bump-stamp",
  "the server gives later changes greater stamps, the same to all devices",
  {
    mutant: answers("always gives the same", {
      set: {
        [`${SECTION}/subscribed/*/*/bump_stamp`]: 1,
        [`${SECTION}/unsubscribed/*/*/bump_stamp`]: 1,
      },
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const root = await rootIn(alice, roomId);
      const devices = [alice, await world.login(alice)].map((device) => sync.connection(device));
      for (const connection of devices) await connection.initial(REQUEST);
      const stamps: number[] = [];

      for (const act of [subscribe, unsubscribe, subscribe]) {
        await act(alice, roomId, root);
        const told = [];
        for (const connection of devices) {
          const { section } = await untilTold(connection);
          const part = act === subscribe ? "subscribed" : "unsubscribed";
          told.push(numberAt(section, part, roomId, root, "bump_stamp"));
        }
        expectEqual(told[0], told[1], "the stamps on two devices");
        stamps.push(...told.slice(0, 1));
      }

      const isRising = stamps.every(
        (stamp, index) => index === 0 || stamp > (stamps[index - 1] ?? 0),
      );
      expectThat(isRising, "rising stamps", stamps);
      expectThat(stamps.every(Number.isSafeInteger), "integers below 2^53", stamps);
    });
  },
);
