import { at } from "#harness/match/json";
import { expectUnknown, meet, message, SEND } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, expectThat } from "#harness/world/expect";
import { altersRequest, refuses } from "#harness/world/mutants";
import { shows } from "./mutants.ts";
import { listed } from "./rejection.ts";

/** Of canonical JSON, and of depth from room version 6 on. */
const MAX_DEPTH = Number.MAX_SAFE_INTEGER;

/** Ids of events that do not exist. */
function invented(count: number, letter: string): readonly string[] {
  return Array.from({ length: count }, (_, index) => `$${String(index).padStart(43, letter)}`);
}

check(
  "FED.dag.max-prev-auth",
  "the server refuses events with more than 20 previous events or 10 auth events",
  { mutant: shows("shows such an event", { body: "too many" }) },
  async (world) => {
    for (const version of listed(world, "4", "10", "12")) {
      const { alice, peer, mallory, room } = await meet(world, { version });
      const prevEvents = room.extremities;
      const forks = Array.from({ length: 21 }, (_, index) =>
        room.build({ ...message(mallory, `fork ${index}`), prevEvents }),
      );
      const { auth_events: authEvents } = room.build(message(mallory, "as it should be")).json;
      const selected = authEvents as readonly string[];
      const draft = message(mallory, "too many");
      for (const fork of forks) room.add(fork);
      const refused = [
        room.build({ ...draft, prevEvents: forks.map(({ id }) => id) }),
        room.build({ ...draft, prevEvents: invented(21, "A") }),
        room.build({
          ...draft,
          authEvents: [...selected, ...invented(11 - selected.length, "B")],
        }),
      ];

      await peer.transmit(room, ...forks);
      await peer.transmit(room, ...refused);
      // Follows twenty of the forks, which is not too many.
      await peer.fence(room, alice);

      for (const { id } of refused) await expectUnknown(alice, room, id);
      const asked = peer.requests.items.filter(({ uri, text }) =>
        /A{30}|B{30}/.test(`${uri} ${text}`),
      );
      expectThat(asked.length <= 2, "no storm of requests for invented events", asked.length);
      expectStatus(await alice.get("/_matrix/client/versions"), 200);
    }
  },
);

check(
  "FED.dag.depth-cap",
  "the server gives its events no depth above the limit",
  {
    mutant: [
      refuses(
        "can no longer send",
        { path: "/_matrix/client/v3/rooms/*/send/**" },
        500,
        "M_UNKNOWN",
      ),
      altersRequest(
        "adds one",
        { from: "hs1", to: "peer-*", path: SEND, contains: "m.room.message" },
        { set: { "/pdus/*/depth": MAX_DEPTH + 1 } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "6", "10", "12")) {
      const { alice, peer, mallory, room } = await meet(world, { version });
      const deepest = room.build({ ...message(mallory, "deepest"), depth: MAX_DEPTH });

      await peer.transmit(room, deepest);
      // Beside it, not on top, for a server may refuse it.
      await peer.fence(room, alice);
      room.add(deepest);
      const sent = await alice.send(room.roomId, "after it");

      const { pdu, problem } = await peer.waitForPdu(room, "the message", ({ id }) => id === sent);
      expectEqual(problem, undefined, `the problem with the message in version ${version}`);
      const depth = at(pdu.json, "depth");
      expectThat(
        typeof depth === "number" && depth <= MAX_DEPTH,
        `a depth of at most ${MAX_DEPTH} in version ${version}`,
        depth,
      );
    }
  },
);
