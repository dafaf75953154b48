/** restart, cancel and send: MSC4140 §Managing scheduled delayed events. */
import type { HttpResponse } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import {
  expectInTime,
  expectMarksOnceOvertaken,
  expectScheduled,
  message,
  PATIENT,
  type Scene,
  scene,
  serverTime,
  TYPE,
  untilSent,
} from "./delayed.ts";
import { acting, claimsTo, LOOK_UP, SENDS_MORE } from "./delayed-mutants.ts";

const NOT_FOUND = { errcode: "M_NOT_FOUND", error: "" };

/** Nobody looks for it any more: it was never there, or it is final and the server may say so. */
function expectNotScheduled(response: HttpResponse): void {
  if (response.status === 404) expectMatrixError(response, 404, "M_NOT_FOUND");
  else {
    const isFinal = isObject(at(ok(response), "finalised"));
    expectThat(isFinal, "404, or a delayed event that is finalised", response.json, response);
  }
}

const DELAY_MS = 8_000;
const RESTARTED_AFTER_MS = 2_000;

/** Restarts some time later. @param from when the timer was started, or before; returns that for the next restart */
async function restartLater(
  world: World,
  { delayed, alice }: Scene,
  id: string,
  from: number,
): Promise<number> {
  await world.quietPeriod(RESTARTED_AFTER_MS);
  const restarted = performance.now();
  const response = await delayed.act(alice, id, "restart");
  expectInTime(from, DELAY_MS, "a restart");
  ok(response);
  return restarted;
}

check(
  "MSC4140.restart.semantics",
  "a restart moves the time of an event to its whole delay from now",
  {
    ...PATIENT,
    mutant: [
      claimsTo("restart"),
      altersAnswer("answers with something", acting("restart"), { status: 204, text: "" }),
      altersAnswer("tells the time of scheduling", LOOK_UP, { set: { "/delayed_since_ts": 1 } }),
    ],
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const mark = world.name("leave");
    const scheduled = performance.now();
    const id = await delayed.scheduled(alice, roomId, message(mark, DELAY_MS));

    const restarted = await restartLater(world, here, id, scheduled);
    const before = await serverTime(alice, roomId);
    await restartLater(world, here, id, restarted);
    const lookUp = await delayed.lookUp(alice, id);
    const event = await untilSent(alice, roomId, mark);

    const leastMs = RESTARTED_AFTER_MS + DELAY_MS;
    const tookMs = event.origin_server_ts - before;
    const expected = `an event ${leastMs} ms after the first restart at the earliest`;
    expectThat(tookMs >= leastMs, expected, `${tookMs} ms`);
    const since = ok(lookUp).delayed_since_ts ?? ok(lookUp).scheduled_at;
    const isOfRestart = typeof since === "number" && since >= before + RESTARTED_AFTER_MS;
    expectThat(isOfRestart, "delayed_since_ts of the second restart", since, lookUp);
  },
);

check(
  "MSC4140.cancel.semantics",
  "a cancelled event is never sent",
  {
    ...PATIENT,
    mutant: [
      claimsTo("cancel"),
      altersAnswer("shows it as scheduled", LOOK_UP, { status: 200, body: { delay_id: "x" } }),
      SENDS_MORE,
    ],
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const dueMs = 4_000;
    const from = performance.now();
    const id = await delayed.scheduled(alice, roomId, message("cancelled", dueMs));

    const cancel = await delayed.act(alice, id, "cancel");

    expectInTime(from, dueMs, "a cancel");
    expectEqual(ok(cancel), {}, "the answer", cancel);
    expectNotScheduled(await delayed.lookUp(alice, id));
    await expectMarksOnceOvertaken(world, here, dueMs, []);
  },
);

check(
  "MSC4140.send.semantics",
  "an event that is to be sent now is sent at once, and only once",
  {
    ...PATIENT,
    mutant: [claimsTo("send"), SENDS_MORE],
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const dueMs = 10_000;
    const mark = world.name("leave");
    const before = await serverTime(alice, roomId);
    const from = performance.now();
    const id = await delayed.scheduled(alice, roomId, message(mark, dueMs));

    const send = await delayed.act(alice, id, "send");

    expectInTime(from, dueMs / 2, "a send");
    expectEqual(ok(send), {}, "the answer", send);
    const event = await untilSent(alice, roomId, mark, 10_000);
    const tookMs = event.origin_server_ts - before;
    expectThat(tookMs < dueMs, `an event before its ${dueMs} ms are over`, `${tookMs} ms`);
    await expectMarksOnceOvertaken(world, here, dueMs, [mark]);
  },
);

check(
  "MSC4140.send.error-kept",
  "an event that can not be sent now stays scheduled",
  {
    ...PATIENT,
    mutant: [
      altersAnswer("claims to have sent it", acting("send"), { status: 200, body: {} }),
      altersAnswer("drops it", LOOK_UP, { status: 404, body: NOT_FOUND }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    await bob.join(roomId);
    const mark = world.name("leave");
    const levels = (await alice.state(roomId, "m.room.power_levels")) ?? {};
    const forbidden = { ...levels, events: { [TYPE]: 100 } };
    const dueMs = 8_000;
    const from = performance.now();
    const id = await delayed.scheduled(bob, roomId, message(mark, dueMs));
    await alice.setState(roomId, "m.room.power_levels", forbidden);

    const send = await delayed.act(bob, id, "send");
    const lookUp = await delayed.lookUp(bob, id);

    expectInTime(from, dueMs, "a send that is refused");
    expectMatrixError(send, 403, "M_FORBIDDEN");
    expectScheduled(lookUp);
    await alice.setState(roomId, "m.room.power_levels", levels);
    expectInTime(from, dueMs, "what was to be done before");
    await untilSent(alice, roomId, mark);
  },
);
