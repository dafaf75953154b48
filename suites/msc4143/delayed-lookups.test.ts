/** Reading delayed events: MSC4140 §Getting delayed events; MSC4486 for the list. */
import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject, listAt, numberAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { FAR_MS, message, PATIENT, scene, serverTime, state, TYPE, untilSent } from "./delayed.ts";
import { LOOK_UP } from "./delayed-mutants.ts";

const LISTS = [
  "/_matrix/client/unstable/org.matrix.msc4486/delayed_events",
  "/_matrix/client/unstable/org.matrix.msc4140/delayed_events",
];
const LIST = { method: "GET", path: "/_matrix/client/unstable/*/delayed_events" };

/** The delayed events that a user has scheduled, by whichever path the server lists them. */
async function listOf(session: Session): Promise<HttpResponse> {
  for (const target of LISTS) {
    const response = await session.get(target);
    if (response.status !== 404) return response;
  }
  throw new Unsupported("a list of delayed events", "none of its paths is known");
}

check(
  "MSC4140.get.list",
  "the server lists a user's delayed events in the order of their times",
  {
    mutant: [
      altersAnswer("lists them the other way round", LIST, { reverse: ["/delayed_events"] }),
      altersAnswer("leaves the room out", LIST, { remove: ["/delayed_events/*/room_id"] }),
      altersAnswer("gives all a state key", LIST, { set: { "/delayed_events/*/state_key": "" } }),
      altersAnswer("lists those of others", LIST, {
        set: {
          "/delayed_events/-": { delay_id: "of another", delay_ms: 1e9, delayed_since_ts: 1e13 },
        },
      }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    await bob.join(roomId);
    await delayed.scheduled(bob, roomId, message("of bob", FAR_MS));
    const last = await delayed.scheduled(alice, roomId, message("last", FAR_MS + 2_000));
    const first = await delayed.scheduled(alice, roomId, state("first", FAR_MS));

    const response = await listOf(alice);

    const listed = listAt(ok(response), "delayed_events");
    const ids = listed.map((entry) => at(entry, "delay_id"));
    expectEqual(ids, [first, last], "the ids in the list", response);
    const [one, two] = listed;
    const common = { room_id: roomId, type: TYPE };
    const content = { mark: "first" };
    expectContains(one, { ...common, state_key: "key", delay_ms: FAR_MS, content }, "the first");
    const other = { ...common, delay_ms: FAR_MS + 2_000, content: { mark: "last" } };
    expectContains(two, other, "the second", response);
    expectEqual(at(two, "state_key"), undefined, "the state key of a message", response);
    for (const entry of listed) numberAt(entry, "delayed_since_ts");
  },
);

check(
  "MSC4140.get.single",
  "the owner reads a delayed event, and nobody else does",
  {
    mutant: [
      altersAnswer("leaves the content out", LOOK_UP, { remove: ["/content"] }),
      altersAnswer("tells no time", LOOK_UP, { remove: ["/delayed_since_ts"] }),
      altersAnswer("calls it final", LOOK_UP, { set: { "/finalised": {} } }),
      altersAnswer("gives all a state key", LOOK_UP, { set: { "/state_key": "key" } }),
      altersAnswer("shows it to others", { ...LOOK_UP, status: 404 }, { status: 200, body: {} }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    await bob.join(roomId);
    const before = await serverTime(alice, roomId);
    const plain = await delayed.scheduled(alice, roomId, message("message", FAR_MS));
    const keyed = await delayed.scheduled(alice, roomId, state("state", FAR_MS));

    const [one, two] = [await delayed.lookUp(alice, plain), await delayed.lookUp(alice, keyed)];
    const ofAnother = await delayed.lookUp(bob, plain);
    const unknown = await delayed.lookUp(alice, world.name("unknown"));

    const common = { room_id: roomId, type: TYPE, delay_ms: FAR_MS };
    const ofMessage = { ...common, delay_id: plain, content: { mark: "message" } };
    expectContains(ok(one), ofMessage, "the delayed message", one);
    expectEqual(at(one.json, "state_key"), undefined, "its state key", one);
    const ofState = { ...common, delay_id: keyed, state_key: "key", content: { mark: "state" } };
    expectContains(ok(two), ofState, "the delayed state", two);
    for (const response of [one, two]) {
      const since = at(response.json, "delayed_since_ts") ?? at(response.json, "scheduled_at");
      const isNow = typeof since === "number" && since >= before;
      expectThat(isNow, `delayed_since_ts of ${before} or later`, since, response);
      expectEqual(at(response.json, "finalised"), undefined, "finalised", response);
    }
    expectMatrixError(ofAnother, 404, "M_NOT_FOUND");
    expectMatrixError(unknown, 404, "M_NOT_FOUND");
  },
);

check(
  "MSC4140.get.auth",
  "a look-up needs a token, and does not tell whether another's delayed event exists",
  {
    mutant: [
      altersAnswer("answers anybody", { ...LOOK_UP, status: 401 }, { status: 200, body: {} }),
      altersAnswer(
        "refuses what is another's with a word of its own",
        { ...LOOK_UP, status: 404 },
        { set: { "/errcode": "M_FORBIDDEN" } },
      ),
      {
        name: "refuses what is another's otherwise",
        rules: [
          {
            match: { ...LOOK_UP, status: 404 },
            phase: "processed",
            action: { kind: "rewrite", status: 403, set: { "/errcode": "M_FORBIDDEN" } },
            times: 1,
          },
        ],
      },
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const mallory = await world.user("mallory");
    await mallory.join(roomId);
    const id = await delayed.scheduled(alice, roomId, message("leave", FAR_MS));

    const anonymous = await delayed.lookUp(world.anonymous(), id);
    const existing = await delayed.lookUp(mallory, id);
    const invented = await delayed.lookUp(mallory, world.name("invented"));

    expectMatrixError(anonymous, 401, "M_MISSING_TOKEN");
    expectMatrixError(existing, 404, "M_NOT_FOUND");
    const summary = ({ status, json }: HttpResponse) => [status, at(json, "errcode")];
    expectEqual(summary(existing), summary(invented), "the answer for another's", existing);
  },
);

/** What became of it, where the server keeps that. */
function finalisedIn(world: World, response: HttpResponse, what: string): unknown {
  if (response.status === 404) {
    expectMatrixError(response, 404, "M_NOT_FOUND");
    world.note(`a look-up of an event ${what} gets 404: nothing is kept of what is final`);
    return undefined;
  }
  const body = ok(response);
  // A draft had the same fields beside the others.
  const found = isObject(body.finalised) ? body.finalised : body;
  numberAt(found, "finalised_ts");
  const hasBoth = found.event_id !== undefined && found.error !== undefined;
  expectThat(!hasBoth, "event_id or error, and not both", found, response);
  return found;
}

check(
  "MSC4140.get.finalised",
  "the owner reads what became of a delayed event",
  {
    ...PATIENT,
    mutant: [
      altersAnswer(
        "has sent it and failed",
        { ...LOOK_UP, status: [200, 404] },
        {
          status: 200,
          body: { finalised: { finalised_ts: 1, event_id: "$x", error: { errcode: "M_X" } } },
        },
      ),
      altersAnswer(
        "takes it for scheduled",
        { ...LOOK_UP, status: [200, 404] },
        { status: 200, body: { delay_id: "x" } },
      ),
      altersAnswer(
        "names another event",
        { ...LOOK_UP, status: [200, 404] },
        { status: 200, body: { finalised: { finalised_ts: 1, event_id: "$other" } } },
      ),
      altersAnswer("breaks", LOOK_UP, { status: 500 }),
    ],
  },
  async (world) => {
    const { delayed, alice, roomId } = await scene(world);
    const bob = await world.user("bob");
    const witness = world.name("sent");
    const sentId = await delayed.scheduled(alice, roomId, message(witness, 300));
    // Bob is not in the room.
    const refused = await delayed.schedule(bob, roomId, message("refused", 300));
    const cancelledId = await delayed.scheduled(alice, roomId, message("cancelled", FAR_MS));
    ok(await delayed.act(alice, cancelledId, "cancel"));
    const sent = await untilSent(alice, roomId, witness);

    const afterSent = finalisedIn(world, await delayed.lookUp(alice, sentId), "that was sent");
    const afterCancel = finalisedIn(
      world,
      await delayed.lookUp(alice, cancelledId),
      "that was cancelled",
    );

    if (afterSent !== undefined) expectEqual(at(afterSent, "event_id"), sent.event_id, "event_id");
    if (afterCancel !== undefined) {
      expectEqual(at(afterCancel, "event_id"), undefined, "event_id of a cancelled event");
      expectEqual(at(afterCancel, "error"), undefined, "error of a cancelled event");
    }
    if (refused.status !== 200) return;
    const failed = await world.eventually(async () => {
      const response = await delayed.lookUp(bob, String(at(refused.json, "delay_id")));
      const isScheduled = response.status === 200 && at(response.json, "finalised") === undefined;
      expectThat(!isScheduled, "an event that is final", response.json, response);
      return response;
    });
    const afterFailure = finalisedIn(world, failed, "that failed");
    if (afterFailure !== undefined) {
      const code = at(afterFailure, "error", "errcode");
      expectThat(typeof code === "string", "error with an errcode", code, failed);
    }
  },
);
