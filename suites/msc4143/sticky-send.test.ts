/** Sending of sticky events by clients (MSC4354 §Proposal). */
import { STICKY, STICKY_DURATION, STICKY_REMAINING } from "#harness/clients/rtc/names";
import { remainingOf } from "#harness/clients/rtc/sticky-map";
import { type HttpResponse, path } from "#harness/http/client";
import { at, type MatrixEvent, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { HOUR_MS, LONG_MS, stick, TYPE, trySticking } from "./sticky.ts";

const SEND = "/_matrix/client/v3/rooms/*/send/**";
const EVENT = "/_matrix/client/v3/rooms/*/event/*";
const VERSIONS = "/_matrix/client/versions";
/** Those between which the format or the redaction of events differs. */
const VERSIONS_OF_ROOMS = ["1", "3", "6", "8", "9", "11", "12"];
const FLAG = "org.matrix.msc4354";

/** The event that an accepted request has made. */
async function eventOf(
  session: Session,
  roomId: string,
  response: HttpResponse,
): Promise<MatrixEvent> {
  return session.event(roomId, textAt(ok(response), "event_id"));
}

check(
  "MSC4354.versions.flag",
  "the server that has sticky events says so",
  {
    mutant: altersAnswer(
      "does not list the flag",
      { path: VERSIONS },
      { set: { [`/unstable_features/${FLAG}`]: false } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const event = await alice.event(roomId, await stick(alice, roomId));
    const isSticky = at(event, STICKY) !== undefined;

    const response = await world.anonymous().get(VERSIONS);

    const flag = at(ok(response), "unstable_features", FLAG);
    if (!isSticky && flag !== true) world.needs("sticky-events");
    expectEqual(flag, true, FLAG, response);
  },
);

check(
  "MSC4354.send.echo",
  "the server makes an event sticky, whatever its type, as long as the client asks for",
  {
    mutant: [
      altersRequest(
        "drops the parameter",
        { path: SEND },
        { head: [[STICKY_DURATION, "dropped"]] },
      ),
      altersAnswer(
        "shows another duration",
        { path: EVENT },
        { set: { [`/${STICKY}/duration_ms`]: 1 } },
      ),
      altersRequest(
        "honours it on some types only",
        { path: `${SEND.slice(0, -3)}/m.room.encrypted/*` },
        { head: [[STICKY_DURATION, "dropped"]] },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const algorithm = { algorithm: "m.megolm.v1.aes-sha2", ciphertext: "x", session_id: "x" };

    for (const [type, content] of [
      [TYPE, {}],
      ["m.room.message", { msgtype: "m.text", body: "sticky" }],
      ["m.room.encrypted", algorithm],
    ] as const) {
      const id = await stick(alice, roomId, { durationMs: 300_000, type, content });
      const event = await alice.event(roomId, id);

      expectEqual(at(event, STICKY, "duration_ms"), 300_000, `duration_ms of ${type}`);
    }
  },
);

check(
  "MSC4354.send.echo",
  "the server makes events sticky in rooms of all versions, and redaction ends it in each",
  {
    mutant: [
      altersRequest(
        "drops the parameter",
        { path: SEND },
        { head: [[STICKY_DURATION, "dropped"]] },
      ),
      altersAnswer(
        "keeps the object when the event is redacted",
        { path: EVENT },
        { set: { [`/${STICKY}`]: { duration_ms: LONG_MS } } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const versions = VERSIONS_OF_ROOMS.filter((version) => world.has(`room-version:${version}`));
    if (versions.length === 0) world.needs(`room-version:${VERSIONS_OF_ROOMS.at(-1)}`);

    for (const version of versions) {
      const roomId = await alice.createRoom({ room_version: version });
      const id = await stick(alice, roomId);
      const event = await alice.event(roomId, id);
      const redact = path`/_matrix/client/v3/rooms/${roomId}/redact/${id}/${world.name("txn")}`;
      ok(await alice.put(redact, {}));
      const redacted = await alice.event(roomId, id);

      const what = `the sticky object in version ${version}`;
      expectEqual(at(event, STICKY), { duration_ms: LONG_MS }, what);
      expectEqual(at(redacted, STICKY), undefined, `${what}, after redaction`);
    }
  },
);

check(
  "MSC4354.send.range",
  "the server lets no event stick for more than an hour",
  {
    mutant: altersAnswer(
      "lets it stick for two",
      { path: EVENT },
      { set: Object.fromEntries(STICKY_REMAINING.map((key) => [`/unsigned/${key}`, 2 * HOUR_MS])) },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();

    for (const durationMs of [HOUR_MS, HOUR_MS + 1, 100 * HOUR_MS]) {
      const response = await trySticking(alice, roomId, { durationMs });
      if (durationMs > HOUR_MS && response.status !== 200) {
        world.note(`${durationMs} ms are refused with ${response.status}`);
        expectMatrixError(response, [400, 403, 413]);
        continue;
      }
      const event = await eventOf(alice, roomId, response);
      const remaining = remainingOf(event);
      if (durationMs > HOUR_MS) world.note(`${durationMs} ms are taken; remaining: ${remaining}`);
      const isInRange = remaining === undefined || Number(remaining) <= HOUR_MS;
      expectThat(isInRange, `at most ${HOUR_MS} ms of ${durationMs}`, remaining);
    }
  },
);

check(
  "MSC4354.send.range",
  "the server takes a duration of 0, and the event does not stick",
  {
    mutant: [
      altersAnswer(
        "lets it stick",
        { path: EVENT },
        { set: { [`/unsigned/${STICKY_REMAINING[1]}`]: 1 } },
      ),
      altersAnswer(
        "refuses it",
        { path: SEND },
        { status: 400, body: { errcode: "M_INVALID_PARAM" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();

    const response = await trySticking(alice, roomId, { durationMs: 0 });

    expectStatus(response, 200);
    const event = await eventOf(alice, roomId, response);
    expectEqual(remainingOf(event), undefined, "the remaining time");
  },
);

check(
  "MSC4354.send.range",
  "the server refuses a duration that is no whole number from 0 on",
  {
    mutant: altersAnswer(
      "takes anything",
      { path: SEND, status: 400 },
      { status: 200, body: { event_id: "$taken" } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();

    for (const durationMs of ["-1", "1.5", "x"]) {
      const response = await trySticking(alice, roomId, { durationMs });

      const errcode = expectMatrixError(response, 400);
      world.note(`${durationMs} is refused with ${errcode}`);
    }
  },
);

check(
  "MSC4354.send.state-ignored",
  "the server makes no sticky state event for a client",
  {
    mutant: altersAnswer(
      "makes it sticky",
      { path: EVENT },
      { set: { [`/${STICKY}`]: { duration_ms: LONG_MS } } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const target = path`/_matrix/client/v3/rooms/${roomId}/state/${TYPE}/key`;

    const response = await alice.put(target, { value: 1 }, { [STICKY_DURATION]: LONG_MS });

    const event = await eventOf(alice, roomId, response);
    expectEqual(event.content, { value: 1 }, "the content of the state event");
    expectEqual(at(event, STICKY), undefined, "the sticky object");
    expectEqual(remainingOf(event), undefined, "the remaining time");
  },
);

check(
  "MSC4354.redaction",
  "the server lets a redacted event stick no more",
  {
    mutant: [
      altersAnswer(
        "keeps the sticky object",
        { path: EVENT },
        { set: { [`/${STICKY}`]: { duration_ms: LONG_MS } } },
      ),
      altersAnswer(
        "keeps the remaining time",
        { path: EVENT },
        { set: { [`/unsigned/${STICKY_REMAINING[1]}`]: LONG_MS } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const id = await stick(alice, roomId);
    const redact = path`/_matrix/client/v3/rooms/${roomId}/redact/${id}/${world.name("txn")}`;
    ok(await alice.put(redact, {}));

    for (const session of [alice, bob]) {
      await world.eventually(async () => {
        const event = await session.event(roomId, id);

        expectThat(at(event, "unsigned", "redacted_because") !== undefined, "a redaction", event);
        expectEqual(at(event, STICKY), undefined, "the sticky object");
        expectEqual(remainingOf(event), undefined, "the remaining time");
      });
    }
  },
);
