import { allRooms } from "#harness/clients/sliding-sync/request";
import { at, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { withExtension } from "./extensions.ts";
import { answers, inEachDialect } from "./sync.ts";

const KEY = "io.element.msc4360.threads";

async function reply(session: Session, roomId: string, root: string, body: string) {
  const relation = { rel_type: "m.thread", event_id: root };
  return await session.send(roomId, { msgtype: "m.text", body, "m.relates_to": relation });
}

check(
  "MSC4360.threads.updates",
  "the server lists threads whose updates a gap in the timeline hides, and no others",
  {
    mutant: [
      answers("leaves the hidden updates out", { remove: [`/extensions/${KEY}`] }),
      answers("gives no token", { remove: [`/extensions/${KEY}/updates/*/*/prev_batch`] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const root = await alice.send(roomId, "root");
      const config = { include_roots: false };
      const request = withExtension(allRooms({ timelineLimit: 2 }), KEY, config);
      const connection = sync.connection(alice);
      await connection.initial(request);

      await reply(alice, roomId, root, "in the timeline");
      const whole = await connection.sync(request);
      await reply(alice, roomId, root, "hidden");
      await reply(alice, roomId, root, "hidden, too");
      for (const text of ["1", "2"]) await alice.send(roomId, text);
      const gappy = await connection.sync(request);

      expectEqual(whole.extensions[KEY], undefined, "threads without a gap", whole.http);
      const limited = gappy.rooms[roomId]?.limited;
      expectThat(limited === true, "a gap in the timeline", gappy.rooms, gappy.http);
      const update = at(gappy.extensions, KEY, "updates", roomId, root);
      textAt(update, "prev_batch");
      expectEqual(at(update, "thread_root"), undefined, "the root", gappy.http);
    });
  },
);
