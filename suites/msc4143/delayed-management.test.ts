/** Who may act on a delayed event, and what can be done when: MSC4140 §Managing scheduled delayed events. */
import { STABLE } from "#harness/clients/rtc/delayed-events";
import type { HttpResponse } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { ServerClient } from "#harness/world/session";
import type { World } from "#harness/world/world";
import {
  expectInTime,
  expectMarksOnceOvertaken,
  expectScheduled,
  FAR_MS,
  flagsOf,
  marksIn,
  message,
  PATIENT,
  type Scene,
  scene,
  untilSent,
} from "./delayed.ts";
import { acting, LOOK_UP, SENDS_MORE, SYNC } from "./delayed-mutants.ts";

const NOT_FOUND = { errcode: "M_NOT_FOUND", error: "" };
const ANY_ACTION = acting("*");

/** Older drafts took the delay id for a key: whoever had it could act, with a token or without. */
async function isOpenForm({ alice, delayed }: Scene): Promise<boolean> {
  return delayed.form !== STABLE && !(await flagsOf(alice)).has("org.matrix.msc4140.stable");
}

check(
  "MSC4140.manage.auth",
  "the server lets nobody but its owner act on a delayed event",
  {
    ...PATIENT,
    mutant: [
      altersAnswer("refuses its owner", acting("restart"), { status: 403, body: NOT_FOUND }),
      altersAnswer("breaks without a token", acting("send"), { status: 500 }),
      altersAnswer("acts and says that it does not", ANY_ACTION, {
        status: 401,
        body: { errcode: "M_MISSING_TOKEN", error: "" },
      }),
    ],
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const isOpen = await isOpenForm(here);
    const mallory = await world.user("mallory");
    await mallory.join(roomId);
    const strangers: readonly (readonly [ServerClient, number[], string])[] = [
      [world.anonymous(), [401], "nobody"],
      [mallory, [403, 404], "another user"],
    ];

    const allowed: string[] = [];
    for (const [stranger, statuses, who] of strangers) {
      for (const action of ["restart", "send", "cancel"]) {
        const id = await delayed.scheduled(alice, roomId, message(world.name("leave"), FAR_MS));
        const response = await delayed.act(stranger, id, action);
        if (isOpen && response.status === 200) {
          allowed.push(`${action} by ${who}`);
          continue;
        }
        expectMatrixError(response, statuses);
        expectScheduled(await delayed.lookUp(alice, id));
        ok(await delayed.act(alice, id, "restart"));
      }
    }
    const own = await delayed.scheduled(alice, roomId, message("own", FAR_MS));
    ok(await delayed.act(alice, own, "restart"));
    ok(await delayed.act(alice, own, "cancel"));
    if (allowed.length > 0)
      world.note(`who has the delay id may act, as in older drafts: ${allowed.join(", ")}`);
  },
);

check(
  "MSC4140.manage.unknown",
  "the server knows no delayed event by an id that it has not given",
  {
    mutant: [
      altersAnswer("takes any", ANY_ACTION, { status: 200, body: {} }),
      altersAnswer("has another error", ANY_ACTION, { set: { "/errcode": "M_UNKNOWN" } }),
    ],
  },
  async (world) => {
    const { delayed, alice } = await scene(world);

    for (const action of ["restart", "send", "cancel"]) {
      const response = await delayed.act(alice, world.name("unknown"), action);

      expectMatrixError(response, 404, "M_NOT_FOUND");
    }
  },
);

