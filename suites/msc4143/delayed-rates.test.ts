/** Rate limits of delayed events, on servers of their own that have some: MSC4140 §Rate-limiting at the point of sending. */
import type { HttpResponse } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { BATCH_MS, FAR_MS, limitsOf, marksIn, message, type Scene, scene } from "./delayed.ts";
import { acting, altersScheduled, LOOK_UP, MESSAGES } from "./delayed-mutants.ts";

const LIMITED = { isolated: { features: ["rate-limits"] }, deadlineMs: 120_000 } as const;
const RESTARTS_AT_MOST = 200;
const SCHEDULED_AT_MOST = 300;
const AT_ONCE = 10;
/** As clients of calls have it. */
const BEAT_MS = 5_000;
const BEATS = 3;

/** A refusal for the rate, which says when to come again. */
function expectLimited(response: HttpResponse): void {
  expectMatrixError(response, 429, "M_LIMIT_EXCEEDED");
  const when = response.headers["retry-after"] ?? at(response.json, "retry_after_ms");
  expectThat(when !== undefined, "Retry-After or retry_after_ms", when, response);
}

check(
  "MSC4140.ratelimit.manage",
  "the server limits a flood of restarts, and lets the heartbeat of a call pass",
  {
    ...LIMITED,
    mutant: [
      altersAnswer("takes all", { ...acting("restart"), status: 429 }, { status: 200, body: {} }),
      altersAnswer("breaks", { ...acting("restart"), status: 429 }, { status: 500 }),
      altersAnswer("limits all", acting("restart"), {
        status: 429,
        body: { errcode: "M_LIMIT_EXCEEDED", error: "", retry_after_ms: 1 },
      }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    await bob.join(roomId);
    const id = await delayed.scheduled(alice, roomId, message("leave", FAR_MS));
    const ofBob = await delayed.scheduled(bob, roomId, message("leave", FAR_MS));

    let refused: HttpResponse | undefined;
    for (let asked = 0; asked < RESTARTS_AT_MOST && refused === undefined; asked += AT_ONCE) {
      const restarts = Array.from({ length: AT_ONCE }, () => delayed.act(alice, id, "restart"));
      refused = (await Promise.all(restarts)).find(({ status }) => status !== 200);
    }

    expectThat(refused !== undefined, `a refusal of ${RESTARTS_AT_MOST} restarts`, "none");
    expectLimited(refused);
    for (let beat = 0; beat < BEATS; beat++) {
      await world.quietPeriod(BEAT_MS);
      ok(await delayed.act(bob, ofBob, "restart"));
    }
  },
);

check(
  "MSC4140.ratelimit.schedule",
  "the server limits a flood of scheduling",
  {
    ...LIMITED,
    mutant: [
      altersScheduled("takes all", { status: 200, body: { delay_id: "more" } }, 429),
      altersScheduled("breaks", { status: 500 }, 429),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const max = (await limitsOf(alice))?.maxScheduled;
    // A refusal of more than a user may have is no matter of rates.
    const most = Math.min(SCHEDULED_AT_MOST, typeof max === "number" ? max : SCHEDULED_AT_MOST);

    let refused: HttpResponse | undefined;
    for (let asked = 0; asked + AT_ONCE <= most && refused === undefined; asked += AT_ONCE) {
      const requests = Array.from({ length: AT_ONCE }, (_, index) =>
        delayed.schedule(alice, roomId, message(`${asked + index}`, FAR_MS)),
      );
      refused = (await Promise.all(requests)).find(({ status }) => status !== 200);
    }

    expectThat(refused !== undefined, `a refusal of ${most} requests that schedule`, "none");
    expectLimited(refused);
  },
);

const DUE_MS = 2_000;
const FLOOD = 50;
const LOOK_AGAIN_MS = 1_500;

check(
  "MSC4140.ratelimit.fire",
  "the server sends what is due at one moment, or keeps the error of what was too much",
  {
    ...LIMITED,
    mutant: [
      altersAnswer("forgets them", LOOK_UP, {
        status: 404,
        body: { errcode: "M_NOT_FOUND", error: "" },
      }),
      altersAnswer("loses them", MESSAGES, { set: { "/chunk": [] } }),
    ],
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const dueAt = performance.now() + DUE_MS;
    const ids = new Map<string, string>();
    // As many as the server lets one schedule without a pause.
    for (let index = 0; index < FLOOD; index++) {
      const delayMs = Math.max(1, Math.round(dueAt - performance.now()));
      const response = await delayed.schedule(alice, roomId, message(`${index}`, delayMs));
      if (response.status === 429) break;
      ids.set(`${index}`, String(ok(response).delay_id));
    }
    await world.quietPeriod(DUE_MS);

    const kept: string[] = [];
    for (const [mark, id] of ids)
      if ((await outcomeOf(world, here, mark, id)) === "kept") kept.push(mark);

    world.note(`of ${ids.size} events ${ids.size - kept.length} were sent, ${kept.length} kept`);
  },
);

/** What became of an event that was due; look-ups have their rate as well. */
async function outcomeOf(
  world: World,
  { delayed, alice, roomId }: Scene,
  mark: string,
  id: string,
): Promise<"sent" | "kept"> {
  const deadline = performance.now() + BATCH_MS;
  for (;;) {
    // In this order: what is sent after the look-up has been scheduled in it.
    const lookUp = await delayed.lookUp(alice, id);
    if ((await marksIn(alice, roomId)).includes(mark)) return "sent";
    const isScheduled = lookUp.status === 200 && at(lookUp.json, "finalised") === undefined;
    const mayWait = lookUp.status === 429 || isScheduled;
    if (!mayWait || performance.now() > deadline) {
      const error = at(lookUp.json, "finalised", "error", "errcode");
      const expected = `event ${mark} to be sent, or kept with the error M_LIMIT_EXCEEDED`;
      expectThat(error === "M_LIMIT_EXCEEDED", expected, lookUp.status, lookUp);
      return "kept";
    }
    await world.quietPeriod(LOOK_AGAIN_MS);
  }
}
