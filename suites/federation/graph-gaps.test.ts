import { awakeMs } from "#harness/awake";
import { path } from "#harness/http/client";
import { at, eventsAt, type JsonObject, listAt } from "#harness/match/json";
import { changed } from "#harness/peer/lies";
import { meet, message, SEND } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import { isOfRoute } from "#harness/peer/routes";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

const API = "/_matrix/federation/v1";
const MISSING = `POST ${API}/get_missing_events/{roomId}`;
/** What asks for events, or for the state at one. */
const ASKS = /\/(?:get_missing_events|backfill|event|state_ids|state|event_auth)\//;
const WAIT = { deadlineMs: 20_000 };

function asked(peer: Peer): readonly string[] {
  return peer.requests.items.map(({ uri }) => uri).filter((uri) => ASKS.test(uri));
}

/** Events that follow each other, of which only the last will be sent. They are no part of the peer's timeline. */
function chain(room: PeerRoom, sender: string, length: number, root: readonly string[]) {
  const { extremities } = room;
  const pdus: Pdu[] = [];
  for (let prevEvents = root; pdus.length < length; ) {
    const { pdu } = room.add(room.build({ ...message(sender, `${pdus.length}`), prevEvents }));
    pdus.push(pdu);
    prevEvents = [pdu.id];
  }
  room.extremities = extremities;
  return pdus;
}

const CANNOT_ASK = claims(
  "does not get what it asks for",
  { to: "peer-*", path: `${API}/get_missing_events/*` },
  { events: [] },
);

check(
  "FED.dag.missing-events",
  "the server asks for the events before one that it gets, and shows all of them in order",
  { mutant: CANNOT_ASK },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    peer.serve(room);
    const pdus = chain(room, mallory, 3, room.extremities);
    const ids = pdus.map(({ id }) => id);
    const since = await alice.syncToken();

    await peer.transmit(room, ...pdus.slice(-1));
    const request = await peer.requests.wait("a request for events", ({ uri }) => ASKS.test(uri));
    await alice.syncUntilEvent(since, room.roomId, ids.at(-1) ?? "", WAIT);

    if (isOfRoute(request, MISSING)) {
      const latest = listAt(request.json, "latest_events");
      expectThat(latest.includes(ids.at(-1)), "the event among latest_events", latest);
      listAt(request.json, "earliest_events");
    }
    const target = path`/_matrix/client/v3/rooms/${room.roomId}/messages`;
    const page = ok(await alice.get(target, { dir: "b", limit: 20 }));
    const shown = eventsAt(page, "chunk").map(({ event_id }) => event_id);
    const seen = shown.filter((id) => ids.includes(id)).reverse();
    expectEqual(seen, ids, "the events in the timeline");
  },
);