check(
  "MSC4140.manage.unknown-action",
  "the server does nothing for an action that there is not",
  {
    mutant: [
      altersAnswer("takes any", acting("oops"), { status: 200, body: {} }),
      altersAnswer("breaks", acting("oops"), { status: 500 }),
      altersAnswer("has forgotten the event", LOOK_UP, { status: 404, body: NOT_FOUND }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const id = await delayed.scheduled(alice, roomId, message("leave", FAR_MS));

    const response = await delayed.act(alice, id, "oops");

    expectMatrixError(response, [400, 404, 405]);
    expectScheduled(await delayed.lookUp(alice, id));
    expectEqual(await marksIn(alice, roomId), [], "the delayed events that were sent");
  },
);

/** The same action again: success, or the server keeps nothing of what is final. */
function expectRepeatable(world: World, response: HttpResponse, what: string): void {
  expectStatus(response, [200, 404]);
  if (response.status === 200) return;
  expectMatrixError(response, 404, "M_NOT_FOUND");
  world.note(`${what} gets 404, against the recommendation to keep what is final`);
}

check(
  "MSC4140.manage.idempotent",
  "an action can be repeated",
  {
    ...PATIENT,
    mutant: [
      altersAnswer("has a conflict", { ...ANY_ACTION, status: [404, 200] }, { status: 409 }),
      altersAnswer("breaks", ANY_ACTION, { status: 500 }),
      SENDS_MORE,
    ],
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const [sent, fired] = [world.name("sent"), world.name("fired")];
    const dueMs = 5_000;
    const from = performance.now();
    const cancelledId = await delayed.scheduled(alice, roomId, message("cancelled", dueMs));
    const cancelled = await delayed.act(alice, cancelledId, "cancel");
    const sentId = await delayed.scheduled(alice, roomId, message(sent, dueMs));
    const asked = await delayed.act(alice, sentId, "send");
    expectInTime(from, dueMs, "a cancel and a send");
    for (const response of [cancelled, asked]) ok(response);
    await untilSent(alice, roomId, sent);
    const firedId = await delayed.scheduled(alice, roomId, message(fired, 300));
    await untilSent(alice, roomId, fired);

    const cancel = await delayed.act(alice, cancelledId, "cancel");
    const send = await delayed.act(alice, sentId, "send");
    const late = await delayed.act(alice, firedId, "send");

    expectRepeatable(world, cancel, "a second cancel");
    expectRepeatable(world, send, "a second send");
    expectRepeatable(world, late, "a send after the event went by itself");
    await expectMarksOnceOvertaken(world, here, dueMs, [sent, fired]);
  },
);

check(
  "MSC4140.manage.conflict",
  "the server refuses what can not be done any more",
  {
    ...PATIENT,
    mutant: [
      altersAnswer(
        "claims to do it",
        { ...ANY_ACTION, status: [404, 409] },
        { status: 200, body: {} },
      ),
      altersAnswer(
        "calls it a bad request",
        { ...ANY_ACTION, status: [404, 409] },
        { status: 400 },
      ),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const mark = world.name("sent");
    const cancelled = await delayed.scheduled(alice, roomId, message("cancelled", FAR_MS));
    ok(await delayed.act(alice, cancelled, "cancel"));
    const sent = await delayed.scheduled(alice, roomId, message(mark, FAR_MS));
    ok(await delayed.act(alice, sent, "send"));
    await untilSent(alice, roomId, mark);

    const cases = [
      [cancelled, "send"],
      [cancelled, "restart"],
      [sent, "cancel"],
      [sent, "restart"],
    ] as const;
    for (const [id, action] of cases) {
      const response = await delayed.act(alice, id, action);

      expectMatrixError(response, [404, 409]);
      if (response.status === 409) continue;
      expectMatrixError(response, 404, "M_NOT_FOUND");
      const outcome = id === sent ? "it was sent" : "it was cancelled";
      world.note(`${action} after ${outcome} gets 404: nothing is kept of what is final`);
    }
    expectEqual(await marksIn(alice, roomId), [mark], "the delayed events that were sent");
  },
);

check(
  "MSC4140.manage.no-side-effect",
  "an action that comes too late leaves other events alone",
  {
    ...PATIENT,
    mutant: altersAnswer("stops the other timers", SYNC, { replace: [["other-", "lost-"]] }),
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const [sent, other] = [world.name("sent"), world.name("other")];
    const sentId = await delayed.scheduled(alice, roomId, message(sent, FAR_MS));
    const cancelledId = await delayed.scheduled(alice, roomId, message("cancelled", FAR_MS));
    const dueMs = 5_000;
    const from = performance.now();
    await delayed.scheduled(alice, roomId, message(other, dueMs));
    ok(await delayed.act(alice, sentId, "send"));
    ok(await delayed.act(alice, cancelledId, "cancel"));

    await delayed.act(alice, sentId, "send");
    await delayed.act(alice, sentId, "cancel");
    await delayed.act(alice, cancelledId, "cancel");
    await delayed.act(alice, cancelledId, "send");

    expectInTime(from, dueMs, "six actions");
    await untilSent(alice, roomId, other);
  },
);
