import { ALL_STATE, allRooms } from "#harness/clients/sliding-sync/request";
import type { RoomResult } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { eventsAt, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { idsIn, LATER, resultOf, setDirect, settled } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

const REQUEST = allRooms({ timelineLimit: 5, requiredState: ALL_STATE });

/** What a client knows from a result that stands for the whole room. */
function contentsOf(room: RoomResult) {
  return {
    name: room.name ?? undefined,
    avatar: room.avatar ?? undefined,
    heroes: room.heroes?.map(({ user_id }) => user_id),
    isDm: room.is_dm ?? false,
    joined: room.joined_count,
    invited: room.invited_count,
    state: stateIdsOf(room),
    timeline: idsIn(room),
  };
}

function stateIdsOf({ required_state: state = [] }: RoomResult): readonly string[] {
  return state.map((event) => textAt(event, "event_id")).sort();
}

check(
  "MSC4186.meta.initial-flag",
  "the server marks the first result of a room, and those that replace all, as initial",
  {
    mutant: [
      answers("never marks one", { remove: ["/rooms/*/initial"] }),
      answers("marks deltas", { set: { "/rooms/*/initial": true } }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ preset: "public_chat", name: "a room" });
      await bob.join(roomId);
      const connection = sync.connection(bob);

      const first = resultOf(await connection.initial(REQUEST), roomId);
      const delta = await connection.untilEvent(REQUEST, roomId, await alice.send(roomId, "new"));
      await bob.leave(roomId);
      await bob.join(roomId);
      const last = await alice.send(roomId, "after the return");
      await settled(bob, roomId, last);
      const back = await connection.untilEvent(REQUEST, roomId, last);

      expectEqual(first.initial, true, "initial in the first result");
      expectEqual(delta.initial ?? false, false, "initial in a delta");
      if (back.initial !== true) return;
      const fresh = resultOf(await sync.connection(bob, "fresh").initial(REQUEST), roomId);
      expectEqual(contentsOf(back), contentsOf(fresh), "a later result with initial true");
    });
  },
);

check(
  "MSC4186.meta.initial-complete",
  "the server sends all metadata of a room with initial true",
  {
    mutant: [
      "name",
      "avatar",
      "heroes",
      "joined_count",
      "invited_count",
      "is_dm",
      "bump_stamp",
      "required_state/0",
    ].map((key) => answers(`leaves out ${key}`, { remove: [`/rooms/*/${key}`] })),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const avatar = "mxc://example.org/avatar";
      const named = await alice.createRoom({
        name: "named",
        initial_state: [{ type: "m.room.avatar", state_key: "", content: { url: avatar } }],
      });
      const direct = await alice.createRoom({ is_direct: true });
      await alice.invite(direct, bob);
      await bob.join(direct);
      await alice.invite(direct, carol);
      await setDirect(alice, { [bob.userId]: [direct] });

      const first = await sync.connection(alice).initial(REQUEST);

      const [room, dm] = [resultOf(first, named), resultOf(first, direct)];
      expectEqual([room.name, room.avatar], ["named", avatar], "name and avatar");
      expectEqual([dm.name, dm.avatar], [undefined, undefined], "those of a room without");
      expectEqual([room.is_dm ?? false, dm.is_dm], [false, true], "is_dm of both rooms");
      const heroes = (dm.heroes ?? []).map(({ user_id }) => user_id);
      expectEqual(heroes.sort(), [bob.userId, carol.userId].sort(), "the heroes");
      for (const [roomId, result] of Object.entries({ [named]: room, [direct]: dm })) {
        const state = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
        const ids = listAt({ state: state.json }, "state").map((event) =>
          textAt(event, "event_id"),
        );
        expectEqual(stateIdsOf(result), ids.sort(), "the state");
        const members = ok(await alice.get(path`/_matrix/client/v3/rooms/${roomId}/members`));
        const countOf = (membership: string) =>
          eventsAt(members, "chunk").filter(({ content }) => content.membership === membership)
            .length;
        expectEqual(result.joined_count, countOf("join"), "joined_count");
        expectEqual(result.invited_count ?? 0, countOf("invite"), "invited_count");
        expectThat(result.bump_stamp !== undefined, "a bump_stamp", result.bump_stamp);
      }
    });
  },
);
