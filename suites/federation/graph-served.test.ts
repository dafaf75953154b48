import { at, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { isObject, type JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { meet } from "./meeting.ts";

const API = "/_matrix/federation/v1";

/** Ids of the events in an answer, by their hashes. */
function idsIn(body: unknown, key: string, version: RoomVersion): readonly string[] {
  return listAt(body, key).flatMap((json) =>
    isObject(json) ? eventId(json as JsonObject, version) : [],
  );
}

check(
  "FED.dag.backfill-served",
  "the server answers backfill with the event and its predecessors, up to the limit",
  {
    mutant: {
      name: "leaves the given event out",
      rules: [
        {
          match: { from: "peer-*", path: `${API}/backfill/*` },
          phase: "processed",
          action: { kind: "rewrite", set: { "/pdus": [] } },
        },
      ],
    },
  },
  async (world) => {
    const { alice, peer, room } = await meet(world);
    const sent: string[] = [];
    for (const text of ["1", "2", "3", "4", "5", "6", "7"]) {
      sent.push(await alice.send(room.roomId, text));
    }
    const from = sent[5] ?? "";

    const response = await peer.client().backfill(room.roomId, [from], 5);

    const found = idsIn(ok(response), "pdus", room.version);
    expectThat(found.includes(from), `${from} among the PDUs`, found, response);
    expectThat(found.length <= 5, "at most 5 PDUs", found.length, response);
    expectThat(!found.includes(sent[6] ?? ""), "no later event", found, response);
  },
);

check(
  "FED.dag.missing-events-served",
  "the server answers get_missing_events with no more and no others than were asked for",
  {
    mutant: {
      name: "ignores the earliest events and the limit",
      rules: [
        {
          match: { from: "peer-*", path: `${API}/get_missing_events/*` },
          phase: "before",
          action: { kind: "rewrite", set: { "/earliest_events": [], "/limit": 10 } },
        },
      ],
    },
  },
  async (world) => {
    const { alice, peer, room } = await meet(world);
    const sent: string[] = [];
    for (const text of ["1", "2", "3", "4", "5", "6"]) {
      sent.push(await alice.send(room.roomId, text));
    }
    const [first = "", second = "", third = "", fourth = "", fifth = "", sixth = ""] = sent;

    const bounded = await peer.client().missingEvents(room.roomId, [first], [fourth]);
    const limited = await peer.client().missingEvents(room.roomId, [], [sixth], { limit: 2 });

    const between = idsIn(ok(bounded), "events", room.version);
    expectEqual(new Set(between), new Set([second, third]), "the events between", bounded);
    const last = idsIn(ok(limited), "events", room.version);
    expectThat(last.length <= 2, "at most 2 events", last, limited);
    expectThat(
      last.every((id) => [third, fourth, fifth].includes(id)),
      "ancestors of the latest event",
      last,
      limited,
    );
  },
);

check(
  "FED.dag.event-served",
  "the server answers with the PDU in a transaction, in the format of the room version",
  {
    mutant: {
      name: "changes the PDU",
      rules: [
        {
          match: { from: "peer-*", path: `${API}/event/*` },
          phase: "processed",
          action: { kind: "rewrite", set: { "/pdus/0/depth": 12345 } },
        },
      ],
    },
  },
  async (world) => {
    const { alice, peer, room } = await meet(world);
    const id = await alice.send(room.roomId, "asked for");

    const response = await peer.client().event(id);

    const body = ok(response);
    expectEqual(at(body, "origin"), alice.server.serverName, "the origin", response);
    expectThat(
      Number.isInteger(at(body, "origin_server_ts")),
      "an integer origin_server_ts",
      at(body, "origin_server_ts"),
      response,
    );
    expectEqual(idsIn(body, "pdus", room.version), [id], "the PDUs by their hashes", response);
  },
);

check(
  "FED.dag.state-ids",
  "the server answers with the state before the event",
  {
    mutant: [
      {
        name: "answers 200 for an unknown event",
        rules: [
          {
            match: { from: "peer-*", path: `${API}/state_ids/*`, status: 404 },
            phase: "processed",
            action: { kind: "rewrite", status: 200, body: { pdu_ids: [], auth_chain_ids: [] } },
          },
        ],
      },
      {
        name: "leaves an event of the state out",
        rules: [
          {
            match: { from: "peer-*", path: `${API}/state_ids/*`, status: 200 },
            phase: "processed",
            action: { kind: "rewrite", remove: ["/pdu_ids/0"] },
          },
        ],
      },
    ],
  },
  async (world) => {
    const { alice, peer, room } = await meet(world);
    const stranger = await world.peer();
    const before = await alice.setState(room.roomId, "m.room.topic", { topic: "before" });
    const after = await alice.setState(room.roomId, "m.room.topic", { topic: "after" });
    const client = peer.client();

    const ids = await client.stateIds(room.roomId, after);
    const state = await client.state(room.roomId, after);
    const unknown = await client.stateIds(room.roomId, `$${"A".repeat(43)}`);
    const refused = await stranger.client().stateIds(room.roomId, after);

    const stateIds = listAt(ok(ids), "pdu_ids");
    expectThat(stateIds.includes(before), "the topic before in the state", stateIds, ids);
    expectThat(!stateIds.includes(after), "not the event itself in the state", stateIds, ids);
    const served = idsIn(ok(state), "pdus", room.version);
    expectEqual(new Set(served), new Set(stateIds), "the events of /state", state);
    const chain = new Set(listAt(ids.json, "auth_chain_ids"));
    const servedChain = listAt(state.json, "auth_chain");
    expectEqual(new Set(idsIn(state.json, "auth_chain", room.version)), chain, "the chain", state);
    for (const event of servedChain) {
      for (const id of listAt(event, "auth_events")) {
        expectThat(chain.has(id), `${id} in the closed auth chain`, [...chain], ids);
      }
    }
    expectMatrixError(unknown, 404, "M_NOT_FOUND");
    expectMatrixError(refused, 403, "M_FORBIDDEN");
  },
);

check(
  "FED.dag.event-auth",
  "the server answers with the whole auth chain of the event",
  {
    mutant: {
      name: "leaves the chain out",
      rules: [
        {
          match: { from: "peer-*", path: `${API}/event_auth/**` },
          phase: "processed",
          action: { kind: "rewrite", set: { "/auth_chain": [] } },
        },
      ],
    },
  },
  async (world) => {
    const { alice, peer, room } = await meet(world);
    // The chain of what follows holds the power levels from before, too, which it does not cite itself.
    const levels = (await alice.state(room.roomId, "m.room.power_levels")) ?? {};
    await alice.setState(room.roomId, "m.room.power_levels", { ...levels, events_default: 1 });
    const id = await alice.send(room.roomId, "asked for");
    const { pdu } = await peer.waitForPdu(room, "the message", (received) => received.id === id);

    const response = await peer.client().eventAuth(room.roomId, id);

    const found = new Set(idsIn(ok(response), "auth_chain", room.version));
    const chain = room.authChain([pdu.id]);
    const direct = room.find(pdu.id)?.event.authEvents ?? [];
    expectThat(chain.length > direct.length, "a chain longer than what is cited", direct);
    for (const { id: needed } of chain) {
      expectThat(found.has(needed), `${needed} in the auth chain`, [...found], response);
    }
  },
);
