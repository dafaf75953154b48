/** What becomes of a delayed event whose time has come: MSC4140 §Additional homeserver behaviour. */
import { path } from "#harness/http/client";
import { at, eventsAt, isObject, type MatrixEvent } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { share } from "#harness/world/sharing";
import type { World } from "#harness/world/world";
import {
  delayedEvents,
  dueTime,
  expectInTime,
  expectMarksOnceOvertaken,
  message,
  PATIENT,
  scene,
  sentIn,
  state,
  TYPE,
  untilSent,
} from "./delayed.ts";
import { altersScheduling, MESSAGES, SYNC, takesDelayFor } from "./delayed-mutants.ts";

const DELAYS_MS = [400, 1_500, 6_000];
/** Later is a failure, whatever the load. */
const AT_MOST_MS = 120_000;
const STATE_OF_KEYS = { method: "GET", path: `/_matrix/client/v3/rooms/*/state/${TYPE}/*` };

check(
  "MSC4140.fire.not-early",
  "the server sends each event after its delay, and not before",
  {
    deadlineMs: 150_000,
    mutant: [
      takesDelayFor("sends early", 6_000, 1_000),
      altersAnswer("gives the time of scheduling", SYNC, {
        replace: [['"origin_server_ts":1', '"origin_server_ts":0.1']],
      }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);

    const scheduled = [];
    for (const delayMs of DELAYS_MS) {
      const mark = world.name(`after-${delayMs}`);
      // Its time is that of the server, and before the server can begin to wait.
      const clockId = await alice.send(roomId, {}, "org.example.clock");
      await delayed.scheduled(alice, roomId, message(mark, delayMs));
      scheduled.push({ mark, delayMs, clockId });
    }

    const lateness = scheduled.map(async ({ mark, delayMs, clockId }) => {
      const event = await untilSent(alice, roomId, mark, delayMs + AT_MOST_MS);
      const tookMs = event.origin_server_ts - (await alice.event(roomId, clockId)).origin_server_ts;
      expectThat(
        tookMs >= delayMs,
        `an event ${delayMs} ms after it was scheduled`,
        `${tookMs} ms`,
      );
      return tookMs - delayMs;
    });

    const late = await Promise.all(lateness);
    world.note(`sent ${late.join(", ")} ms after their times, or less`);
    if (Math.max(...late) > 30_000) world.note("that is more than the 30 s that batches may take");
  },
);

const UNSIGNED = ["delay_id", "org.matrix.msc4140.delay_id"];

/** The delay ids in `unsigned` of the marked event, in each way in which somebody reads it. */
async function delayIdsSeen(session: Session, roomId: string, mark: string): Promise<unknown[]> {
  const synced = await untilSent(session, roomId, mark);
  const listed = (await sentIn(session, roomId)).find(({ content }) => content.mark === mark);
  const fetched = await session.event(roomId, synced.event_id);
  return [synced, listed, fetched].map((event: MatrixEvent | undefined) =>
    UNSIGNED.map((key) => at(event, "unsigned", key)).find((id) => id !== undefined),
  );
}

check(
  "MSC4140.fire.unsigned-delay-id",
  "the sender alone of a room's users sees the delay id",
  {
    ...PATIENT,
    mutant: [
      altersAnswer("tells it to all who sync", SYNC, {
        set: { "/rooms/join/*/timeline/events/*/unsigned/delay_id": "told" },
      }),
      altersAnswer("tells it to all who look back", MESSAGES, {
        set: { "/chunk/*/unsigned": { delay_id: "told" } },
      }),
      altersAnswer("tells nobody", MESSAGES, { remove: ["/chunk/*/unsigned"] }),
      altersAnswer(
        "does not tell who fetches it",
        { method: "GET", path: "/_matrix/client/v3/rooms/*/event/*" },
        { remove: ["/unsigned"] },
      ),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    await bob.join(roomId);
    const mark = world.name("leave");

    const id = await delayed.scheduled(alice, roomId, message(mark, 300));

    expectEqual(await delayIdsSeen(alice, roomId, mark), [id, id, id], "the ids that alice sees");
    const seen = await delayIdsSeen(bob, roomId, mark);
    expectEqual(seen, [undefined, undefined, undefined], "the ids that bob sees");
  },
);

check(
  "MSC4140.fire.unsigned-delay-id",
  "a user of another server does not see the delay id",
  {
    ...PATIENT,
    mutant: altersAnswer("tells it to all who look back", MESSAGES, {
      set: { "/chunk/*/unsigned": { delay_id: "told" } },
    }),
  },
  async (world) => {
    world.needs("federation");
    const { alice, bob, roomId } = await share(world);
    const delayed = delayedEvents(world);
    const mark = world.name("leave");

    await delayed.scheduled(alice, roomId, message(mark, 300));

    await untilSent(alice, roomId, mark);
    const seen = await delayIdsSeen(bob, roomId, mark);
    expectEqual(seen, [undefined, undefined, undefined], "the ids that bob sees");
  },
);

check(
  "MSC4140.fire.auth-at-send",
  "the server sends nothing of a user who may not send any more",
  {
    ...PATIENT,
    mutant: [
      claims("kicks nobody", { method: "POST", path: "/_matrix/client/v3/rooms/*/kick" }, {}),
      claims(
        "takes no power",
        { method: "PUT", path: "/_matrix/client/v3/rooms/*/state/m.room.power_levels/" },
        { event_id: "$claimed" },
      ),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const [bob, carol] = await world.users("bob", "carol");
    await Promise.all([bob.join(roomId), carol.join(roomId)]);
    // Theirs are due long after they have lost the power to send.
    const dueMs = 6_000;
    const from = performance.now();
    const ofBob = { ...message("of bob, who was kicked", dueMs), type: "org.example.kicked" };
    await delayed.scheduled(bob, roomId, ofBob);
    await delayed.scheduled(carol, roomId, message("of carol, who lost power", dueMs));
    const levels = (await alice.state(roomId, "m.room.power_levels")) ?? {};

    await alice.kick(roomId, bob);
    await alice.setState(roomId, "m.room.power_levels", { ...levels, events: { [TYPE]: 100 } });

    expectInTime(from, dueMs, "taking their power");
    await expectMarksOnceOvertaken(world, { delayed, alice, roomId }, dueMs, []);
  },
);

check(
  "MSC4140.fire.auth-at-send",
  "the server sends the event of a user who has come to be allowed to send it",
  {
    ...PATIENT,
    mutant: altersAnswer(
      "refuses to schedule what is not allowed yet",
      { method: "PUT", path: "/_matrix/client/**", contains: "came to power" },
      { status: 403, body: { errcode: "M_FORBIDDEN", error: "" } },
    ),
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    await bob.join(roomId);
    const mark = world.name("came to power");
    const levels = (await alice.state(roomId, "m.room.power_levels")) ?? {};

    const dueMs = 5_000;
    const from = performance.now();
    await delayed.scheduled(bob, roomId, state(mark, dueMs));
    await alice.setState(roomId, "m.room.power_levels", { ...levels, events: { [TYPE]: 0 } });

    expectInTime(from, dueMs, "giving power");
    await untilSent(alice, roomId, mark);
    expectEqual(await alice.state(roomId, TYPE, "key"), { mark }, "the state");
  },
);

check(
  "MSC4140.fire.other-device",
  "the server sends the event of a device that has logged out",
  {
    ...PATIENT,
    mutant: altersAnswer("sends nothing of it", SYNC, {
      replace: [["leave-", "lost-"]],
    }),
  },
  async (world) => {
    world.needs("legacy-auth");
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    await bob.join(roomId);
    const mark = world.name("leave");

    const dueMs = 4_000;
    const from = performance.now();
    await delayed.scheduled(bob, roomId, message(mark, dueMs));
    ok(await bob.post("/_matrix/client/v3/logout"));

    expectInTime(from, dueMs, "a logout");
    await untilSent(alice, roomId, mark);
  },
);

const PAIRS = 20;
/** For looking all of them up before they are due. */
const LOOK_UPS_MS = 3_000;
/** Messages that are due at the same moment, so that the server is busy at it. */
const OTHERS = 40;

check(
  "MSC4140.fire.order",
  "the server sends the events of one user in the order of their times",
  {
    ...PATIENT,
    mutant: altersAnswer(
      "keeps the older of two",
      { method: "GET", path: "/_matrix/client/v3/rooms/*/state" },
      { replace: [["newer", "older"]] },
    ),
  },
  async (world) => {
    const here = await scene(world);
    const { delayed, alice, roomId } = here;
    const from = performance.now();
    const dueMs = 14_000;
    const delayMs = () => Math.max(1, Math.round(from + dueMs - performance.now()));
    const schedule = (mark: string, key: string) =>
      delayed.scheduled(alice, roomId, state(mark, delayMs(), key));
    for (let index = 0; index < OTHERS; index++)
      await delayed.scheduled(alice, roomId, message(`other ${index}`, delayMs()));
    // Each pair is due at nearly one moment. Which of the two is the later one depends on when the server got them.
    const pairs = [];
    for (let index = 0; index < PAIRS; index++) {
      const key = `key-${index}`;
      const marks = [`older of ${key}`, `newer of ${key}`] as const;
      const [older, newer] = await Promise.all([schedule(marks[0], key), schedule(marks[1], key)]);
      pairs.push({ key, marks, older, newer });
    }
    expectInTime(from, dueMs - LOOK_UPS_MS, "scheduling");
    const wanted = await Promise.all(
      pairs.map(async ({ key, marks, older, newer }) => {
        const [first, second] = await Promise.all([dueTime(here, older), dueTime(here, newer)]);
        const later = first < second ? [marks[1]] : [marks[0]];
        return { key, marks: first === second ? marks : later };
      }),
    );
    expectInTime(from, dueMs, "looking up what is scheduled");
    const last = world.name("last");
    await delayed.scheduled(alice, roomId, message(last, delayMs() + 2_000));

    await untilSent(alice, roomId, last);

    await world.eventually(async () => {
      const { json } = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
      const marks = new Map(
        eventsAt({ state: json }, "state").map((event) => [event.state_key, event.content.mark]),
      );
      const states = wanted.map(({ key }) => marks.get(key));
      const expected = wanted.map(({ marks }, index) =>
        marks.some((mark) => mark === states[index]) ? states[index] : marks[0],
      );
      expectEqual(states, expected, "the state of all keys");
    });
  },
);

const STICKY_MS = 60_000;
const STICKY_DELAY_MS = 4_000;

check(
  "MSC4140.fire.sticky",
  "a delayed event is sticky from the moment when it is sent",
  {
    ...PATIENT,
    mutant: [
      altersScheduling("forgets that it is sticky", { head: [["sticky_duration_ms", "unknown"]] }),
      altersAnswer("counts from scheduling", SYNC, {
        replace: [['"duration_ms":60000', '"duration_ms":56000']],
      }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const mark = world.name("leave");
    const event = { ...message(mark, STICKY_DELAY_MS), stickyMs: STICKY_MS };

    await delayed.scheduled(alice, roomId, event);

    const sent = await untilSent(alice, roomId, mark);
    const sticky = sent.sticky ?? sent.msc4354_sticky;
    expectEqual(sticky, { duration_ms: STICKY_MS }, "the sticky object");
    expectRemaining(world, sent);
  },
);

/** What is left of the stickiness of an event that has just been sent. */
function expectRemaining(world: World, sent: MatrixEvent): void {
  const unsigned = isObject(sent.unsigned) ? sent.unsigned : {};
  const left = unsigned.sticky_duration_remaining_ms ?? unsigned.msc4354_sticky_duration_ttl_ms;
  if (left === undefined) {
    world.note("the event does not tell how long it stays sticky");
    return;
  }
  const agoMs = typeof unsigned.age === "number" ? unsigned.age : 0;
  const least = STICKY_MS - agoMs - STICKY_DELAY_MS / 2;
  const isFull = typeof left === "number" && left >= least && left <= STICKY_MS;
  expectThat(isFull, `a remaining stickiness of ${least} ms at least`, left);
}

check(
  "MSC4140.fire.federates",
  "a delayed event comes to the users of another server",
  {
    ...PATIENT,
    mutant: [
      altersAnswer("keeps it to itself", SYNC, { replace: [["leave-", "lost-"]] }),
      altersAnswer("tells the other server something else", STATE_OF_KEYS, {
        set: { "/mark": "other" },
      }),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await share(world);
    const delayed = delayedEvents(world);
    const mark = world.name("leave");

    await delayed.scheduled(alice, roomId, state(mark, 300));

    const event = await untilSent(bob, roomId, mark);
    expectEqual(event.sender, alice.userId, "the sender");
    const target = path`/_matrix/client/v3/rooms/${roomId}/state/${TYPE}/key`;
    await world.eventually(async () => {
      const response = await bob.get(target);
      expectEqual(ok(response), { mark }, "the state on the other server", response);
    });
  },
);
