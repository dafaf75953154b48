import { awakeMs } from "#harness/awake";
import { path } from "#harness/http/client";
import { at, isObject, listAt, numberAt, textAt } from "#harness/match/json";
import { EVENT, meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { LEVELS, READ_LEVELS } from "./levels.ts";

const API = "/_matrix/federation/v1";
const CREATE = "m.room.create";
const PROMPT_MS = 10_000;

/** The create event as another server gets it. */
function firstPdu(body: unknown): JsonObject {
  const pdu = listAt(body, "pdus")[0];
  expectThat(isObject(pdu), "a PDU", body);
  return pdu as JsonObject;
}

check(
  "FED.v12.room-id-hash",
  "the server names a room of version 12 after the hash of its create event",
  {
    mutant: altersAnswer(
      "names it after something else",
      { from: "peer-*", path: `${API}/event/*` },
      { set: { "/pdus/0/content/x.other": 1 } },
    ),
  },
  async (world) => {
    const { alice, peer, room } = await meet(world, { version: "12" });
    const createId = await createIdOf(alice, room.roomId);

    const response = await peer.client(alice.server.serverName).event(createId);

    const hash = eventId(firstPdu(ok(response)), room.version).slice(1);
    expectEqual(room.roomId, `!${hash}`, "the room id", response);
    expectEqual(room.roomId.length, 44, "the length of the room id");
  },
);

check(
  "FED.v12.create-no-room-id-field",
  "the server leaves room_id out of the create event for servers, and has it for clients",
  {
    mutant: [
      altersAnswer(
        "has room_id in the PDU",
        { from: "peer-*", path: `${API}/event/*` },
        { set: { "/pdus/0/room_id": "!room" } },
      ),
      altersAnswer("has none for clients", { path: EVENT }, { remove: ["/room_id"] }),
    ],
  },
  async (world) => {
    const { alice, peer, room } = await meet(world, { version: "12" });
    const createId = await createIdOf(alice, room.roomId);
    const client = peer.client(alice.server.serverName);

    const response = await client.event(createId);
    const later = await alice.send(room.roomId, "later");
    const state = await client.state(room.roomId, later);
    const event = await alice.event(room.roomId, createId);

    const inState = listAt(ok(state), "pdus").filter((pdu) => at(pdu, "type") === CREATE);
    expectEqual(inState.length, 1, "the number of create events in the state", state);
    for (const pdu of [firstPdu(ok(response)), ...inState]) {
      expectThat(isObject(pdu) && !Object.hasOwn(pdu, "room_id"), "no room_id in the PDU", pdu);
    }
    expectEqual(event.room_id, room.roomId, "the room_id that clients see");
  },
);

check(
  "FED.v12.join-needs-via",
  "the server refuses to join a room of version 12 by its id alone, and asks no server for it",
  {
    mutant: altersAnswer(
      "answers 500",
      { path: "/_matrix/client/v3/join/*", status: [400, 403, 404] },
      { status: 500, body: { errcode: "M_UNKNOWN", error: "" } },
    ),
  },
  async (world) => {
    world.needs("room-version:12");
    const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
    const roomId = await bob.createRoom({ preset: "public_chat", room_version: "12" });
    const hash = roomId.slice(1);
    const asked = await Promise.all(
      [hash, hash.toLowerCase()].map((to) => world.fault({ to }, "before", { kind: "reset" })),
    );
    const started = awakeMs();

    const response = await alice.post(path`/_matrix/client/v3/join/${roomId}`);

    const tookMs = awakeMs() - started;
    expectThat(Math.trunc(response.status / 100) === 4, "a status of 4xx", response.text, response);
    expectThat(tookMs < PROMPT_MS, `an answer within ${PROMPT_MS} ms`, tookMs, response);
    for (const rule of asked) expectEqual(await rule.fired(), 0, `requests to ${hash}`);
    await alice.join(roomId, bob);
  },
);

check(
  "FED.v12.tombstone-level",
  "the server asks more for a tombstone than for other state in a new room of version 12",
  {
    mutant: altersAnswer("asks no more", READ_LEVELS, { set: { "/events/m.room.tombstone": 50 } }),
  },
  async (world) => {
    world.needs("room-version:12");
    const alice = await world.user("alice");

    const roomId = await alice.createRoom({ room_version: "12" });
    const levels = (await alice.state(roomId, LEVELS)) ?? {};

    const byDefault = at(levels, "state_default") ?? 50;
    const needed = numberAt(levels, "events", "m.room.tombstone");
    expectThat(typeof byDefault === "number", "a number as state_default", byDefault);
    expectThat(needed > byDefault, `a level above ${byDefault} for tombstones`, needed);
  },
);

check(
  "FED.v12.trusted-private-chat",
  "the server makes those who are invited to a trusted private chat creators, each once",
  {
    mutant: [
      altersAnswer(
        "names nobody but who was given",
        { path: `/_matrix/client/v3/rooms/*/state/${CREATE}/**` },
        { remove: ["/additional_creators/0"] },
      ),
      altersAnswer(
        "names somebody twice",
        { path: `/_matrix/client/v3/rooms/*/state/${CREATE}/**` },
        { set: { "/additional_creators/-": "@bob:example.org" } },
      ),
    ],
  },
  async (world) => {
    world.needs("room-version:12");
    const [alice, bob, dora] = await Promise.all([
      world.user("alice"),
      world.user("bob", "hs2"),
      world.user("dora", "hs2"),
    ]);
    const carol = `@${world.name("carol")}:example.org`;

    const roomId = await alice.createRoom({
      room_version: "12",
      preset: "trusted_private_chat",
      invite: [bob.userId, dora.userId],
      creation_content: { additional_creators: [bob.userId, carol] },
    });

    const create = await alice.state(roomId, CREATE);
    const creators = listAt(create, "additional_creators").toSorted();
    const expected = [bob.userId, carol, dora.userId].toSorted();
    expectEqual(creators, expected, "the additional creators");
  },
);

async function createIdOf(alice: Session, roomId: string): Promise<string> {
  const state = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
  const events = listAt({ state: state.json }, "state");
  return textAt(
    events.find((event) => at(event, "type") === CREATE),
    "event_id",
  );
}
