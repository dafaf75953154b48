import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { Unsupported } from "#harness/errors";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, fail, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { PROMPT_MS } from "./polls.ts";
import { answersInstead, inEachDialect, type Sync } from "./sync.ts";

const LIST = allRooms({ timelineLimit: 10 });
const UNKNOWN_POS = { errcode: "M_UNKNOWN_POS", error: "" };
const UNKNOWN = { errcode: "M_UNKNOWN", error: "" };

/** Opens connections of a device, a few at a time; returns their positions, the oldest first. */
async function openMany(sync: Sync, session: Session, count: number): Promise<readonly string[]> {
  const positions: string[] = [];
  for (let opened = 0; opened < count; opened += 5) {
    const some = Array.from({ length: 5 }, async (_, index) => {
      const connection = sync.connection(session, `conn-${opened + index}`);
      return (await connection.initial(LIST)).pos;
    });
    positions.push(...(await Promise.all(some)));
  }
  return positions;
}

/** Continues one of them, with a list under this name. */
function reuse(sync: Sync, session: Session, index: number, pos: string | undefined, key: string) {
  const connection = sync.connection(session, `conn-${index}`);
  connection.pos = pos;
  return connection.send({ lists: { [key]: { range: [0, 9], timelineLimit: 10 } } });
}

check(
  "MSC4186.conn.expiry-errcode",
  "the server gives M_UNKNOWN_POS as reason, when it has let connections expire",
  {
    deadlineMs: 120_000,
    mutant: [
      answersInstead("gives another reason", 400, UNKNOWN, { contains: '"again":' }),
      answersInstead("breaks", 500, UNKNOWN, { contains: '"again":' }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await alice.createRoom();
      const positions = await openMany(sync, alice, 100);
      let expired = 0;
      for (const [index, pos] of positions.slice(0, 20).entries()) {
        const response = await reuse(sync, alice, index, pos, "again");
        if (response.status === 200) continue;
        expectMatrixError(response, 400, "M_UNKNOWN_POS");
        expired++;
        await sync.connection(alice, `conn-${index}`).initial(LIST);
      }
      if (expired === 0) throw new Unsupported("expiry", "none of 100 connections expired");
    });
  },
);

const MANY = 500;

check(
  "MSC4186.conn.count-limit",
  "the server lives with many connections of a device, of which the newest works",
  {
    deadlineMs: 300_000,
    mutant: [
      answersInstead("breaks at the next one", 500, UNKNOWN, { contains: '"conn-7"' }),
      answersInstead("refuses the newest", 400, UNKNOWN_POS, { contains: '"newest":' }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      await alice.createRoom();
      const positions = await openMany(sync, alice, MANY);

      const newest = await reuse(sync, alice, MANY - 1, positions.at(-1), "newest");
      const oldest = await reuse(sync, alice, 0, positions[0], "oldest");

      ok(newest);
      const boundMs = PROMPT_MS * alice.context.timeoutScale;
      const tookMs = Math.round(newest.durationMs);
      expectThat(tookMs <= boundMs, `an answer within ${boundMs} ms`, `${tookMs} ms`, newest);
      if (oldest.status === 200) world.note(`no bound seen up to ${MANY} connections`);
      else expectMatrixError(oldest, 400, "M_UNKNOWN_POS");
    });
  },
);

const ROOMS = 150;
const AT_ONCE = 3;
/** Expiries in a row that make a loop. */
const LOOP = 3;

function inParts<T>(values: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(values.length / AT_ONCE) }, (_, part) =>
    values.slice(part * AT_ONCE, (part + 1) * AT_ONCE),
  );
}

check(
  "MSC4186.conn.expiry-no-loop",
  "the server does not let a connection expire over and over",
  {
    // So many rooms keep a server from all others.
    isolated: {},
    deadlineMs: 300_000,
    mutant: answersInstead("expires each time", 400, UNKNOWN_POS, { contains: "pos" }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomIds: string[] = [];
      for (const part of inParts(Array.from({ length: ROOMS }))) {
        roomIds.push(...(await Promise.all(part.map(() => alice.createRoom()))));
      }
      const request: SlidingRequest = {
        lists: { all: { range: [0, ROOMS - 1], timelineLimit: 1 } },
      };
      const connection = sync.connection(alice, "main");
      for (let expired = 0; expired < LOOP; expired++) {
        const { rooms, http } = await connection.initial(request);
        expectEqual(Object.keys(rooms).length, ROOMS, "the number of rooms", http);
        for (const part of inParts(roomIds)) {
          await Promise.all(part.map((roomId) => alice.send(roomId, "a message")));
        }

        const response = await connection.send(request);

        if (response.status === 200) {
          const answer = connection.process(request, response);
          expectEqual(Object.keys(answer.rooms).length, ROOMS, "the number of rooms", response);
          return;
        }
        expectMatrixError(response, 400, "M_UNKNOWN_POS");
        world.note(`the connection expired when ${ROOMS} rooms had news`);
      }
      fail("an answer with what is new", `${LOOP} expiries in a row`);
    });
  },
);
