import { path } from "#harness/http/client";
import { at, isObject, listAt } from "#harness/match/json";
import { changed } from "#harness/peer/lies";
import { meet, message } from "#harness/peer/meeting";
import type { PeerRequest } from "#harness/peer/routes";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims, refuses } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import type { JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { history } from "./history.ts";
import { listed } from "./rejection.ts";

const API = "/_matrix/federation/v1";
const HOUR_MS = 3_600_000;

/** A room whose history only those see who were in it, with a message from before the peer came and one from after. */
async function meetLate(world: World) {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const roomId = await alice.createRoom({
    preset: "public_chat",
    initial_state: [
      { type: "m.room.history_visibility", content: { history_visibility: "joined" } },
    ],
  });
  const secret = await alice.send(roomId, "secret");
  const room = await peer.join(roomId, peer.user("mallory"), { via: alice.server.serverName });
  const open = await alice.send(roomId, "open");
  const last = await alice.send(roomId, "last");
  /** Content of an event among others; undefined when it is not there. */
  const contentOf = (events: readonly unknown[], id: string) => {
    const found = events.find(
      (json) => isObject(json) && eventId(json as JsonObject, room.version) === id,
    );
    return at(found, "content");
  };
  return { peer, room, secret, open, last, contentOf };
}

check(
  "FED.dag.backfill-visibility",
  "the server does not hand out content from before the asking server came",
  {
    mutant: altersAnswer(
      "hands it out",
      { from: "peer-*", path: `${API}/backfill/*` },
      { set: { "/pdus/*/content/body": "secret" } },
    ),
  },
  async (world) => {
    const { peer, room, secret, open, last, contentOf } = await meetLate(world);

    const response = await peer.client().backfill(room.roomId, [last], 50);

    const pdus = listAt(ok(response), "pdus");
    expectEqual(at(contentOf(pdus, open), "body"), "open", "the body of the later message");
    expectEqual(
      at(contentOf(pdus, secret), "body"),
      undefined,
      "that of the earlier one",
      response,
    );
  },
);

check(
  "FED.dag.missing-events-visibility",
  "the server does not hand out content from before the asking server came",
  {
    mutant: altersAnswer(
      "hands it out",
      { from: "peer-*", path: `${API}/get_missing_events/*` },
      { set: { "/events/*/content/body": "secret" } },
    ),
  },
  async (world) => {
    const { peer, room, secret, open, last, contentOf } = await meetLate(world);

    const response = await peer.client().missingEvents(room.roomId, [], [last], { limit: 20 });

    const events = listAt(ok(response), "events");
    expectEqual(at(contentOf(events, open), "body"), "open", "the body of the later message");
    expectEqual(
      at(contentOf(events, secret), "body"),
      undefined,
      "that of the earlier one",
      response,
    );
  },
);

check(
  "FED.dag.timestamp-to-event",
  "the server answers with the event that is closest in the direction, or with 404",
  {
    mutant: [
      altersAnswer(
        "ignores the direction",
        { from: "peer-*", path: `${API}/timestamp_to_event/*`, contains: "dir=b" },
        { set: { "/event_id": "$another" } },
      ),
      altersAnswer(
        "answers 200 when there is none",
        { from: "peer-*", path: `${API}/timestamp_to_event/*`, status: 404 },
        { status: 200, body: { event_id: null } },
      ),
    ],
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const start = Date.now() + HOUR_MS;
    const [first, second] = [start, start + HOUR_MS];
    const earlier = await peer.send(room, {
      ...message(mallory, "earlier"),
      originServerTs: first,
    });
    const later = await peer.send(room, { ...message(mallory, "later"), originServerTs: second });
    await world.eventually(() => alice.event(room.roomId, later.id));
    const between = first + HOUR_MS / 2;
    const client = peer.client();

    const forwards = await client.timestampToEvent(room.roomId, between, "f");
    const backwards = await client.timestampToEvent(room.roomId, between, "b");
    const beyond = await client.timestampToEvent(room.roomId, second + HOUR_MS, "f");
    const before = await client.timestampToEvent(room.roomId, 1, "b");

    const found = [forwards, backwards].map((response) => {
      const body = ok(response);
      return [at(body, "event_id"), at(body, "origin_server_ts")];
    });
    const expected = [
      [later.id, second],
      [earlier.id, first],
    ];
    expectEqual(found, expected, "the events forwards and backwards");
    expectMatrixError(beyond, 404, "M_NOT_FOUND");
    expectMatrixError(before, 404, "M_NOT_FOUND");
  },
);

check(
  "FED.dag.backfill-no-count-check",
  "the server shows an old event with more previous events than a new one may have",
  {
    mutant: claims(
      "does not get the event",
      { to: "peer-*", path: `${API}/backfill/*` },
      { pdus: [] },
    ),
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
      const mallory = peer.user("mallory");
      const room = peer.createRoom({ creator: mallory, version });
      peer.serve(room);
      const prevEvents = room.extremities;
      const forks = Array.from({ length: 21 }, (_, index) =>
        room.build({ ...message(mallory, `fork ${index}`), prevEvents }),
      );
      for (const fork of forks) room.add(fork);
      const following = { prevEvents: forks.map(({ id }) => id) };
      const crowded = room.build({ ...message(mallory, "crowded"), ...following });
      // The peer itself has no such event: it hands it out, and knows what lies on both sides of it.
      const stateBefore = room.stateAt().values();
      const latest = room.build({
        ...message(mallory, "latest"),
        prevEvents: [crowded.id],
        depth: Number(crowded.json.depth) + 1,
      });
      room.add(latest, { stateBefore });
      room.extremities = [latest.id];
      const between = [crowded, ...forks].map(({ json }) => json);
      peer.on(
        "GET /_matrix/federation/v1/backfill/{roomId}",
        changed((body) => ({ ...body, pdus: [...listAt(body, "pdus"), ...between] })),
      );
      const via = { server_name: peer.serverName, via: peer.serverName };
      ok(await alice.post(path`/_matrix/client/v3/join/${room.roomId}`, {}, via));

      const shown = (await history(alice, room.roomId)).map(({ event_id }) => event_id);

      expectThat(
        forks.every(({ id }) => shown.includes(id)),
        "what is before it when paginating back",
        shown,
      );
      expectThat(shown.includes(crowded.id), `${crowded.id} when paginating back`, shown);
      const isAsked = ({ path: asked }: PeerRequest) => asked.startsWith(`${API}/backfill/`);
      expectThat(peer.requests.items.some(isAsked), "a request to backfill", "none");
    }
  },
);

check(
  "FED.dag.backfill-paginates",
  "the server shows a late member all events of a history with many branches, each once",
  {
    mutant: refuses(
      "does not ask for what came before",
      { to: "peer-*", path: `${API}/backfill/*` },
      404,
      "M_NOT_FOUND",
    ),
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const mallory = peer.user("mallory");
    const room = peer.createRoom({ creator: mallory, version: "10" });
    peer.serve(room);
    const prevEvents = room.extremities;
    const forks = Array.from({ length: 20 }, (_, index) =>
      room.build({ ...message(mallory, `fork ${index}`), prevEvents }),
    );
    for (const fork of forks) room.add(fork);
    const all = Array.from(room.entries, ({ pdu }) => pdu.id);
    const via = { server_name: peer.serverName, via: peer.serverName };
    const joined = await alice.post(path`/_matrix/client/v3/join/${room.roomId}`, {}, via);

    ok(joined);
    const seen = (await history(alice, room.roomId)).map(({ event_id }) => event_id);

    const lost = all.filter((id) => !seen.includes(id));
    expectEqual(lost, [], "the events that the late member does not see");
    expectEqual(new Set(seen).size, seen.length, "the number of different events");
  },
);