check(
  "FED.dag.missing-gap-state",
  "the server asks for the state at an event when it gets only some of those before",
  {
    mutant: [
      altersAnswer(
        "shows the timeline as whole",
        { path: "/_matrix/client/v3/sync" },
        { set: { "/rooms/join/*/timeline/limited": false } },
      ),
      {
        name: "does not get the state",
        rules: [
          {
            match: { to: "peer-*", path: `${API}/state_ids/*` },
            phase: "before",
            action: { kind: "answer", status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
          },
          {
            match: { to: "peer-*", path: `${API}/state/*` },
            phase: "before",
            action: { kind: "answer", status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
          },
        ],
      },
    ],
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    peer.serve(room);
    const onlyLatest = (body: JsonObject) => ({
      ...body,
      events: listAt(body, "events").slice(-1),
    });
    peer.on(MISSING, changed(onlyLatest));
    const pdus = chain(room, mallory, 3, room.extremities);
    const id = pdus.at(-1)?.id ?? "";
    const since = await alice.syncToken();

    await peer.transmit(room, ...pdus.slice(-1));
    await peer.requests.wait("a request for the state", ({ uri }) =>
      /\/state(?:_ids)?\//.test(uri),
    );
    const { bodies } = await alice.syncUntilEvent(since, room.roomId, id, WAIT);

    // The gap lies before the first event that is shown.
    const first = bodies.find((body) => at(body, "rooms", "join", room.roomId, "timeline"));
    const isLimited = at(first, "rooms", "join", room.roomId, "timeline", "limited");
    expectEqual(isLimited, true, "timeline.limited after the gap");
  },
);

/** Asks for the versions again and again, until told to stop. The longest time that an answer took. */
async function answersMeanwhile(alice: Session, until: Promise<unknown>): Promise<number> {
  let isOver = false;
  const end = until.finally(() => {
    isOver = true;
  });
  let longestMs = 0;
  while (!isOver) {
    const started = awakeMs();
    expectStatus(await alice.get("/_matrix/client/versions"), 200);
    longestMs = Math.max(longestMs, awakeMs() - started);
  }
  await end;
  return longestMs;
}

check(
  "FED.dag.event-loop",
  "the server gives up an endless history after a while, and answers meanwhile",
  {
    isolated: {},
    mutant: {
      name: "answers late",
      rules: [
        {
          match: { path: "/_matrix/client/versions" },
          phase: "processed",
          action: { kind: "delay", ms: 6_000 },
        },
      ],
    },
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    peer.serve(room);
    // Nobody will ever get to its beginning: that follows an event that does not exist.
    const pdus = chain(room, mallory, 1_000, [`$${"A".repeat(43)}`]);

    await peer.transmit(room, ...pdus.slice(-1));
    const fence = peer.fence(room, alice, { deadlineMs: 30_000 });
    const longestMs = await answersMeanwhile(alice, fence);
    const count = asked(peer).length;
    await world.quietPeriod(1_000);

    expectThat(longestMs <= 5_000 * alice.context.timeoutScale, "answers within 5 s", longestMs);
    expectThat(count > 0 && count <= 40, "1 to 40 requests", asked(peer));
    expectEqual(asked(peer).length, count, "the number of requests a second later");
  },
);

/** Events of which each follows the same one, as the server has seen them. */
async function forks(world: World, count: number) {
  const { alice, peer, mallory, room } = await meet(world);
  const prevEvents = room.extremities;
  const pdus = Array.from({ length: count }, (_, index) =>
    room.build({ ...message(mallory, `fork ${index}`), prevEvents }),
  );
  await peer.transmit(room, ...pdus);
  for (const fork of pdus) {
    room.add(fork);
    await world.eventually(() => alice.event(room.roomId, fork.id), WAIT);
  }
  const sent = await alice.send(room.roomId, "after them");
  const { pdu } = await peer.waitForPdu(room, "the message", ({ id }) => id === sent);
  return { prev: listAt(pdu.json, "prev_events"), ids: pdus.map(({ id }) => id) };
}

const CITES = (name: string, prevEvents: readonly string[]) => ({
  name,
  rules: [
    {
      match: { from: "hs1", to: "peer-*", path: SEND, contains: "m.room.message" },
      phase: "before" as const,
      action: { kind: "rewrite" as const, set: { "/pdus/*/prev_events": prevEvents } },
    },
  ],
});

check(
  "FED.dag.extremities",
  "the server builds on both of two events that do not know of each other",
  { mutant: CITES("builds on something else", [`$${"A".repeat(43)}`]) },
  async (world) => {
    const { prev, ids } = await forks(world, 2);

    expectEqual([...prev].sort(), [...ids].sort(), "the previous events");
  },
);

check(
  "FED.dag.extremities",
  "the server builds on no more than 20 events at once",
  {
    mutant: CITES(
      "builds on 21 events",
      Array.from({ length: 21 }, (_, index) => `$${String(index).padStart(43, "A")}`),
    ),
  },
  async (world) => {
    const { prev, ids } = await forks(world, 25);

    expectThat(prev.length >= 1 && prev.length <= 20, "1 to 20 previous events", prev);
    const others = prev.filter((id) => !ids.includes(String(id)));
    expectEqual(others, [], "previous events that are no forward extremities");
  },
);
