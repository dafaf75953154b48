import { STABLE, UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import {
  allRooms,
  type RequiredState,
  type SlidingRequest,
  stateOf,
} from "#harness/clients/sliding-sync/request";
import type { RoomResult } from "#harness/clients/sliding-sync/response";
import type { MatrixEvent } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { stateIdsOf, stateKeysOf, stateOfRoom } from "./results.ts";
import { answers, answersInstead, inDialect, inEachDialect, reads, type Sync } from "./sync.ts";

const FORGETS = answers("leaves state out", { remove: ["/rooms/*/required_state/0"] });
const SURPLUS = answers("sends other state", {
  set: {
    "/rooms/*/required_state": [
      {
        type: "m.room.topic",
        state_key: "",
        sender: "@a:b",
        content: {},
        event_id: "$surplus",
        origin_server_ts: 1,
      },
    ],
  },
});

const NOTHING = answersInstead("sends nothing", 200, {
  pos: "1",
  lists: { all: { count: 0 } },
  rooms: {},
});

/** The room as a new connection gets it. */
async function roomWith(
  sync: Sync,
  session: Session,
  roomId: string,
  requiredState: RequiredState,
): Promise<RoomResult> {
  const request = allRooms({ timelineLimit: 1, requiredState });
  const { rooms } = await sync.connection(session).initial(request);
  const room = rooms[roomId];
  expectThat(room !== undefined, "the room", rooms);
  return room;
}

function idsOf(events: readonly MatrixEvent[]): readonly string[] {
  return events.map(({ event_id }) => event_id).sort();
}

check(
  "MSC4186.state.none",
  "the server sends no state when none is asked for, and the room's name all the same",
  {
    mutant: [
      SURPLUS,
      answers("makes no name without the name event", { remove: ["/rooms/*/name"] }),
      answers("makes no avatar without the event", { remove: ["/rooms/*/avatar"] }),
      answers("names no heroes without member events", { remove: ["/rooms/*/heroes"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const url = "mxc://crucible.example/avatar";
      const [named, unnamed] = await Promise.all([
        alice.createRoom({ name: "named" }),
        alice.createRoom({ invite: [bob.userId] }),
      ]);
      await alice.setState(named, "m.room.avatar", { url });

      const { rooms } = await sync
        .connection(alice)
        .initial(allRooms({ timelineLimit: 1, requiredState: {} }));

      const states = [named, unnamed].map((id) => rooms[id]?.required_state ?? []);
      expectEqual(states, [[], []], "the required states");
      expectEqual(rooms[named]?.name, "named", "the name");
      expectEqual(rooms[named]?.avatar, url, "the avatar");
      const heroes = rooms[unnamed]?.heroes?.map(({ user_id }) => user_id);
      expectEqual(heroes, [bob.userId], "the heroes of a room without a name");
    });
  },
);

check(
  "MSC4186.state.wildcard-key",
  "the server sends all state of a type when no key is named",
  { mutant: [FORGETS, reads("takes no key for the empty one", [["m.space.child", "m.nothing"]])] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ creation_content: { type: "m.space" } });
      const via = { via: [alice.server.serverName] };
      const sent: string[] = [];
      for (const child of ["!a:crucible.example", "!b:crucible.example", "!c:crucible.example"]) {
        sent.push(await alice.setState(roomId, "m.space.child", via, child));
      }

      const room = await roomWith(sync, alice, roomId, { include: [{ type: "m.space.child" }] });

      expectEqual(stateIdsOf(room), sent.sort(), "the ids of the required state");
    });
  },
);

check(
  "MSC4186.state.wildcard-type",
  "the server sends all state with the empty key when no type is named",
  { mutant: NOTHING },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ name: "named" });

      const room = await roomWith(sync, alice, roomId, { include: [{ stateKey: "" }] });

      const state = await stateOfRoom(alice, roomId);
      const expected = state.filter((event) => event.state_key === "");
      expectEqual(stateIdsOf(room), idsOf(expected), "the ids of the required state");
    });
  },
);

check(
  "MSC4186.state.wildcard-type",
  "the server sends all state with a user's id as its key when no type is named",
  { mutant: [FORGETS, SURPLUS] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ name: "named", invite: [bob.userId] });
      await alice.setState(roomId, "org.example.crucible", { any: "thing" }, alice.userId);

      const room = await roomWith(sync, alice, roomId, { include: [{ stateKey: alice.userId }] });

      const types = ["m.room.member", "org.example.crucible"];
      const expected = types.map((type) => `${type}|${alice.userId}`);
      expectEqual(stateKeysOf(room), expected, "the required state");
    });
  },
);

check(
  "MSC4186.state.exclude",
  "the server leaves out of the state what is excluded",
  { mutant: [FORGETS, reads("does not know exclude", [['"exclude"', '"x_exclude"']])] },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom({ name: "named" });
      const exclude = [{ type: "m.room.create", stateKey: "" }];

      const room = await roomWith(sync, alice, roomId, { include: [{}], exclude });

      const state = await stateOfRoom(alice, roomId);
      const expected = state.filter(({ type }) => type !== "m.room.create");
      expectEqual(stateIdsOf(room), idsOf(expected), "the ids of the required state");
    });
  },
);

check(
  "MSC4186.state.exclude-per-rule",
  "the server excludes nothing that another rule includes",
  { mutant: answers("excludes from all rules", { remove: ["/rooms/*/required_state"] }) },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const exclude = [{ type: "m.room.create", stateKey: "" }];
      const request: SlidingRequest = {
        ...allRooms({ timelineLimit: 1, requiredState: { include: [{}], exclude } }),
        subscriptions: { [roomId]: { timelineLimit: 1, requiredState: stateOf("m.room.create") } },
      };

      const { rooms } = await sync.connection(alice).initial(request);

      const keys = stateKeysOf(rooms[roomId]);
      expectThat(keys.includes("m.room.create|"), "the create event", keys);
    });
  },
);

check(
  "MSC4186.state.me",
  "the server takes $ME for the id of the user who asks",
  { mutant: [FORGETS, reads("takes $ME for any user", [["$ME", "*"]])] },
  async (world) => {
    await inDialect(world, UNSTABLE, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ invite: [bob.userId] });
      await bob.join(roomId);

      const include = [{ type: "m.room.member", stateKey: "$ME" }];
      const room = await roomWith(sync, alice, roomId, { include });

      expectEqual(stateKeysOf(room), [`m.room.member|${alice.userId}`], "the required state");
    });
  },
);

check(
  "MSC4186.state.no-magic-keys",
  "the server takes the signs of the unstable dialect at their word",
  {
    mutant: [
      reads("knows $ME", [['"state_key":"$ME"', '"x":"$ME"']]),
      reads("knows the asterisk", [['"type":"*"', '"x":"*"']]),
    ],
  },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();

      for (const element of [
        { type: "m.room.member", stateKey: "$ME" },
        { type: "m.room.member", stateKey: "$LAZY" },
        { type: "m.room.member", stateKey: "*" },
        { type: "*", stateKey: "" },
      ]) {
        const room = await roomWith(sync, alice, roomId, { include: [element] });
        expectEqual(stateKeysOf(room), [], `the state with ${JSON.stringify(element)}`);
      }
    });
  },
);
