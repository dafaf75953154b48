import { path } from "#harness/http/client";
import { at, eventsAt, listAt } from "#harness/match/json";
import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { idsIn } from "./history.ts";
import { listed } from "./rejection.ts";

const API = "/_matrix/federation/v1";

check(
  "FED.dag.event-served",
  "the server answers with the PDU in a transaction, in the format of the room version",
  {
    mutant: altersAnswer(
      "changes the PDU",
      { from: "peer-*", path: `${API}/event/*` },
      { set: { "/pdus/0/depth": 12345 } },
    ),
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
      altersAnswer(
        "answers 200 for an unknown event",
        { from: "peer-*", path: `${API}/state_ids/*`, status: 404 },
        { status: 200, body: { pdu_ids: [], auth_chain_ids: [] } },
      ),
      altersAnswer(
        "answers a server that is not in the room",
        { from: "peer-*", path: `${API}/state_ids/*`, status: 403 },
        { status: 200, body: { pdu_ids: [], auth_chain_ids: [] } },
      ),
      altersAnswer(
        "leaves an event of the state out",
        { from: "peer-*", path: `${API}/state_ids/*`, status: 200 },
        { remove: ["/pdu_ids/0"] },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const { alice, peer, room } = await meet(world, { version });
      const stranger = await world.peer();
      const before = await alice.setState(room.roomId, "m.room.topic", { topic: "before" });
      const shown = await alice.get(path`/_matrix/client/v3/rooms/${room.roomId}/state`);
      const after = await alice.setState(room.roomId, "m.room.topic", { topic: "after" });
      await alice.setState(room.roomId, "m.room.topic", { topic: "later" });
      await alice.setState(room.roomId, "m.room.name", { name: "later" });
      const client = peer.client();

      const ids = await client.stateIds(room.roomId, after);
      const state = await client.state(room.roomId, after);
      const unknown = await client.stateIds(room.roomId, `$${"A".repeat(43)}`);
      const refused = await stranger.client().stateIds(room.roomId, after);

      const stateIds = listAt(ok(ids), "pdu_ids");
      expectThat(stateIds.includes(before), "the topic before in the state", stateIds, ids);
      expectThat(!stateIds.includes(after), "not the event itself in the state", stateIds, ids);
      const expected = eventsAt({ events: shown.json }, "events").map(({ event_id }) => event_id);
      expectEqual([...stateIds].sort(), expected.sort(), "the ids of the state before it", ids);
      const served = idsIn(ok(state), "pdus", room.version);
      expectEqual([...served].sort(), [...stateIds].sort(), "the events of /state", state);
      const chain = new Set(listAt(ids.json, "auth_chain_ids"));
      const servedChain = idsIn(state.json, "auth_chain", room.version);
      expectEqual(new Set(servedChain), chain, "the chain", state);
      for (const event of [...listAt(state.json, "auth_chain"), ...listAt(state.json, "pdus")]) {
        for (const id of listAt(event, "auth_events")) {
          expectThat(chain.has(id), `${id} in the closed auth chain`, [...chain], ids);
        }
      }
      expectMatrixError(unknown, 404, "M_NOT_FOUND");
      expectMatrixError(refused, 403, "M_FORBIDDEN");
    }
  },
);

check(
  "FED.dag.event-auth",
  "the server answers with the whole auth chain of the event",
  {
    mutant: altersAnswer(
      "leaves the chain out",
      { from: "peer-*", path: `${API}/event_auth/**` },
      { set: { "/auth_chain": [] } },
    ),
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
