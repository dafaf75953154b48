import { allRooms, stateOf } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat } from "#harness/world/expect";
import { answers, answersInstead, eventCount, inEachDialect } from "./sync.ts";

const LIST = allRooms({ timelineLimit: 10 });
/** Equal to the other, but for the name by which mutants find it. */
const LIST_AGAIN = { lists: { again: LIST.lists?.all ?? { timelineLimit: 10 } } };
const UNKNOWN_POS = { errcode: "M_UNKNOWN_POS", error: "" };
const WITH_POS = { contains: "pos" };

check(
  "MSC4186.conn.pos-opaque",
  "the server gives a position with each answer, and takes it in the next request",
  {
    mutant: [
      answers("gives numbers", { set: { "/pos": 7 } }),
      answers("gives none without news", { remove: ["/pos"] }, WITH_POS),
      answersInstead("takes none", 400, UNKNOWN_POS, WITH_POS),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(LIST);
      for (let request = 0; request < 10; request++) {
        const { pos, http } = await connection.sync(LIST);
        expectThat(pos !== "", "a position with something in it", http.text, http);
      }
    });
  },
);

check(
  "MSC4186.conn.initial-no-pos",
  "the server starts a connection anew when there is no position",
  {
    mutant: [
      answers("goes on", { set: { "/rooms": {} } }, { contains: "again" }),
      answers("sends rooms in part", { remove: ["/rooms/*/initial"] }, { contains: "again" }),
      answers("leaves the state out", { remove: ["/rooms/*/required_state"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomIds = [await alice.createRoom(), await alice.createRoom()].sort();
      const connection = sync.connection(alice, "main");
      for (const key of ["first", "again"]) {
        const config = { range: [0, 9] as const, timelineLimit: 1 };
        const request = {
          lists: { [key]: { ...config, requiredState: stateOf("m.room.create") } },
        };

        const { rooms, http } = await connection.initial(request);

        expectEqual(Object.keys(rooms).sort(), roomIds, "the rooms", http);
        for (const room of Object.values(rooms)) {
          expectEqual(room.initial, true, "initial", http);
          expectEqual(room.required_state?.length, 1, "the number of state events", http);
          expectEqual(room.timeline?.length, 1, "the number of events", http);
        }
      }
    });
  },
);

check(
  "MSC4186.conn.initial-invalidates-old",
  "the server lets a new run of a connection take the place of the old one",
  {
    mutant: [
      answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" }, { contains: "again" }),
      answersInstead("refuses the new run", 400, UNKNOWN_POS, WITH_POS),
      answers("sends nothing in the new run", { set: { "/rooms": {} } }, WITH_POS),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const [older, newer] = [sync.connection(alice, "main"), sync.connection(alice, "main")];
      await older.initial(LIST);
      await newer.initial(LIST);
      const eventId = await alice.send(roomId, "a message");

      const result = await newer.untilEvent(LIST, roomId, eventId);
      const response = await older.send(LIST_AGAIN);

      expectEqual(result.initial ?? false, false, "initial in the new run");
      if (response.status === 200) world.note("the position of the run before is still taken");
      else expectMatrixError(response, 400, "M_UNKNOWN_POS");
    });
  },
);

check(
  "MSC4186.conn.id-scope-device",
  "the server keeps equal connection ids of devices and of users apart",
  {
    mutant: [
      answersInstead("knows the last one only", 400, UNKNOWN_POS, WITH_POS),
      answers("tells the first only", { remove: ["/rooms/*/timeline"] }, WITH_POS),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const second = await world.login(alice);
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      const connections = [alice, second, bob].map((session) => sync.connection(session, "x"));
      for (const connection of connections) await connection.initial(LIST);

      const eventId = await alice.send(roomId, "a message");

      for (const connection of connections) {
        await connection.untilEvent(LIST, roomId, eventId);
        await connection.drain(LIST);
        expectEqual(eventCount(connection, roomId, eventId), 1, "how often the message came");
      }
    });
  },
);

check(
  "MSC4186.conn.independent",
  "the server keeps connections of a device apart",
  {
    mutant: [
      answers("tells one only", { set: { "/rooms": {} } }, { contains: '"conn_id":"second"' }),
      answers(
        "starts the other anew",
        { set: { "/rooms/*/initial": true } },
        { contains: '"conn_id":"second"' },
      ),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const [first, second] = [sync.connection(alice, "first"), sync.connection(alice, "second")];
      await first.initial(LIST);
      await second.initial(LIST);
      const eventId = await alice.send(roomId, "a message");

      await first.untilEvent(LIST, roomId, eventId);
      // The server knows by it that the first has got the message.
      await first.sync(LIST);
      const result = await second.untilEvent(LIST, roomId, eventId);

      expectEqual(result.initial ?? false, false, "initial on the second connection");
    });
  },
);

check(
  "MSC4186.conn.id-omitted-is-empty",
  "the server takes an empty connection id for none, or for another connection",
  {
    mutant: [
      answersInstead(
        "breaks",
        500,
        { errcode: "M_UNKNOWN", error: "" },
        { contains: '"conn_id":""' },
      ),
      answers("sends nothing", { set: { "/rooms": {} } }, { contains: '"conn_id":""' }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const [without, empty] = [sync.connection(alice), sync.connection(alice, "")];
      await without.initial(LIST);
      const eventId = await alice.send(roomId, "a message");
      // It arrives on another connection first, so that it is due on this one.
      const other = sync.connection(alice, "other");
      await other.initial(LIST);
      await other.until(LIST, "the message", () =>
        eventCount(other, roomId, eventId) > 0 ? true : undefined,
      );

      empty.pos = without.pos;
      const response = await empty.send(LIST);

      if (response.status !== 200) {
        expectMatrixError(response, 400, "M_UNKNOWN_POS");
        world.note("an empty connection id is another connection than none");
        return;
      }
      const { rooms } = without.process(LIST, response);
      const ids = rooms[roomId]?.timeline?.map(({ event_id }) => event_id);
      expectEqual(ids, [eventId], "the timeline", response);
      expectEqual(rooms[roomId]?.initial ?? false, false, "initial", response);
      world.note("an empty connection id and none are one connection");
    });
  },
);

check(
  "MSC4186.conn.id-optional",
  "the server keeps what it sent on a connection without an id",
  {
    mutant: [
      answers("starts anew each time", { set: { "/rooms/*/initial": true } }),
      answers("sends nothing", { set: { "/rooms": {} } }, WITH_POS),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const quiet = await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(LIST);
      for (const text of ["first", "second"]) {
        const eventId = await alice.send(roomId, text);

        const result = await connection.until(LIST, `the ${text} message`, ({ rooms, http }) => {
          expectEqual(rooms[quiet], undefined, "a room without news", http);
          const ids = rooms[roomId]?.timeline?.map(({ event_id }) => event_id);
          return ids?.includes(eventId) ? rooms[roomId] : undefined;
        });

        expectEqual(result.initial ?? false, false, "initial");
        expectEqual(result.timeline?.length, 1, "the number of events");
      }
    });
  },
);
