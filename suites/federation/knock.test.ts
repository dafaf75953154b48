import { path } from "#harness/http/client";
import { eventsAt, isObject } from "#harness/match/json";
import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { room as roomOf } from "#harness/world/session";
import { expectMembership, listed } from "./rejection.ts";

const SYNC = { path: "/_matrix/client/v3/sync" };
const MEMBER = { path: "/_matrix/client/v3/rooms/*/state/m.room.member/*", status: 200 };

check(
  "FED.hs.knock",
  "the server carries a knock to the room, and what is shown of the room to who knocks",
  {
    mutant: [
      altersAnswer("shows nothing of the room", SYNC, { remove: ["/rooms/knock/*/knock_state"] }),
      altersAnswer("keeps the knock to itself", MEMBER, { body: { membership: "leave" } }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
      const roomId = await alice.createRoom({
        preset: "public_chat",
        room_version: version,
        initial_state: [
          { type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } },
        ],
      });
      const via = alice.server.serverName;

      ok(await bob.post(path`/_matrix/client/v3/knock/${roomId}`, {}, { via, server_name: via }));

      const { found } = await bob.syncUntil(undefined, "the knock", (body) =>
        roomOf(body, "knock", roomId),
      );
      const shown = eventsAt(found, "knock_state", "events");
      const create = shown.find(({ type }) => type === "m.room.create");
      expectEqual(create?.sender, alice.userId, "the sender of the m.room.create that is shown");
      await world.eventually(async () => {
        const content = await alice.state(roomId, "m.room.member", bob.userId);
        expectEqual(content?.membership, "knock", "the membership in the room");
      });
    }
  },
);

const SEND_KNOCK = { from: "peer-*", path: "/_matrix/federation/v1/send_knock/**" };

check(
  "FED.hs.knock-create-pdu",
  "the server answers a knock with whole events, the create event among them",
  {
    mutant: [
      altersAnswer("strips the events", SEND_KNOCK, {
        remove: ["/knock_room_state/*/signatures", "/knock_room_state/*/auth_events"],
      }),
      altersAnswer("leaves the create event out", SEND_KNOCK, {
        replace: [["m.room.create", "m.other"]],
      }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room } = meeting;
      const knocker = peer.user("knocker");
      const id = await alice.setState(room.roomId, "m.room.join_rules", { join_rule: "knock" });
      await peer.waitForPdu(room, "the join rules", (pdu) => pdu.id === id);

      const { state } = await peer.knock(room.roomId, knocker);

      const events = state.filter(isObject);
      const creates = events.filter(({ type }) => type === "m.room.create");
      expectEqual(creates.length, 1, "the number of create events");
      for (const event of events) {
        for (const key of ["hashes", "signatures", "auth_events", "prev_events", "depth"]) {
          expectThat(key in event, `${key} in each event of knock_room_state`, event);
        }
      }
      await expectMembership(meeting, knocker, "knock");
    }
  },
);
