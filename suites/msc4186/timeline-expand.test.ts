import { allRooms } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { expectOrderly, roam } from "./roam.ts";
import { idsIn, LATER, resultOf, STRAY_EVENT, sendMessages, settled } from "./rooms.ts";
import { answers, inEachDialect, reads } from "./sync.ts";

const FLAGS = ["/rooms/*/expanded_timeline", "/rooms/*/unstable_expanded_timeline"];
const NO_FLAG = answers("does not set the flag", { remove: FLAGS }, LATER);

check(
  "MSC4186.timeline.expand",
  "the server sends the newest events again when the limit grows",
  {
    mutant: [
      NO_FLAG,
      answers("sends the room as a new one", { set: { "/rooms/*/initial": true } }, LATER),
      answers("takes them for new", { set: { "/rooms/*/num_live": 1 } }, LATER),
      answers("sends only what is missing", { remove: ["/rooms/*/timeline/-1"] }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const sent = await sendMessages(alice, roomId, 6);
      const connection = sync.connection(alice);
      await connection.initial(allRooms({ timelineLimit: 1 }));

      const request = allRooms({ timelineLimit: 4 });
      const room = await connection.until(request, "the room again", ({ rooms }) => rooms[roomId]);

      expectEqual(idsIn(room), sent.slice(-4), "the timeline");
      expectEqual(room.expanded_timeline, true, "the flag of an expanded timeline");
      expectEqual(room.initial ?? false, false, "initial");
      expectEqual(room.num_live ?? 0, 0, "num_live");
    });
  },
);

check(
  "MSC4186.timeline.expand-not-needed",
  "the server sends nothing again without the flag when the limit goes down and up",
  {
    mutant: {
      name: "sends more than was asked for, without the flag",
      rules: [
        ...reads("", [['"timeline_limit":4', '"timeline_limit":6']], LATER).rules,
        ...NO_FLAG.rules,
      ],
    },
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      await sendMessages(alice, roomId, 6);
      const connection = sync.connection(alice);
      await connection.initial(allRooms({ timelineLimit: 4 }));
      await connection.sync(allRooms({ timelineLimit: 2 }));

      const { rooms } = await connection.sync(allRooms({ timelineLimit: 4 }));

      const room = rooms[roomId];
      if (idsIn(room).length === 0) return;
      world.note("the events are sent again");
      expectEqual(room?.expanded_timeline, true, "the flag of an expanded timeline");
    });
  },
);

check(
  "MSC4186.timeline.expand-with-new",
  "the server sends old and new events together when the limit grows, and counts the new ones",
  {
    mutant: [
      NO_FLAG,
      answers("counts all", { set: { "/rooms/*/num_live": 5 } }, LATER),
      answers("sends not all", { remove: ["/rooms/*/timeline/0"] }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const sent = [...(await sendMessages(alice, roomId, 6))];
      const connection = sync.connection(alice);
      await connection.initial(allRooms({ timelineLimit: 1 }));
      const message = await alice.send(roomId, "new");
      sent.push(message);
      await settled(alice, roomId, message);

      const room = resultOf(await connection.sync(allRooms({ timelineLimit: 5 })), roomId);

      expectEqual(idsIn(room), sent.slice(-5), "the timeline");
      expectEqual(room.num_live, 1, "num_live");
      expectEqual(room.expanded_timeline, true, "the flag of an expanded timeline");
    });
  },
);

check(
  "MSC4186.timeline.expand-flag",
  "the server sends no event from before the last one without the flag, whatever happens",
  {
    mutant: [
      NO_FLAG,
      answers(
        "sends an event twice",
        { set: { "/rooms/*/timeline": [STRAY_EVENT, STRAY_EVENT] } },
        LATER,
      ),
    ],
    deadlineMs: 120_000,
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");

      const { trails, expanded } = await roam(world, sync, alice, { limits: [1, 2, 5, 3, 8] });

      for (const trail of trails) expectOrderly(world, trail);
      expectThat(expanded > 0, "an expanded timeline among the results", expanded);
    });
  },
);

check(
  "MSC4186.timeline.completeness",
  "the server leaves out no event unless it says so",
  {
    mutant: [
      answers("leaves out an event", { remove: ["/rooms/*/timeline/0"] }, LATER),
      answers("hides what is missing", { set: { "/rooms/*/limited": false } }, LATER),
    ],
    deadlineMs: 120_000,
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");

      const { trails, connection } = await roam(world, sync, alice, { limits: [2] });

      for (const { roomId, history } of trails) {
        const segments = connection.view.room(roomId)?.timeline ?? [];
        const last = segments.at(-1)?.at(-1)?.event_id;
        expectEqual(last, history.at(-1), "the last event that the client has");
        for (const segment of segments) {
          const ids = segment.map(({ event_id }) => event_id);
          const start = history.indexOf(ids[0] ?? "");
          const expected = history.slice(start, start + ids.length);
          expectEqual(ids, expected, "events between two gaps, as in the history of the room");
        }
      }
    });
  },
);
