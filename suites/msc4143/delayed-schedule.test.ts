/** Scheduling: MSC4140 §Scheduling a delayed event, by whichever form the server serves. */
import { DelayedEvents, OLDER, STABLE, UNSTABLE } from "#harness/clients/rtc/delayed-events";
import { Unsupported } from "#harness/errors";
import { at, textAt } from "#harness/match/json";
import { appservice, newGhost } from "#harness/world/appservice";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  delayedEvents,
  FAR_MS,
  flagsOf,
  marksIn,
  message,
  PATIENT,
  scene,
  sentIn,
  serverTime,
  state,
  TYPE,
  untilSent,
} from "./delayed.ts";
import {
  altersScheduled,
  altersScheduling,
  claimsScheduling,
  MESSAGES,
  SENDS_MORE,
} from "./delayed-mutants.ts";

const IDS_EACH = 50;
const OPAQUE = /^[0-9A-Za-z._~-]{1,255}$/;

check(
  "MSC4140.schedule.endpoint",
  "the server schedules by the endpoint for delayed events",
  {
    mutant: [
      claimsScheduling("does not know the path", 404, { errcode: "M_UNRECOGNIZED", error: "" }),
      altersScheduled("names an event", { set: { "/event_id": "$early" } }),
      altersScheduled("gives no delay id", { remove: ["/delay_id"] }),
      SENDS_MORE,
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const isStable = (await flagsOf(alice)).has("org.matrix.msc4140.stable");
    const delayed = new DelayedEvents(isStable ? STABLE : UNSTABLE);

    const response = await delayed.schedule(alice, roomId, message("due", FAR_MS));

    const body = ok(response);
    textAt(body, "delay_id");
    expectEqual(body.event_id, undefined, "event_id", response);
    expectEqual(await marksIn(alice, roomId), [], "the delayed events that were sent");
  },
);

check(
  "MSC4140.schedule.delay-id-grammar",
  "the server gives each delayed event an opaque id of its own",
  {
    mutant: [
      altersScheduled("gives ids with spaces", { set: { "/delay_id": "not opaque" } }),
      altersScheduled("gives one id twice", { set: { "/delay_id": "same" } }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    await bob.join(roomId);

    const ids: string[] = [];
    for (let count = 0; count < IDS_EACH; count++) {
      const both = [alice, bob].map((each) =>
        delayed.scheduled(each, roomId, message(`${count}`, FAR_MS)),
      );
      ids.push(...(await Promise.all(both)));
    }

    for (const id of ids) expectThat(OPAQUE.test(id), `an id that fits ${OPAQUE.source}`, id);
    expectEqual(new Set(ids).size, ids.length, "how many of the ids differ");
  },
);

check(
  "MSC4140.schedule.legacy-query",
  "the server takes the delay as a query parameter, and sends nothing yet",
  {
    mutant: [
      altersScheduled("gives no delay id", { body: {} }),
      {
        name: "sends at once",
        rules: [
          {
            match: { method: "PUT", path: "/_matrix/client/v3/rooms/*/*/org.example.delayed/*" },
            phase: "before",
            action: {
              kind: "rewrite",
              head: [["org.matrix.msc4140.delay", "org.example.unknown"]],
            },
          },
          {
            match: { method: "PUT", path: "/_matrix/client/v3/rooms/*/*/org.example.delayed/*" },
            phase: "processed",
            action: { kind: "rewrite", body: { delay_id: "claimed" } },
          },
        ],
      },
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const older = new DelayedEvents(OLDER);

    for (const event of [message("message", FAR_MS), state("state", FAR_MS)]) {
      const response = await older.schedule(alice, roomId, event);

      if (response.status !== 200 || at(response.json, "event_id") !== undefined)
        throw new Unsupported("the older form", `${response.status} to a delay in the query`);
      textAt(response.json, "delay_id");
    }
    expectEqual(await marksIn(alice, roomId), [], "the delayed events that were sent");
    expectEqual(await alice.state(roomId, TYPE, "key"), undefined, "the state");
  },
);

check(
  "MSC4140.schedule.state-key",
  "the server sends state where a state key is given, also an empty one, and else a message",
  {
    ...PATIENT,
    mutant: [
      altersScheduling("takes an empty key for none", {
        head: [["/state/org.example.delayed/?", "/send/org.example.delayed/empty?"]],
        replace: [['"state_key":"",', ""]],
      }),
      altersScheduling("mixes keys up", {
        head: [["/state/org.example.delayed/x?", "/state/org.example.delayed/y?"]],
        replace: [['"state_key":"x"', '"state_key":"y"']],
      }),
      altersAnswer("makes state of messages", MESSAGES, { set: { "/chunk/*/state_key": "" } }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const marks = ["empty", "x", "none"].map((name) => world.name(name));
    const [empty = "", x = "", none = ""] = marks;

    await delayed.scheduled(alice, roomId, state(empty, 300, ""));
    await delayed.scheduled(alice, roomId, state(x, 300, "x"));
    await delayed.scheduled(alice, roomId, message(none, 300));

    for (const mark of marks) await untilSent(alice, roomId, mark);
    expectEqual(await alice.state(roomId, TYPE, ""), { mark: empty }, "state of the empty key");
    expectEqual(await alice.state(roomId, TYPE, "x"), { mark: x }, "state of the key x");
    const sent = await sentIn(alice, roomId);
    const key = sent.find(({ content }) => content.mark === none)?.state_key;
    expectEqual(key, undefined, "the state key of the message");
  },
);

const PAST = 1_600_000_000_000;

check(
  "MSC4140.schedule.appservice-ts",
  "an application service can set the time of a delayed event, and nobody else",
  {
    ...PATIENT,
    mutant: [
      altersScheduling("ignores the time", { head: [["ts=1600000000000", "tz=1600000000000"]] }),
      altersAnswer(
        "takes the time for that of scheduling",
        { method: "GET", path: "/_matrix/client/**/delayed_events/*" },
        { set: { "/delayed_since_ts": PAST } },
      ),
      altersAnswer("lets everybody set it", MESSAGES, {
        set: { "/chunk/*/origin_server_ts": PAST },
      }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const service = appservice(world);
    const ghost = await newGhost(world);
    const acting = { user_id: ghost.userId };
    ok(await service.post(`/_matrix/client/v3/join/${encodeURIComponent(roomId)}`, {}, acting));
    const [massaged, plain] = [world.name("massaged"), world.name("plain")];
    const before = await serverTime(alice, roomId);

    const query = { ...acting, ts: PAST };
    const id = await delayed.scheduled(service, roomId, { ...message(massaged, 4_000), query });
    await delayed.scheduled(alice, roomId, { ...message(plain, 300), query: { ts: PAST } });

    const lookUp = await service.get(`${delayed.form.events}/${id}`, acting);
    if (lookUp.status === 200) {
      const since = at(lookUp.json, "delayed_since_ts");
      const isNow = typeof since === "number" && since >= before;
      expectThat(isNow, `delayed_since_ts of ${before} or later`, since, lookUp);
    } else world.note(`a look-up is answered with ${lookUp.status}`);
    const event = await untilSent(alice, roomId, massaged);
    expectEqual(event.origin_server_ts, PAST, "origin_server_ts of the service's event");
    await untilSent(alice, roomId, plain);
    const other = (await sentIn(alice, roomId)).find(({ content }) => content.mark === plain);
    const ts = other?.origin_server_ts ?? 0;
    expectThat(ts >= before, `origin_server_ts of alice's event of ${before} or later`, ts);
  },
);

check(
  "MSC4140.schedule.txn-idempotent",
  "the server schedules once what is asked twice with one transaction id",
  {
    ...PATIENT,
    mutant: [
      altersScheduling("schedules twice", { head: [["txn-once", "txn-twice"]] }, 1),
      SENDS_MORE,
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const mark = world.name("once");
    const event = { ...message(mark, 500), transaction: world.name("txn-once") };

    const first = await delayed.scheduled(alice, roomId, event);
    const second = await delayed.scheduled(alice, roomId, event);

    expectEqual(second, first, "the delay id of the repetition");
    await untilSent(alice, roomId, mark);
    const witness = world.name("witness");
    await delayed.scheduled(alice, roomId, message(witness, 300));
    await untilSent(alice, roomId, witness);
    expectEqual(await marksIn(alice, roomId), [mark, witness], "the delayed events");
  },
);

check(
  "MSC4140.schedule.not-in-room",
  "the server sends nothing into rooms that the user is not in, and does not break",
  {
    ...PATIENT,
    mutant: [altersScheduled("breaks", { status: 500 }), SENDS_MORE],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    const unknown = `!${world.name("unknown")}:${world.server().serverName}`;

    const nowhere = await delayed.schedule(bob, unknown, message("nowhere", 300));
    const outside = await delayed.schedule(bob, roomId, message("outside", 300));

    expectThat(
      [200, 403, 404].includes(nowhere.status),
      "200, 403 or 404 for an unknown room",
      nowhere.status,
      nowhere,
    );
    expectThat(
      [200, 403].includes(outside.status),
      "200 or 403 for a room of others",
      outside.status,
      outside,
    );
    for (const refusal of [nowhere, outside])
      if (refusal.status !== 200) expectMatrixError(refusal, refusal.status);
    world.note(`an unknown room gets ${nowhere.status}, one of others ${outside.status}`);
    const other = await bob.createRoom();
    const witness = world.name("witness");
    await delayed.scheduled(bob, other, message(witness, 600));
    await untilSent(bob, other, witness);
    expectEqual(await marksIn(alice, roomId), [], "the delayed events that were sent");
  },
);

check(
  "MSC4140.schedule.auth",
  "the server schedules nothing without a token",
  {
    mutant: [
      altersScheduled("lets everybody schedule", { status: 200, body: { delay_id: "x" } }, 401),
      altersScheduled("calls it another error", { set: { "/errcode": "M_FORBIDDEN" } }, 401),
    ],
  },
  async (world) => {
    const { delayed, roomId } = await scene(world);

    const response = await delayed.schedule(world.anonymous(), roomId, message("no", FAR_MS));

    expectMatrixError(response, 401, "M_MISSING_TOKEN");
  },
);

check(
  "MSC4140.schedule.auth",
  "a guest schedules, looks up and cancels",
  {
    mutant: [
      claimsScheduling("lets no guest schedule", 403, { errcode: "M_FORBIDDEN", error: "" }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const delayed = delayedEvents(world);
    const guestAccess = { guest_access: "can_join" };
    const roomId = await alice.createRoom({
      preset: "public_chat",
      initial_state: [{ type: "m.room.guest_access", state_key: "", content: guestAccess }],
    });
    const registered = await world
      .anonymous()
      .post("/_matrix/client/v3/register", {}, { kind: "guest" });
    if (registered.status !== 200)
      throw new Unsupported("guests", `the registration of one gets ${registered.status}`);
    const account = { userId: textAt(registered.json, "user_id"), localpart: "", password: "" };
    const accessToken = textAt(registered.json, "access_token");
    const guest = world.session("hs1", account, { accessToken, deviceId: "" });
    await guest.join(roomId);

    const id = await delayed.scheduled(guest, roomId, message("guest", FAR_MS));
    const lookUp = await delayed.lookUp(guest, id);
    const cancel = await delayed.act(guest, id, "cancel");

    ok(cancel);
    ok(lookUp);
  },
);
