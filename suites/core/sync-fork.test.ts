import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { folded, SYNC } from "./syncs.ts";

const FILTERED = "org.matrix-crucible.filtered";

check(
  "CS.sync.filtered-timeline-state",
  "the server delivers the state of a fork when the filter drops the event that merges it",
  {
    mutant: altersAnswer(
      "leaves the state out",
      { path: SYNC, contains: FILTERED },
      { set: { "/rooms/join/*/state/events": [], "/rooms/join/*/timeline/events": [] } },
    ),
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const roomId = await alice.createRoom({
      preset: "public_chat",
      power_level_content_override: { state_default: 0 },
    });
    const mallory = peer.user("mallory");
    const room = await peer.join(roomId, mallory, { via: alice.server.serverName });
    const since = await alice.syncToken();
    const prevEvents = room.extremities;
    for (const text of ["beside the fork", "beside it as well"]) await alice.send(roomId, text);

    const fork = room.build({
      type: "m.room.topic",
      stateKey: "",
      sender: mallory,
      content: { topic: "of the fork" },
      prevEvents,
    });
    await peer.transmit(room, fork);
    await world.eventually(async () => {
      const content = await alice.state(roomId, "m.room.topic");
      expectEqual(content?.topic, "of the fork", "the topic of the room");
    });
    const merging = await alice.send(roomId, {}, FILTERED);
    const { pdu } = await peer.waitForPdu(room, "the merging event", ({ id }) => id === merging);
    const timeline = { limit: 1, not_types: [FILTERED] };
    const bodies = [
      await alice.sync({ filter: { room: { timeline } } }),
      await alice.sync({ since, filter: { room: { timeline } } }),
    ];

    const merged = pdu.json.prev_events as readonly string[];
    expectThat(merged.includes(fork.id), "the fork among what the last event follows", merged);
    for (const body of bodies) {
      const state = folded(body, roomId);
      expectEqual(state["m.room.topic|"], fork.id, "the topic in state and timeline");
    }
  },
);
