import { type Meeting, meet, message } from "#harness/peer/meeting";
import type { PeerRoom } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import { idsIn } from "./history.ts";

const API = "/_matrix/federation/v1";

/** Sends messages of alice one after the other; the peer has got all of them. */
async function talk({ alice, peer, room }: Meeting, count: number): Promise<readonly string[]> {
  const sent: string[] = [];
  for (let index = 0; index < count; index++) sent.push(await alice.send(room.roomId, `${index}`));
  await peer.waitForPdu(room, "the last message", ({ id }) => id === sent.at(-1));
  return sent;
}

/** What may be walked to from an event: it, all before it, and what the peer knows from before it came. */
function behind(room: PeerRoom, from: readonly string[]): ReadonlySet<string> {
  const walked = room.ancestors(from, { limit: 1_000, includesFrom: true }).map(({ id }) => id);
  const outliers = Array.from(room.entries, ({ pdu, before }) => (before ? [] : [pdu.id])).flat();
  return new Set([...walked, ...outliers]);
}

check(
  "FED.dag.backfill-served",
  "the server answers backfill with the events and their predecessors, up to the limit",
  {
    mutant: [
      altersAnswer(
        "leaves the given event out",
        { from: "peer-*", path: `${API}/backfill/*` },
        { set: { "/pdus": [] } },
      ),
      altersAnswer(
        "exceeds the limit",
        { from: "peer-*", path: `${API}/backfill/*` },
        { set: { "/pdus/-": { type: "m.room.message", content: {} } } },
      ),
    ],
  },
  async (world) => {
    const meeting = await meet(world);
    const { alice, peer, mallory, room } = meeting;
    const sent = await talk(meeting, 7);
    const from = sent[5] ?? "";
    const { extremities } = room;
    const forks = ["left", "right"].map((text) =>
      room.build({ ...message(mallory, text), prevEvents: extremities }),
    );
    for (const fork of forks) room.add(fork);
    await peer.transmit(room, ...forks);
    await peer.fence(room, alice);

    const one = await peer.client().backfill(room.roomId, [from], 5);
    const heads = forks.map(({ id }) => id);
    const two = await peer.client().backfill(room.roomId, heads, 4);

    for (const [response, given, limit] of [
      [one, [from], 5],
      [two, heads, 4],
    ] as const) {
      const found = idsIn(ok(response), "pdus", room.version);
      const allowed = behind(room, given);
      expectThat(
        given.every((id) => found.includes(id)),
        `${given.join(" and ")} among the PDUs`,
        found,
        response,
      );
      expectThat(found.length > given.length, "predecessors as well", found, response);
      expectThat(found.length <= limit, `at most ${limit} PDUs`, found.length, response);
      const others = found.filter((id) => !allowed.has(id));
      expectEqual(others, [], "the PDUs that do not lie behind the given ones", response);
    }
  },
);

check(
  "FED.dag.missing-events-served",
  "the server answers get_missing_events with no more and no others than were asked for",
  {
    mutant: [
      altersRequest(
        "ignores the earliest events and the limit",
        { from: "peer-*", path: `${API}/get_missing_events/*` },
        { set: { "/earliest_events": [], "/limit": 10 } },
      ),
      altersAnswer(
        "returns one more than the limit",
        { from: "peer-*", path: `${API}/get_missing_events/*` },
        { set: { "/events/-": { type: "m.room.message", content: {} } } },
      ),
    ],
  },
  async (world) => {
    const meeting = await meet(world);
    const { peer, room } = meeting;
    const sent = await talk(meeting, 14);
    const [first = "", second = "", third = "", fourth = ""] = sent;
    const last = sent.at(-1) ?? "";
    const client = peer.client();

    const bounded = await client.missingEvents(room.roomId, [first], [fourth]);
    const limited = await client.missingEvents(room.roomId, [], [last], { limit: 2 });
    const unlimited = await client.missingEvents(room.roomId, [], [last]);

    const ids = (response: typeof bounded) => idsIn(ok(response), "events", room.version);
    const between = ids(bounded);
    expectThat(
      between.includes(second) && between.includes(third),
      "the events between",
      between,
      bounded,
    );
    expectThat(
      !between.includes(first) && !between.includes(fourth),
      "neither the earliest nor the latest event",
      between,
      bounded,
    );
    for (const [response, limit] of [
      [limited, 2],
      [unlimited, 10],
    ] as const) {
      const found = ids(response);
      expectThat(found.length <= limit, `at most ${limit} events`, found, response);
      expectThat(found.length > 0, "any events", found, response);
      const allowed = behind(room, [last]);
      const others = found.filter((id) => id === last || !allowed.has(id));
      expectEqual(others, [], "the events that do not lie behind the latest one", response);
    }
  },
);

check(
  "FED.dag.missing-events-served",
  "the server answers get_missing_events without events below the depth that is asked for",
  {
    mutant: altersRequest(
      "ignores the least depth",
      { from: "peer-*", path: `${API}/get_missing_events/*` },
      { remove: ["/min_depth"] },
    ),
  },
  async (world) => {
    const meeting = await meet(world);
    const { peer, room } = meeting;
    const [, , third = "", , fifth = "", sixth = ""] = await talk(meeting, 6);
    const depth = room.find(third)?.event.depth ?? 0;

    const options = { limit: 20, min_depth: depth };
    const response = await peer.client().missingEvents(room.roomId, [], [sixth], options);

    const found = idsIn(ok(response), "events", room.version);
    expectThat(found.includes(fifth), "the event before", found, response);
    const tooLow = found.filter((id) => (room.find(id)?.event.depth ?? 0) < depth);
    expectEqual(tooLow, [], `the events with a depth below ${depth}`, response);
  },
);
