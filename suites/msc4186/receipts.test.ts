import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms } from "#harness/clients/sliding-sync/request";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { answersUntil, dataOf, meet, read, withExtension } from "./extensions.ts";
import { ALL, FORGETS, KEY, receiptsAt } from "./receipts.ts";
import { answers, inDialect } from "./sync.ts";

const PRIVATE = "m.read.private";

check(
  "MSC3960.receipts.initial-timeline-only",
  "the server sends receipts at events of a first timeline, and the user's own",
  {
    mutant: [
      FORGETS,
      answers("sends receipts at other events", {
        set: { "/extensions/receipts/rooms/*/content/$other": { "m.read": { "@bob:hs1": {} } } },
      }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const first = await alice.send(roomId, "first");
      const second = await alice.send(roomId, "second");
      await read(bob, roomId, first);
      await read(alice, roomId, first, { kind: PRIVATE });
      const own = `${PRIVATE} ${alice.userId}`;
      const expectSent = async (
        timelineLimit: number,
        expected: Record<string, readonly string[]>,
      ) => {
        const request = withExtension(allRooms({ timelineLimit }), KEY);
        const answer = await sync.connection(alice).initial(request);
        const content = at(dataOf(answer, KEY, roomId), "content") ?? {};
        const sent = Object.keys(content).map((id) => [id, receiptsAt(answer, roomId, id)]);
        const what = `the receipts with a timeline of ${timelineLimit}`;
        expectEqual(Object.fromEntries(sent), expected, what, answer.http);
      };

      await expectSent(1, { [first]: [own] });
      await expectSent(2, { [first]: [`m.read ${bob.userId}`, own].sort() });
      await read(bob, roomId, second);
      await expectSent(1, { [first]: [own], [second]: [`m.read ${bob.userId}`] });
    });
  },
);

check(
  "MSC3960.receipts.private",
  "the server sends private receipts to the devices of their user alone",
  {
    mutant: [
      FORGETS,
      answers("sends private receipts of others", {
        set: {
          "/extensions/receipts/rooms": {
            "!x:y": { type: "m.receipt", content: { $e: { [PRIVATE]: { "@bob:hs1": {} } } } },
          },
        },
      }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const eventId = await alice.send(roomId, "read in private");
      const ofAlice = sync.connection(alice);
      const ofBob = sync.connection(await world.login(bob));
      const seen = [await ofAlice.initial(ALL)];
      await ofBob.initial(ALL);

      await read(bob, roomId, eventId, { kind: PRIVATE });
      const fence = await alice.send(roomId, "fence");
      await ofBob.until(ALL, "the private receipt on the other device", (answer) =>
        receiptsAt(answer, roomId, eventId).includes(`${PRIVATE} ${bob.userId}`) ? true : undefined,
      );
      seen.push(...(await answersUntil(ofAlice, ALL, roomId, fence)), await ofAlice.sync(ALL));
      seen.push(await sync.connection(alice, "fresh").initial(ALL));

      for (const answer of seen) {
        const told = JSON.stringify(answer.extensions);
        expectThat(!told.includes(PRIVATE), "no private receipt", told, answer.http);
        const isNamed = told.includes(bob.userId);
        expectThat(!isNamed, "no receipt of who read in private", told, answer.http);
      }
    });
  },
);

check(
  "MSC3960.receipts.threaded",
  "the server sends the receipts of a user in several threads, with the threads",
  {
    mutant: [
      answers("drops the thread", {
        remove: ["/extensions/receipts/rooms/*/content/*/m.read/*/thread_id"],
      }),
      FORGETS,
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const root = await alice.send(roomId, "root");
      const relation = { rel_type: "m.thread", event_id: root };
      const content = { msgtype: "m.text", body: "reply", "m.relates_to": relation };
      const reply = await alice.send(roomId, content);
      const connection = sync.connection(alice);
      await connection.initial(ALL);

      await read(bob, roomId, root, { threadId: "main" });
      await read(bob, roomId, reply, { threadId: root });
      await alice.send(roomId, "next result");

      const threads = new Map<string, unknown>();
      await connection.until(ALL, "receipts at both events", (answer) => {
        for (const eventId of [root, reply]) {
          const receipt = at(dataOf(answer, KEY, roomId), "content", eventId, "m.read", bob.userId);
          if (receipt !== undefined) threads.set(eventId, at(receipt, "thread_id"));
        }
        return threads.size === 2 ? true : undefined;
      });
      expectEqual(Object.fromEntries(threads), { [root]: "main", [reply]: root }, "the threads");
    });
  },
);

check(
  "MSC3960.receipts.format",
  "the server sends one m.receipt event for a room",
  {
    mutant: [
      answers("sends another type", { set: { "/extensions/receipts/rooms/*/type": "m.read" } }),
      answers("sends an array", { set: { "/extensions/receipts/rooms/*": [] } }),
    ],
  },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const eventIds = [
        await alice.send(roomId, "first"),
        await alice.send(roomId, "second"),
      ] as const;
      await read(bob, roomId, eventIds[0]);
      await read(alice, roomId, eventIds[1]);

      const request = withExtension(allRooms({ timelineLimit: 2 }), KEY);
      const answer = await sync.connection(alice).initial(request);

      const event = dataOf(answer, KEY, roomId);
      expectThat(isObject(event), "one event", event, answer.http);
      expectEqual(event.type, "m.receipt", "its type", answer.http);
      const ids = Object.keys(at(event, "content") ?? {}).sort();
      expectEqual(ids, [...eventIds].sort(), "the events in its content", answer.http);
    });
  },
);
