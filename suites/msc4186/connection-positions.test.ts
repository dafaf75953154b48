import type { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import { STABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { type HttpResponse, path } from "#harness/http/client";
import { at, eventsAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { answersInstead, inDialect, inEachDialect, type Sync } from "./sync.ts";

const LIST = allRooms({ timelineLimit: 10 });
const EMPTY = { pos: "1", lists: { all: { count: 0 } }, rooms: {} };
const REFUSED = { status: 400 };

/** Mutants of a server that has to refuse a position. */
function refusalMutants() {
  return [
    answersInstead("takes it", 200, EMPTY, REFUSED),
    answersInstead("breaks at it", 500, { errcode: "M_UNKNOWN", error: "" }, REFUSED),
    answersInstead("gives another reason", 400, { errcode: "M_UNKNOWN", error: "" }, REFUSED),
  ];
}

function expectUnknownPos(response: HttpResponse): void {
  expectMatrixError(response, 400, "M_UNKNOWN_POS");
  expectEqual(at(response.json, "rooms"), undefined, "rooms in the refusal", response);
}

/** A request at a position that another connection got. */
async function sendAt(
  pos: string | undefined,
  connection: SlidingConnection,
  request: SlidingRequest = LIST,
): Promise<HttpResponse> {
  connection.pos = pos;
  return await connection.send(request);
}

/** Raises each number for which `isChosen`, in order of their places. */
function raised(pos: string, by: number, isChosen: (index: number) => boolean): string {
  let index = 0;
  return pos.replaceAll(/\d+/g, (digits) =>
    isChosen(index++) ? String(Number(digits) + by) : digits,
  );
}

/** Far more than a server under test counts. */
const FAR = 1_000_000;

check(
  "MSC4186.conn.pos-unknown",
  "the server answers M_UNKNOWN_POS to a position that it never gave",
  { mutant: refusalMutants() },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await alice.createRoom();
      const connection = sync.connection(alice);
      const { pos } = await connection.initial(LIST);
      // The first number is a connection's where a position has several; without any it is another text.
      const altered = raised(pos, FAR, (index) => index === 0);
      const response = await sendAt(altered === pos ? `${pos}0` : altered, connection);
      expectUnknownPos(response);
    });
  },
);

check(
  "MSC4186.conn.pos-garbage",
  "the server answers M_UNKNOWN_POS to what is no position",
  { mutant: answersInstead("starts anew", 200, EMPTY, REFUSED) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(LIST);

      for (const pos of ["garbage", "x".repeat(1_000)]) {
        expectUnknownPos(await sendAt(pos, connection));
      }
      const empty = await sendAt("", connection);
      if (empty.status === 200) world.note("an empty position is taken for none");
      else expectUnknownPos(empty);
    });
  },
);

/** Somebody who has never synced sends the position of somebody else. */
async function useForeign(sync: Sync, alice: Session, thief: Session): Promise<HttpResponse> {
  const { pos } = await sync.connection(alice, "main").initial(LIST);
  return await sendAt(pos, sync.connection(thief, "main"));
}

check(
  "MSC4186.conn.pos-foreign-user",
  "the server refuses another user's position",
  { mutant: refusalMutants() },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, mallory] = await world.users("alice", "mallory");
      await alice.createRoom();
      await mallory.createRoom();
      expectUnknownPos(await useForeign(sync, alice, mallory));
    });
  },
);

check(
  "MSC4186.conn.pos-foreign-user",
  "the server refuses another user's position, whatever it stands for",
  { mutant: answersInstead("takes it", 200, EMPTY, { contains: "pos" }) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, mallory] = await world.users("alice", "mallory");
      await mallory.createRoom();
      expectUnknownPos(await useForeign(sync, alice, mallory));
    });
  },
);

check(
  "MSC4186.conn.pos-foreign-device",
  "the server refuses the position of another device",
  { mutant: refusalMutants() },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await alice.createRoom();
      const second = await world.login(alice);
      expectUnknownPos(await useForeign(sync, alice, second));
    });
  },
);

check(
  "MSC4186.conn.pos-foreign-conn",
  "the server refuses the position of another connection, which goes on",
  {
    mutant: [
      ...refusalMutants(),
      answersInstead(
        "ends the connection",
        400,
        { errcode: "M_UNKNOWN_POS", error: "" },
        { contains: "pos" },
      ),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const first = sync.connection(alice, "a");
      const { pos } = await first.initial(LIST);

      expectUnknownPos(await sendAt(pos, sync.connection(alice, "b")));

      const eventId = await alice.send(roomId, "a message");
      const result = await first.untilEvent(LIST, roomId, eventId);
      expectEqual(result.initial ?? false, false, "initial on the first connection");
    });
  },
);

check(
  "MSC4186.conn.future-pos",
  "the server does not swallow what comes before a position of the future",
  {
    mutant: [
      answersInstead("stalls", 200, EMPTY, { contains: "pos" }),
      answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" }, { contains: "pos" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);
      const { pos } = await connection.initial(LIST);
      const isSingle = pos.match(/\d+/g)?.length === 1;
      const future = raised(pos, FAR, (index) => isSingle || index > 0);
      expectThat(future !== pos, "a position with a number in it", pos);

      const response = await sendAt(future, connection);

      if (response.status !== 200) {
        expectUnknownPos(response);
        return;
      }
      world.note("a position of the future is taken");
      connection.process(LIST, response);
      const eventId = await alice.send(roomId, "a message");
      await connection.untilEvent(LIST, roomId, eventId);
    });
  },
);

check(
  "MSC4186.conn.ack-frees-older",
  "the server refuses a position before the last one, or takes it; the last one stays good",
  {
    mutant: [
      answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" }, { contains: '"older":' }),
      answersInstead(
        "gives another reason",
        400,
        { errcode: "M_UNKNOWN", error: "" },
        { contains: '"older":' },
      ),
      answersInstead(
        "refuses the last one",
        400,
        { errcode: "M_UNKNOWN_POS", error: "" },
        { contains: '"last":' },
      ),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);
      const list = { range: [0, 9] as const, timelineLimit: 5 };
      const { pos: first } = await connection.initial({ lists: { all: list } });
      const eventId = await alice.send(roomId, "a message");
      await connection.untilEvent({ lists: { all: list } }, roomId, eventId);
      await connection.sync({ lists: { all: list } });
      const { pos: last } = connection;

      const older = await sendAt(first, connection, { lists: { older: list } });
      const newest = await sendAt(last, connection, { lists: { last: list } });

      if (older.status === 200) world.note("a position before the last one is still taken");
      else expectUnknownPos(older);
      ok(newest);
    });
  },
);

check(
  "MSC4186.conn.pos-in-messages",
  "the server paginates from a position of sliding sync",
  {
    mutant: altersAnswer(
      "does not know the position",
      { method: "GET", path: "/_matrix/client/v3/rooms/*/messages" },
      { status: 400, body: { errcode: "M_UNKNOWN", error: "" } },
    ),
  },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const eventId = await alice.send(roomId, "a message");
      const connection = sync.connection(alice);
      await connection.initial(LIST);
      await connection.drain(LIST);
      const query = { from: connection.pos, dir: "b" };
      await alice.send(roomId, "a later message");

      const messages = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, query);
      const relations = await alice.get(
        path`/_matrix/client/v1/rooms/${roomId}/relations/${eventId}`,
        query,
      );

      expectEqual(eventsAt(ok(messages), "chunk")[0]?.event_id, eventId, "the newest", messages);
      ok(relations);
    });
  },
);
