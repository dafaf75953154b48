import { allRooms } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
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
      const sent: string[] = [];
      for (let index = 0; index < 10; index++) {
        sent.push(await alice.send(roomId, `message ${index}`));
      }

      const { rooms } = await sync.connection(alice).initial(allRooms({ timelineLimit: 4 }));

      const room = rooms[roomId];
      expectThat(room !== undefined, "the room in the first answer", rooms);
      const ids = room.timeline?.map(({ event_id }) => event_id);
      expectEqual(ids, sent.slice(-4), "the timeline");
      expectEqual(room.limited, true, "limited, as there is more");
    });
  },
);
