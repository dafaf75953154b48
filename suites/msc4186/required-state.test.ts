import { ALL_STATE, allRooms, stateOf } from "#harness/clients/sliding-sync/request";
import { isStub } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { stateKeysOf } from "./results.ts";
import { answers, inEachDialect } from "./sync.ts";

const FORGETS = answers("leaves state out", { remove: ["/rooms/*/required_state/0"] });

check(
  "MSC4186.state.exact",
  "the server sends the state that was asked for, whole, and no other",
  {
    mutant: [
      FORGETS,
      answers("sends what nobody asked for", {
        set: {
          "/rooms/*/required_state/-": {
            type: "m.room.topic",
            state_key: "",
            sender: "@a:b",
            content: {},
            event_id: "$x",
            origin_server_ts: 1,
          },
        },
      }),
      answers("sends bare contents", { remove: ["/rooms/*/required_state/*/event_id"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ name: "named", topic: "not asked for" });
      const request = allRooms({
        timelineLimit: 1,
        requiredState: stateOf("m.room.create", "m.room.name"),
      });

      const { rooms } = await sync.connection(alice).initial(request);

      const room = rooms[roomId];
      expectEqual(stateKeysOf(room), ["m.room.create|", "m.room.name|"], "the required state");
      expectThat(!room?.required_state?.some(isStub), "whole events", room?.required_state);
    });
  },
);

check(
  "MSC4186.state.wildcard-all",
  "the server sends all state when all is asked for",
  { mutant: FORGETS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ name: "named", topic: "with a topic" });
      const request = allRooms({ timelineLimit: 1, requiredState: ALL_STATE });

      const { rooms } = await sync.connection(alice).initial(request);

      const { json } = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
      const expected = listAt({ json }, "json").map((event) => textAt(event, "event_id"));
      const sent = (rooms[roomId]?.required_state ?? []).map((event) => textAt(event, "event_id"));
      expectEqual(sent.sort(), expected.sort(), "the ids of the state events");
    });
  },
);
