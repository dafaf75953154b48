import { path } from "#harness/http/client";
import { expectUnknown, type Meeting, meet, message } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectStatus, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { canonicalJson } from "#protocol/events/canonical-json";
import type { JsonValue } from "#protocol/events/event";
import { hides, shows } from "./mutants.ts";
import { listed, offer } from "./rejection.ts";

const MAX_EVENT_BYTES = 65_536;
const SEND = "/_matrix/client/v3/rooms/*/send/**";
const STATE = "/_matrix/client/v3/rooms/*/state/**";
const TYPE = "org.matrix-crucible.note";
const CLIENT_ERRORS = Array.from({ length: 100 }, (_, index) => 400 + index);
const TAKES = {
  kind: "rewrite" as const,
  status: 200,
  body: { event_id: `$${"A".repeat(43)}` },
};

/** A message of so many bytes as canonical JSON, signatures and all. */
function messageOf({ room, mallory }: Meeting, bytes: number): Pdu {
  const build = (length: number) => room.build(message(mallory, "x".repeat(length)));
  const rest = canonicalJson(build(0).json, { strict: true }).length;
  return build(bytes - rest);
}

check(
  "FED.sig.pdu-size",
  "the server refuses to send an event of more than 65536 bytes",
  {
    mutant: {
      name: "sends a large event",
      rules: [{ match: { path: SEND, status: CLIENT_ERRORS }, phase: "processed", action: TAKES }],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();

    const response = await alice.put(
      path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`,
      { msgtype: "m.text", body: "x".repeat(70_000) },
    );

    expectMatrixError(response, CLIENT_ERRORS);
  },
);

check(
  "FED.sig.pdu-size",
  "the server drops a PDU of more than 65536 bytes, and takes another of the same transaction",
  { mutant: [shows("stores the large event"), hides("drops both")] },
  async (world) => {
    for (const version of listed(world, "5", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room } = meeting;
      const large = messageOf(meeting, MAX_EVENT_BYTES + 1);
      // Servers may count what they add to unsigned.
      const { pdu: beside } = room.add(messageOf(meeting, MAX_EVENT_BYTES - 512));

      await peer.transmit(room, large, beside);
      await peer.fence(room, alice);

      await expectUnknown(alice, room, large.id);
      await alice.event(room.roomId, beside.id);
    }
  },
);

check(
  "FED.sig.key-size",
  "the server refuses to set state whose type or state key has more than 255 bytes",
  {
    mutant: {
      name: "sets the state",
      rules: [{ match: { path: STATE, status: CLIENT_ERRORS }, phase: "processed", action: TAKES }],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const [longest, tooLong] = ["x".repeat(255), "x".repeat(256)];
    const put = (type: string, stateKey: string) =>
      alice.put(path`/_matrix/client/v3/rooms/${roomId}/state/${type}/${stateKey}`, { ok: true });

    const right = [await put(longest, ""), await put(TYPE, longest)];
    const wrong = [await put(tooLong, ""), await put(TYPE, tooLong)];

    for (const response of right) expectStatus(response, 200);
    for (const response of wrong) expectMatrixError(response, CLIENT_ERRORS);
  },
);

check(
  "FED.sig.key-size",
  "the server drops PDUs whose type or state key has more than 255 bytes",
  {
    mutant: altersAnswer(
      "stores the event",
      { path: "/_matrix/client/v3/rooms/*/state" },
      { replace: [[`"state_key":"${"x".repeat(255)}"`, `"state_key":"${"x".repeat(256)}"`]] },
    ),
  },
  async (world) => {
    for (const version of listed(world, "5", "12")) {
      const creation = { power_level_content_override: { state_default: 0 } };
      const meeting = await meet(world, { version, creation });
      const { alice, room, mallory } = meeting;
      const build = (type: string, stateKey: string) =>
        room.build({ type, stateKey, sender: mallory, content: { ok: true } });
      const [longest, tooLong] = ["x".repeat(255), "x".repeat(256)];
      const right = [build(longest, ""), build(TYPE, longest)];
      for (const pdu of right) room.add(pdu);
      const wrong = [build(tooLong, ""), build(TYPE, tooLong)];

      await offer(meeting, ...right, ...wrong);

      const response = await alice.get(path`/_matrix/client/v3/rooms/${room.roomId}/state`);
      const slots = slotsOf(response.json);
      for (const pdu of right) {
        expectThat(slots.includes(slotOf(pdu.json)), `${slotOf(pdu.json)} in the state`, slots);
      }
      for (const pdu of wrong) {
        expectThat(!slots.includes(slotOf(pdu.json)), `no ${slotOf(pdu.json)} in the state`, slots);
      }
    }
  },
);

check(
  "FED.sig.canonical-json",
  "the server refuses to set state with a fraction, or with a number beyond 2^53 - 1",
  {
    mutant: {
      name: "stores the number",
      rules: [{ match: { path: STATE, status: 400 }, phase: "processed", action: TAKES }],
    },
  },
  async (world) => {
    for (const version of listed(world, "6", "12")) {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ room_version: version });
      const put = (n: number) =>
        alice.put(path`/_matrix/client/v3/rooms/${roomId}/state/${TYPE}/`, { n });

      const right = await put(Number.MAX_SAFE_INTEGER);
      const wrong = [await put(1.5), await put(2 ** 53), await put(-(2 ** 53))];

      expectStatus(right, 200);
      for (const response of wrong) expectMatrixError(response, 400, "M_BAD_JSON");
    }
  },
);

check(
  "FED.sig.canonical-json",
  "the server drops PDUs with a fraction, or with a number beyond 2^53 - 1",
  { mutant: [shows("stores the number"), hides("drops the largest number, too")] },
  async (world) => {
    for (const version of listed(world, "6", "12")) {
      const meeting = await meet(world, { version });
      const { alice, room } = meeting;
      const { pdu: right } = room.add(withNumber(meeting, Number.MAX_SAFE_INTEGER));
      const wrong = [1.5, 2 ** 53, -(2 ** 53)].map((n) => withNumber(meeting, n));

      await offer(meeting, right, ...wrong);

      const { content } = await alice.event(room.roomId, right.id);
      expectEqual(content.n, Number.MAX_SAFE_INTEGER, "the largest number");
      for (const { id } of wrong) await expectUnknown(alice, room, id);
    }
  },
);

check(
  "FED.sig.canonical-json-old-rooms",
  "the server takes a PDU with a number beyond 2^53 - 1 in versions 1 and 5",
  { mutant: hides("drops the event as in version 6") },
  async (world) => {
    for (const version of listed(world, "1", "5")) {
      const meeting = await meet(world, { version });
      const { alice, room } = meeting;
      const { pdu } = room.add(withNumber(meeting, 2 ** 53));

      await offer(meeting, pdu);

      const { content } = await alice.event(room.roomId, pdu.id);
      expectEqual(content.n, 2 ** 53, "the number");
    }
  },
);

function withNumber({ room, mallory }: Meeting, n: number): Pdu {
  return room.build({ type: TYPE, sender: mallory, content: { n } });
}

/** Type and state key of each event of a list. */
function slotsOf(events: unknown): readonly string[] {
  return Array.isArray(events) ? events.map(slotOf) : [];
}

function slotOf(event: { readonly type?: JsonValue; readonly state_key?: JsonValue }): string {
  return `${event.type}|${event.state_key}`;
}
