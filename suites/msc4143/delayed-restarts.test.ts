/** Delayed events over the death of the server: MSC4140 §Scheduling a delayed event. */
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import {
  BATCH_MS,
  dueTime,
  expectInTime,
  marksIn,
  message,
  type Scene,
  scene,
  serverTime,
  state,
  TYPE,
  untilSent,
} from "./delayed.ts";
import { MESSAGES, SYNC, takesDelayFor } from "./delayed-mutants.ts";

const OWN_SERVERS = { isolated: {}, deadlineMs: 150_000 };

check(
  "MSC4140.persist.restart",
  "a server that was killed sends what is overdue when it is back, and the rest at its time",
  {
    ...OWN_SERVERS,
    mutant: [
      altersAnswer("has lost what was overdue", SYNC, { replace: [["overdue-", "lost-"]] }),
      takesDelayFor("sends all that is there", 15_000, 5_000),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const [overdue, pending] = [world.name("overdue"), world.name("pending")];
    const before = await serverTime(alice, roomId);
    const pendingMs = 15_000;
    await delayed.scheduled(alice, roomId, message(pending, pendingMs));
    const [overdueMs, from] = [6_000, performance.now()];
    await delayed.scheduled(alice, roomId, message(overdue, overdueMs));

    await world.actOnServer("hs1", "kill");
    expectInTime(from, overdueMs, "the kill");
    await world.quietPeriod(overdueMs);
    await world.actOnServer("hs1", "restart");
    const ready = performance.now();

    await untilSent(alice, roomId, overdue, BATCH_MS);
    const tookMs = Math.round(performance.now() - ready);
    world.note(`what was overdue was there ${tookMs} ms after the restart`);
    const event = await untilSent(alice, roomId, pending, pendingMs + BATCH_MS);
    const sentMs = event.origin_server_ts - before;
    expectThat(sentMs >= pendingMs, `an event after its ${pendingMs} ms`, `${sentMs} ms`);
    world.note(`what was pending was sent ${sentMs - pendingMs} ms after its time, or less`);
  },
);

check(
  "MSC4140.persist.order",
  "a server that was killed sends all that is overdue in the order of its times",
  {
    ...OWN_SERVERS,
    mutant: altersAnswer("sends the newest first", MESSAGES, { reverse: ["/chunk"] }),
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const dueMs = 9_000;
    const events = [
      state("1", dueMs),
      message("2", dueMs + 500),
      message("3", dueMs + 1_000),
      state("4", dueMs + 1_500),
    ];
    const from = performance.now();
    const scheduled: { mark: string; due: number }[] = [];
    // They are made in another order than that of their times, which the server knows best.
    for (const event of events.toReversed()) {
      const id = await delayed.scheduled(alice, roomId, event);
      scheduled.push({ mark: String(event.content.mark), due: await dueTime(here, id) });
    }

    await world.actOnServer("hs1", "kill");
    expectInTime(from, dueMs, "the kill");
    await world.quietPeriod(dueMs + 1_500);
    await world.actOnServer("hs1", "restart");

    const marks = scheduled.toSorted((one, other) => one.due - other.due).map(({ mark }) => mark);
    await world.eventually(
      async () => expectEqual(await marksIn(alice, roomId), marks, "what was sent"),
      { deadlineMs: BATCH_MS },
    );
    const later = marks.findLast((mark) => mark === "1" || mark === "4");
    expectEqual(await alice.state(roomId, TYPE, "key"), { mark: later }, "the state");
  },
);

/** A server sends into many rooms at a time, and dies with events on their way in each of its steps. */
const ROOMS = 10;
const DUE = 40;
const PACE_MS = 10;
const SENT = 8;
/** For scheduling all and sending some, and the restart, before they are due. */
const DUE_MS = 12_000;

interface ManyRooms extends Omit<Scene, "roomId"> {
  readonly rooms: readonly string[];
}

async function manyRooms(world: World): Promise<ManyRooms> {
  const { delayed, alice } = await scene(world);
  const rooms = await Promise.all(Array.from({ length: ROOMS }, () => alice.createRoom()));
  return { delayed, alice, rooms };
}

interface Death {
  readonly marks: readonly string[];
  /** When all of them were scheduled, by `performance.now()`. */
  readonly scheduledAt: number;
  readonly sent: () => Promise<readonly unknown[]>;
}

/** Kills the server when it has sent some of many events, and was asked to send more. */
async function dieWhileSending(world: World, here: ManyRooms, name: string): Promise<Death> {
  const { delayed, alice, rooms } = here;
  const from = performance.now();
  const marks = Array.from({ length: DUE }, (_, index) => `${index} of ${name}`);
  const ids = await Promise.all(
    marks.map((mark, index) =>
      delayed.scheduled(alice, rooms[index % ROOMS] ?? "", message(mark, DUE_MS)),
    ),
  );
  const scheduledAt = performance.now();
  const sends: Promise<unknown>[] = [];
  let answered = 0;
  const enough = Promise.withResolvers<void>();
  for (const id of ids) {
    const onAnswer = () => {
      answered += 1;
      if (answered === SENT) enough.resolve();
    };
    // Those that the death cuts off have no answer.
    sends.push(delayed.act(alice, id, "send").then(onAnswer, () => undefined));
    await world.quietPeriod(PACE_MS);
  }
  await Promise.race([enough.promise, Promise.all(sends)]);
  await world.actOnServer("hs1", "kill");
  expectInTime(from, DUE_MS, "the kill");
  await Promise.all(sends);
  return {
    marks,
    scheduledAt,
    sent: async () => (await Promise.all(rooms.map((room) => marksIn(alice, room)))).flat(),
  };
}

/** How long until all that was scheduled is due, milliseconds. */
function untilDue({ scheduledAt }: Death): number {
  return Math.max(0, scheduledAt + DUE_MS - performance.now());
}

const noneLost =
  ({ marks, sent }: Death) =>
  async () => {
    const seen = await sent();
    const lost = marks.filter((mark) => !seen.includes(mark));
    expectEqual(lost, [], "what has not been sent");
    return seen;
  };

/** Whether one hits what was sent and not noted yet is a matter of chance. */
const DEATHS = 4;

check(
  "MSC4140.persist.no-duplicate",
  "a server that dies while it sends delayed events sends each of them once",
  {
    ...OWN_SERVERS,
    deadlineMs: 200_000,
    mutant: [
      altersAnswer("sends some twice", MESSAGES, {
        set: {
          "/chunk/-": {
            type: TYPE,
            event_id: "$twice",
            sender: "@alice:other.example",
            origin_server_ts: 1,
            content: { mark: "0 of death 1" },
          },
        },
      }),
      altersAnswer("loses one", MESSAGES, { replace: [['"5 of death 1"', '"lost"']] }),
    ],
  },
  async (world) => {
    const here = await manyRooms(world);
    for (let count = 1; count <= DEATHS; count++) {
      const death = await dieWhileSending(world, here, `death ${count}`);
      // All that was on its way is overdue when the server is back.
      await world.quietPeriod(untilDue(death));
      await world.actOnServer("hs1", "restart");

      const sent = await world.eventually(noneLost(death), { deadlineMs: BATCH_MS });
      const counts = death.marks.map(
        (mark) => [mark, sent.filter((one) => one === mark).length] as const,
      );
      const twice = Object.fromEntries(counts.filter(([, times]) => times > 1));
      expectEqual(twice, {}, "what was sent more than once");
    }
  },
);

check(
  "MSC4140.persist.send-action",
  "a server that dies while it sends delayed events on request sends all of them, when they are due at the latest",
  {
    ...OWN_SERVERS,
    mutant: altersAnswer("loses one", MESSAGES, { replace: [['"5 of one death"', '"lost"']] }),
  },
  async (world) => {
    const here = await manyRooms(world);
    const death = await dieWhileSending(world, here, "one death");
    await world.actOnServer("hs1", "restart");
    expectInTime(death.scheduledAt, DUE_MS, "the restart");

    await world.eventually(noneLost(death), { deadlineMs: untilDue(death) + BATCH_MS });
  },
);
