import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { EVENT, expectUnknown, meet, message } from "./meeting.ts";

/** Of canonical JSON, and of depth from room version 6 on. */
const MAX_DEPTH = Number.MAX_SAFE_INTEGER;

check(
  "FED.dag.max-prev-auth",
  "the server refuses events with more than 20 previous events or 10 auth events",
  {
    mutant: {
      name: "shows such an event",
      rules: [
        {
          match: { path: EVENT, status: 404 },
          phase: "processed",
          action: { kind: "rewrite", status: 200, body: { type: "m.room.message", content: {} } },
        },
      ],
    },
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const { extremities } = room;
    const forks = Array.from({ length: 21 }, (_, index) =>
      room.build({ ...message(mallory, `fork ${index}`), prevEvents: extremities }),
    );
    const { auth_events: authEvents } = room.build(message(mallory, "as it should be")).json;
    const selected = authEvents as readonly string[];
    for (const fork of forks) room.add(fork);
    const manyPrev = room.build({
      ...message(mallory, "too many previous events"),
      prevEvents: forks.map(({ id }) => id),
    });
    const invented = Array.from(
      { length: 11 - selected.length },
      (_, index) => `$${String(index).padStart(43, "A")}`,
    );
    const manyAuth = room.build({
      ...message(mallory, "too many auth events"),
      authEvents: [...selected, ...invented],
    });

    await peer.transmit(room, ...forks);
    await peer.transmit(room, manyPrev, manyAuth);
    // Follows twenty of the forks, which is not too many.
    await peer.fence(room, alice);

    await expectUnknown(alice, room, manyPrev.id);
    await expectUnknown(alice, room, manyAuth.id);
    const asked = peer.requests.items.filter(({ uri }) => uri.includes("AAAA"));
    expectThat(asked.length <= 2, "no storm of requests for invented events", asked.length);
  },
);

check(
  "FED.dag.depth-cap",
  "the server gives its events no depth above the limit",
  {
    mutant: {
      name: "can no longer send",
      rules: [
        {
          match: { path: "/_matrix/client/v3/rooms/*/send/**" },
          phase: "before",
          action: { kind: "answer", status: 500, body: { errcode: "M_UNKNOWN", error: "" } },
        },
      ],
    },
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const deepest = room.build({ ...message(mallory, "deepest"), depth: MAX_DEPTH });

    await peer.transmit(room, deepest);
    // Beside it, not on top, for a server may refuse it.
    await peer.fence(room, alice);
    const sent = await alice.send(room.roomId, "after it");

    const { pdu, problem } = await peer.waitForPdu(room, "the message", ({ id }) => id === sent);
    expectEqual(problem, undefined, "the problem with the message");
    const { depth } = pdu.json;
    expectThat(
      typeof depth === "number" && depth <= MAX_DEPTH,
      `a depth of at most ${MAX_DEPTH}`,
      depth,
    );
  },
);
