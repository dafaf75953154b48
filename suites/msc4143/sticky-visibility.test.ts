/** Hidden history hides nothing that sticks (MSC4354 §Proposal). */
import { STICKY } from "#harness/clients/rtc/names";
import { type HttpResponse, path } from "#harness/http/client";
import { at, eventsAt, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { chat, LONG_MS, stick, TYPE, untilStuck } from "./sticky.ts";

const EVENT = "/_matrix/client/v3/rooms/*/event/*";
const CONTEXT = "/_matrix/client/v3/rooms/*/context/*";
const MESSAGES = "/_matrix/client/v3/rooms/*/messages";
const NOT_FOUND = { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } };
const SHORT_MS = 4_000;
const CONTENT = { text: "hidden" };

/** Creation of a public room whose events only those see who are in it at the time. */
const HIDDEN = {
  preset: "public_chat",
  initial_state: [
    {
      type: "m.room.history_visibility",
      state_key: "",
      content: { history_visibility: "joined" },
    },
  ],
};

interface Hidden {
  readonly bob: Session;
  readonly roomId: string;
  /** Sent before bob joined. */
  readonly id: string;
}

/** Bob joins a room with hidden history after an event that sticks. */
async function enterLate(world: World, durationMs = LONG_MS): Promise<Hidden> {
  const [alice, bob] = await world.users("alice", "bob");
  const roomId = await alice.createRoom(HIDDEN);
  const id = await stick(alice, roomId, { content: CONTENT, durationMs });
  await chat(alice, roomId, 3);
  await bob.join(roomId);
  return { bob, roomId, id };
}

function ask({ bob, roomId, id }: Hidden, endpoint: "event" | "context"): Promise<HttpResponse> {
  const rooms = path`/_matrix/client/v3/rooms/${roomId}`;
  return bob.get(`${rooms}/${endpoint}${path`/${id}`}`);
}

check(
  "MSC4354.visibility",
  "the server gives a joined user what sticks when its id is asked for, hidden history or not",
  { mutant: altersAnswer("does not find it", { path: EVENT }, NOT_FOUND) },
  async (world) => {
    const hidden = await enterLate(world);
    await untilStuck(hidden.bob, undefined, hidden.roomId, [hidden.id]);

    const response = await ask(hidden, "event");

    expectEqual(at(ok(response), "content"), CONTENT, "the content", response);
  },
);

check(
  "MSC4354.visibility",
  "the server gives a joined user the context of what sticks, hidden history or not",
  { mutant: altersAnswer("does not find it", { path: CONTEXT }, NOT_FOUND) },
  async (world) => {
    const hidden = await enterLate(world);
    await untilStuck(hidden.bob, undefined, hidden.roomId, [hidden.id]);

    const response = await ask(hidden, "context");

    expectEqual(at(ok(response), "event", "content"), CONTENT, "the content", response);
  },
);

check(
  "MSC4354.visibility",
  "the server shows a joined user what sticks in the history, hidden or not",
  {
    mutant: altersAnswer("shows no history", { path: MESSAGES }, { set: { "/chunk": [] } }),
  },
  async (world) => {
    const { bob, roomId, id } = await enterLate(world);
    await untilStuck(bob, undefined, roomId, [id]);

    const target = path`/_matrix/client/v3/rooms/${roomId}/messages`;
    const response = await bob.get(target, { dir: "b", limit: 50 });

    const event = eventsAt(ok(response), "chunk").find(({ event_id }) => event_id === id);
    expectEqual(event?.content, CONTENT, `the content of ${id} in the history`, response);
  },
);

check(
  "MSC4354.visibility",
  "the server hides what was before a join once it sticks no more",
  {
    mutant: altersAnswer(
      "shows it for ever",
      { path: EVENT, status: 404 },
      { status: 200, body: { content: CONTENT } },
    ),
  },
  async (world) => {
    const hidden = await enterLate(world, SHORT_MS);
    await world.quietPeriod(SHORT_MS);

    const response = await ask(hidden, "event");

    expectMatrixError(response, [403, 404]);
  },
);

check(
  "MSC4354.visibility",
  "the server gives a joined server what sticks, hidden history or not",
  {
    mutant: altersAnswer(
      "redacts it",
      { from: "peer-*", path: "/_matrix/federation/v1/event/*" },
      { set: { "/pdus/0/content": {} }, remove: [`/pdus/0/${STICKY}`] },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom(HIDDEN);
    const id = await stick(alice, roomId, { content: CONTENT });
    await chat(alice, roomId, 3);
    const peer = await world.peer();
    await peer.join(roomId, peer.user("bob"), { via: alice.server.serverName });

    const response = await peer.client().event(id);

    const [pdu] = listAt(ok(response), "pdus");
    expectEqual(textAt(pdu, "type"), TYPE, "the type", response);
    expectEqual(at(pdu, "content"), CONTENT, "the content", response);
    expectEqual(at(pdu, STICKY), { duration_ms: LONG_MS }, "the sticky object", response);
  },
);
