import { allRooms, stateOf } from "#harness/clients/sliding-sync/request";
import type { RoomResult } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { eventsAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { idsIn, LATER, resultOf, STRAY_EVENT, sendMessages, settled } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

check(
  "MSC4186.timeline.limit",
  "the server sends the newest events up to the limit, oldest first",
  {
    mutant: [
      answers("leaves out the newest event", { remove: ["/rooms/*/timeline/-1"] }),
      answers("does not tell that there is more", { set: { "/rooms/*/limited": false } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const sent = await sendMessages(alice, roomId, 10);

      const first = await sync.connection(alice).initial(allRooms({ timelineLimit: 4 }));

      const room = resultOf(first, roomId);
      expectEqual(idsIn(room), sent.slice(-4), "the timeline");
      expectEqual(room.limited, true, "limited, as there is more");
    });
  },
);

check(
  "MSC4186.timeline.zero",
  "the server sends no timeline for a limit of 0, and state that changes all the same",
  {
    mutant: [
      answers("sends a timeline", { set: { "/rooms/*/timeline": [STRAY_EVENT] } }),
      answers("sends no state", { remove: ["/rooms/*/required_state"] }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 0, requiredState: stateOf("m.room.topic") });
      const first = resultOf(await connection.initial(request), roomId);
      const topic = await alice.setState(roomId, "m.room.topic", { topic: "new" });

      const changed = await connection.until(request, "the new topic", ({ rooms }) =>
        rooms[roomId]?.required_state?.some((event) => textAt(event, "event_id") === topic)
          ? rooms[roomId]
          : undefined,
      );

      expectEqual(idsIn(first), [], "the timeline at first");
      expectEqual(idsIn(changed), [], "the timeline with the new topic");
    });
  },
);

check(
  "MSC4186.timeline.incremental-new-only",
  "the server sends only what is new",
  {
    mutant: [
      answers("sends another event again", { set: { "/rooms/*/timeline/-": STRAY_EVENT } }, LATER),
      answers("tells of more", { set: { "/rooms/*/limited": true } }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      await sendMessages(alice, roomId, 5);
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 10 });
      await connection.initial(request);
      const message = await alice.send(roomId, "new");

      const room = await connection.untilEvent(request, roomId, message);

      expectEqual(idsIn(room), [message], "the timeline");
      expectEqual(room.limited ?? false, false, "limited, as nothing is left out");
    });
  },
);

check(
  "MSC4186.timeline.limited-gap",
  "the server tells when more happened than it sends",
  {
    mutant: [
      answers("says that nothing is missing", { set: { "/rooms/*/limited": false } }, LATER),
      answers("does not say it", { remove: ["/rooms/*/limited"] }, LATER),
      answers("leaves out one more", { remove: ["/rooms/*/timeline/0"] }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 4 });
      await connection.initial(request);
      const many = await sendMessages(alice, roomId, 8);
      await settled(alice, roomId, many.at(-1) ?? "");

      const gappy = resultOf(await connection.sync(request), roomId);

      expectEqual(idsIn(gappy), many.slice(-4), "the timeline after 8 messages");
      expectEqual(gappy.limited, true, "limited, as 4 of 8 are missing");
      const few = await sendMessages(alice, roomId, 4);
      await settled(alice, roomId, few.at(-1) ?? "");
      const whole = resultOf(await connection.sync(request), roomId);
      expectEqual(idsIn(whole), few, "the timeline after 4 messages");
      if (whole.limited === true) world.note("limited although nothing was left out");
    });
  },
);

check(
  "MSC4186.timeline.prev-batch",
  "the server gives a token from which history goes on right before the timeline",
  {
    mutant: [
      answers("gives none", { remove: ["/rooms/*/prev_batch"] }),
      answers("leaves out the first event", { remove: ["/rooms/*/timeline/0"] }),
      answers("gives a wrong one", { remove: ["/rooms/*/timeline/0"] }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const sent = [...(await sendMessages(alice, roomId, 7))];
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 3 });
      const expectConnected = async ({ prev_batch: from }: RoomResult) => {
        expectThat(typeof from === "string", "a prev_batch", from);
        const target = path`/_matrix/client/v3/rooms/${roomId}/messages`;
        const page = await alice.get(target, { dir: "b", from, limit: 3 });
        const ids = eventsAt(ok(page), "chunk").map(({ event_id }) => event_id);
        expectEqual(ids.reverse(), sent.slice(-6, -3), "the three events before", page);
      };

      const first = resultOf(await connection.initial(request), roomId);

      expectEqual(idsIn(first), sent.slice(-3), "the timeline at first");
      await expectConnected(first);
      sent.push(...(await sendMessages(alice, roomId, 5, "later")));
      await settled(alice, roomId, sent.at(-1) ?? "");
      const later = resultOf(await connection.sync(request), roomId);
      expectEqual(idsIn(later), sent.slice(-3), "the timeline after a gap");
      await expectConnected(later);
    });
  },
);
