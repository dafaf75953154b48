/** Rate limits of delayed events, on servers of their own that have some: MSC4140 §Rate-limiting at the point of sending. */
import type { HttpResponse } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { FAR_MS, limitsOf, marksIn, message, scene } from "./delayed.ts";
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
    const { delayed, alice, roomId } = await scene(world);
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

    const outcomes = await world.eventually(
      async () => {
        const sent = await marksIn(alice, roomId);
        const missing = [...ids].filter(([mark]) => !sent.includes(mark));
        const kept = [];
        for (const [mark, id] of missing) {
          const response = await delayed.lookUp(alice, id);
          const error = at(response.json, "finalised", "error", "errcode");
          const isKept = response.status === 200 && isObject(at(response.json, "finalised"));
          const expected = `each of ${ids.size} events sent or kept with its error`;
          const actual = `${sent.length} sent, and of event ${mark} ${response.status}`;
          expectThat(isKept && error === "M_LIMIT_EXCEEDED", expected, actual, response);
          kept.push(mark);
        }
        return { sent: sent.length, kept: kept.length };
      },
      { deadlineMs: 10_000 },
    );

    world.note(`of ${ids.size} events ${outcomes.sent} were sent, ${outcomes.kept} kept`);
  },
);
