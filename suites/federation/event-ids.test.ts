import { path } from "#harness/http/client";
import { eventsAt, listAt, textAt } from "#harness/match/json";
import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { listed } from "./rejection.ts";

check(
  "FED.sig.event-id-hash",
  "the server names events by their hashes, and sends no ids",
  {
    mutant: [
      altersAnswer(
        "makes up an id",
        { path: "/_matrix/client/v3/rooms/*/messages" },
        { set: { "/chunk/0/event_id": `$${"A".repeat(43)}` } },
      ),
      ...[
        "/_matrix/federation/v1/backfill/*",
        "/_matrix/federation/v1/event/*",
        "/_matrix/federation/v1/state/*",
      ].map((served) => ({
        name: `sends an id in ${served}`,
        rules: [
          {
            match: { from: "peer-*", path: served },
            phase: "processed" as const,
            action: { kind: "rewrite" as const, set: { "/pdus/*/event_id": "$an-id" } },
          },
        ],
      })),
      altersAnswer(
        "sends an id in the answer to a join",
        { from: "peer-*", path: "/_matrix/federation/v2/send_join/**" },
        { set: { "/auth_chain/*/event_id": "$an-id" } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "3", "4", "10", "12")) {
      const creation = { creation_content: { "x.more": 1 } };
      const { alice, peer, room } = await meet(world, { version, creation });
      const client = peer.client();
      for (const text of ["1", "2", "3"]) await alice.send(room.roomId, text);
      const last = await alice.setState(room.roomId, "m.room.topic", { topic: "last" });
      const idsIn = (body: unknown, key: string) =>
        listAt(body, key).map((json) => {
          expectThat(!Object.hasOwn(json as object, "event_id"), "a PDU without event_id", json);
          return eventId(json as JsonObject, room.version);
        });

      const backfill = ok(await client.backfill(room.roomId, [last], 100));
      const one = ok(await client.event(last));
      const state = ok(await client.state(room.roomId, last));
      const { pdu } = await peer.prepare("join", room.roomId, peer.user("second"));
      const joined = ok(await client.sendJoin(room.roomId, pdu));
      const messages = ok(
        await alice.get(path`/_matrix/client/v3/rooms/${room.roomId}/messages`, {
          dir: "b",
          limit: 100,
        }),
      );

      const known = eventsAt(messages, "chunk").map((event) => textAt(event, "event_id"));
      const [join = ""] = known;
      expectEqual(join, pdu.id, "the id of the second join");
      expectEqual(new Set(idsIn(backfill, "pdus")), new Set(known.slice(1)), "ids by /backfill");
      expectEqual(idsIn(one, "pdus"), [last], "the id by /event");
      const served = [
        ...idsIn(state, "pdus"),
        ...idsIn(state, "auth_chain"),
        ...idsIn(joined, "state"),
        ...idsIn(joined, "auth_chain"),
      ];
      for (const id of served) {
        expectThat(known.includes(id), `${id} among the ids that clients see`, known);
      }
    }
  },
);
