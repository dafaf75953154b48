import { awakeMs } from "#harness/awake";
import type { Synced } from "#harness/clients/sliding-sync/connection";
import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { meet, read, withExtension } from "./extensions.ts";
import { ALL, FORGETS, KEY, receiptsAt } from "./receipts.ts";
import { inDialect } from "./sync.ts";

const POLL_MS = 5_000;

function hasReceipt(answer: Synced, roomId: string, eventId: string, reader: Session): boolean {
  return receiptsAt(answer, roomId, eventId).includes(`m.read ${reader.userId}`);
}

/**
 * Goes on until there is the receipt. When it does not come by itself, something is sent, and it has to come with the result
 * of the room at the latest.
 *
 * @returns whether it came by itself
 */
async function untilReceipt(
  { alice, roomId }: { alice: Session; roomId: string },
  { sync, request }: { sync: (timeoutMs: number) => Promise<Synced>; request: string },
  isThere: (answer: Synced) => boolean,
): Promise<boolean> {
  if (isThere(await sync(POLL_MS))) return true;
  const eventId = await alice.send(roomId, "next result");
  for (let count = 0; count < 10; count++) {
    const answer = await sync(POLL_MS);
    if (isThere(answer)) return false;
    const { timeline } = answer.rooms[roomId] ?? {};
    const isPast = timeline?.some(({ event_id }) => event_id === eventId) === true;
    expectThat(
      !isPast,
      `the receipt with the next result, ${request}`,
      answer.extensions,
      answer.http,
    );
  }
  expectThat(false, "the receipt, or a result of the room", "neither in ten answers");
}

check(
  "MSC3960.receipts.live",
  "the server sends a receipt at an old event, at the latest with the next result of the room",
  { mutant: FORGETS },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const old = await alice.send(roomId, "old");
      await alice.send(roomId, "new");
      const connection = sync.connection(alice);
      await connection.initial(ALL);
      await connection.drain(ALL);

      const poll = connection.send(ALL, { timeoutMs: POLL_MS });
      const readAt = awakeMs();
      await read(bob, roomId, old);
      let answered: Synced | undefined = connection.process(ALL, await poll);
      if (awakeMs() - readAt >= POLL_MS - 500) world.note("receipts do not end a poll");
      const next = async (timeoutMs: number) => {
        const answer = answered ?? (await connection.sync(ALL, { timeoutMs }));
        answered = undefined;
        return answer;
      };
      const isAlone = await untilReceipt(
        { alice, roomId },
        { sync: next, request: "live" },
        (answer) => hasReceipt(answer, roomId, old, bob),
      );

      if (!isAlone) world.note("receipts come with the next result of the room only");
    });
  },
);

check(
  "MSC3960.receipts.missed",
  "the server sends receipts that came while a room was out of range",
  { mutant: FORGETS },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const eventId = await alice.send(roomId, "newest here");
      await alice.createRoom();
      const windowOf = (last: number): SlidingRequest =>
        withExtension({ lists: { all: { range: [0, last], timelineLimit: 1 } } }, KEY);
      const connection = sync.connection(alice);
      await connection.initial(windowOf(1));
      await connection.sync(windowOf(0));

      await read(bob, roomId, eventId);
      await connection.drain(windowOf(0));
      const next = (timeoutMs: number) => connection.sync(windowOf(1), { timeoutMs });
      const isAlone = await untilReceipt(
        { alice, roomId },
        { sync: next, request: "back in range" },
        (answer) => hasReceipt(answer, roomId, eventId, bob),
      );

      if (!isAlone) world.note("missed receipts come with the next result of the room only");
    });
  },
);
