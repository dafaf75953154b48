import { path } from "#harness/http/client";
import { at, eventsAt, isObject } from "#harness/match/json";
import { type Meeting, meet, SEND } from "#harness/peer/meeting";
import type { Peer } from "#harness/peer/peer";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";

const SYNC = "/_matrix/client/v3/sync";

/** Sends that a user types in a transaction of its own, which the server has to answer with 200. */
async function type({ alice, peer, room }: Meeting, userId: string): Promise<void> {
  const content = { room_id: room.roomId, user_id: userId, typing: true };
  ok(await peer.client(alice.server.serverName).send([], [{ edu_type: "m.typing", content }]));
}

/** Users who were shown as typing until this one was. */
async function typingUntil({ alice, room }: Meeting, userId: string): Promise<readonly unknown[]> {
  const shown = (body: unknown) =>
    eventsAt(body, "rooms", "join", room.roomId, "ephemeral", "events").flatMap(
      ({ type, content }) => (type === "m.typing" ? (content.user_ids as unknown[]) : []),
    );
  const { bodies } = await alice.syncUntil(undefined, `${userId} typing`, (body) =>
    shown(body).find((shownId) => shownId === userId),
  );
  return [...new Set(bodies.flatMap(shown))];
}

const TYPES_TOO = {
  name: "shows somebody else as typing",
  rules: [
    {
      match: { path: SYNC },
      phase: "processed" as const,
      action: {
        kind: "rewrite" as const,
        set: { "/rooms/join/*/ephemeral/events/*/content/user_ids/-": "@forged:other.example" },
      },
    },
  ],
};

check(
  "FED.txn.typing-acl",
  "the server does not take typing of users of other servers",
  { mutant: TYPES_TOO },
  async (world) => {
    const meeting = await meet(world);
    const { alice, mallory } = meeting;

    await type(meeting, alice.userId);
    await type(meeting, "@charlie:other.example");
    await type(meeting, mallory);

    expectEqual(await typingUntil(meeting, mallory), [mallory], "who types");
  },
);

check(
  "FED.txn.typing-acl",
  "the server does not take typing of users who are not in the room",
  { mutant: TYPES_TOO },
  async (world) => {
    const meeting = await meet(world);
    const { peer, mallory } = meeting;

    await type(meeting, peer.user("absent"));
    await type(meeting, mallory);

    expectEqual(await typingUntil(meeting, mallory), [mallory], "who types");
  },
);

/** Sends that a user has read an event in a transaction of its own, which the server has to answer with 200. */
async function read({ alice, peer, room }: Meeting, userId: string, eventId: string) {
  const receipt = { data: { ts: Date.now() }, event_ids: [eventId] };
  const content = { [room.roomId]: { "m.read": { [userId]: receipt } } };
  ok(await peer.client(alice.server.serverName).send([], [{ edu_type: "m.receipt", content }]));
}

/** Users of whom a receipt for the event was shown until one of this user was, each as often as it was. */
async function readersUntil(
  { alice, room }: Meeting,
  userId: string,
  eventId: string,
): Promise<readonly string[]> {
  const shown = (body: unknown) =>
    eventsAt(body, "rooms", "join", room.roomId, "ephemeral", "events").flatMap(({ content }) => {
      const readers = at(content, eventId, "m.read");
      return isObject(readers) ? Object.keys(readers) : [];
    });
  const { bodies } = await alice.syncUntil(undefined, `a receipt of ${userId}`, (body) =>
    shown(body).find((shownId) => shownId === userId),
  );
  return bodies.flatMap(shown);
}

const LOSES_RECEIPTS = {
  name: "shows no receipts",
  rules: [
    {
      match: { path: SYNC },
      phase: "processed" as const,
      action: { kind: "rewrite" as const, remove: ["/rooms/join/*/ephemeral/events"] },
    },
  ],
};

check(
  "FED.txn.receipt",
  "the server takes receipts of members, and none of users of other servers",
  { mutant: LOSES_RECEIPTS },
  async (world) => {
    const meeting = await meet(world);
    const { alice, room, mallory } = meeting;
    const id = await alice.send(room.roomId, "to be read");

    await read(meeting, alice.userId, id);
    await read(meeting, "@charlie:other.example", id);
    await read(meeting, mallory, id);

    expectEqual(await readersUntil(meeting, mallory, id), [mallory], "who has read the message");
  },
);

check(
  "FED.txn.receipt",
  "the server takes no receipts of users who are not in the room",
  { mutant: LOSES_RECEIPTS },
  async (world) => {
    const meeting = await meet(world);
    const { alice, peer, room, mallory } = meeting;
    const id = await alice.send(room.roomId, "to be read");

    await read(meeting, peer.user("absent"), id);
    await read(meeting, mallory, id);

    expectEqual(await readersUntil(meeting, mallory, id), [mallory], "who has read the message");
  },
);

const PEERS = 12;
const FIRST_MS = 20_000;
const PROMPT_MS = 6_000;

check(
  "FED.txn.receipt-prompt",
  "the server sends receipts that follow each other to all servers of a room at once",
  {
    deadlineMs: 120_000,
    mutant: {
      name: "lets receipts wait",
      rules: [
        {
          match: { to: "peer-*", path: SEND, contains: '"m.receipt"' },
          phase: "before",
          action: { kind: "delay", ms: 12_000 },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const peers: Peer[] = [];
    while (peers.length < PEERS) {
      const peer = await world.peer();
      await peer.join(roomId, peer.user("member"), { via: alice.server.serverName });
      peers.push(peer);
    }
    const read = async (eventId: string) =>
      ok(await alice.post(path`/_matrix/client/v3/rooms/${roomId}/receipt/m.read/${eventId}`));
    const known = (eventId: string, deadlineMs: number) =>
      Promise.all(
        peers.map((peer) =>
          peer.waitForEdu("m.receipt", ({ content }) => JSON.stringify(content).includes(eventId), {
            deadlineMs,
          }),
        ),
      );
    const [first, second] = [await alice.send(roomId, "1"), await alice.send(roomId, "2")];

    await read(first);
    await known(first, FIRST_MS);
    await read(second);

    await known(second, PROMPT_MS);
  },
);
