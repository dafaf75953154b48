import { awakeMs } from "#harness/awake";
import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { POLL_MS, PROMPT_MS } from "./polls.ts";
import { answers, answersInstead, inEachDialect, type Sync } from "./sync.ts";

const LIST = allRooms({ timelineLimit: 10 });
const UNKNOWN_POS = { errcode: "M_UNKNOWN_POS", error: "" };
const UNKNOWN = { errcode: "M_UNKNOWN", error: "" };

async function sendToDevice(sender: Session, { userId, deviceId }: Session): Promise<void> {
  const target = path`/_matrix/client/v3/sendToDevice/org.example.note/${sender.context.nextName("txn")}`;
  ok(await sender.put(target, { messages: { [userId]: { [deviceId]: {} } } }));
}

/** What the second connection of a client is for, how something comes on it, and whether that is in an answer. */
function secondConnection({ dialect }: Sync, alice: Session, bob: Session, roomId: string) {
  if (dialect === UNSTABLE) {
    const request: SlidingRequest = {
      extensions: { to_device: { enabled: true }, e2ee: { enabled: true } },
    };
    return {
      request,
      act: () => sendToDevice(bob, alice),
      has: (body: unknown) => listAt(body, "extensions", "to_device", "events").length === 1,
    };
  }
  const request: SlidingRequest = { subscriptions: { [roomId]: { timelineLimit: 1 } } };
  return {
    request,
    act: () => bob.send(roomId, "for the second connection"),
    has: (body: unknown) => JSON.stringify(body).includes("for the second connection"),
  };
}

check(
  "MSC4186.conn.several-per-device",
  "the server serves a list of rooms and another connection of a device at once",
  {
    mutant: [
      answersInstead("ends the other connection", 400, UNKNOWN_POS, {
        contains: '"conn_id":"encryption"',
      }),
      answers(
        "wakes without the messages",
        { set: { "/rooms": {} } },
        { contains: '"conn_id":"room-list"' },
      ),
      answers(
        "wakes without to-device messages",
        { set: { "/extensions/to_device/events": [], "/rooms": {} } },
        { contains: '"conn_id":"encryption"' },
      ),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const [listed, other] = [
        await alice.createRoom({ preset: "public_chat" }),
        await alice.createRoom({ preset: "public_chat" }),
      ];
      for (const roomId of [listed, other]) await bob.join(roomId);
      const list: SlidingRequest = { lists: { all: { range: [0, 0], timelineLimit: 5 } } };
      const second = secondConnection(sync, alice, bob, other);
      await bob.send(listed, "to the top of the list");
      const roomList = sync.connection(alice, "room-list");
      const encryption = sync.connection(alice, "encryption");
      await roomList.initial(list);
      await encryption.initial(second.request);
      await roomList.drain(list);
      await encryption.drain(second.request);

      const scale = alice.context.timeoutScale;
      const options = { timeoutMs: POLL_MS * scale };
      const polls = [
        roomList.start(list, options),
        encryption.start(second.request, options),
      ] as const;
      await world.quietPeriod(500);
      const from = awakeMs();
      const eventId = await bob.send(listed, "a message");
      const first = await polls[0].answer;
      await second.act();
      const last = await polls[1].answer;
      const tookMs = awakeMs() - from;

      expectThat(first !== undefined && last !== undefined, "two answers", "none");
      const { rooms } = roomList.process(list, first);
      const ids = rooms[listed]?.timeline?.map(({ event_id }) => event_id);
      expectEqual(ids, [eventId], "the timeline", first);
      encryption.process(second.request, last);
      expectThat(second.has(last.json), "what is due on the other", last.text, last);
      const boundMs = 2 * PROMPT_MS * scale;
      expectThat(tookMs <= boundMs, `both within ${boundMs} ms`, `${Math.round(tookMs)} ms`);
    });
  },
);

check(
  "MSC4186.conn.survives-restart",
  "the server goes on after a restart, or has the client start anew",
  {
    isolated: {},
    deadlineMs: 120_000,
    mutant: [
      answers("loses what is new", { set: { "/rooms": {} } }, { contains: "pos" }),
      answersInstead("gives another reason", 400, UNKNOWN, { contains: "pos" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const [roomId] = [await alice.createRoom(), await alice.createRoom()];
      const connection = sync.connection(alice, "main");
      await connection.initial(LIST);
      await connection.drain(LIST);

      await world.actOnServer("hs1", "restart");
      const eventId = await alice.send(roomId, "a message");
      const response = await connection.send(LIST);

      if (response.status !== 200) {
        expectMatrixError(response, 400, "M_UNKNOWN_POS");
        world.note("positions do not survive a restart");
        await connection.initial(LIST);
        return;
      }
      const { rooms } = connection.process(LIST, response);
      expectEqual(Object.keys(rooms), [roomId], "the rooms", response);
      const ids = rooms[roomId]?.timeline?.map(({ event_id }) => event_id);
      expectEqual(ids, [eventId], "the timeline", response);
      expectEqual(rooms[roomId]?.initial ?? false, false, "initial", response);
    });
  },
);
