import { allRooms, type Filters } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { expectMatches, tag } from "./filters.ts";
import { answers, answersInstead, inEachDialect, reads } from "./sync.ts";

const OWN_TYPE = "org.example.crucible";

/** A space, a plain room, and a room of a type that no server knows. */
async function roomsOfTypes(session: Session): Promise<readonly [string, string, string]> {
  const make = (type?: string) =>
    session.createRoom(type === undefined ? {} : { creation_content: { type } });
  return await Promise.all([make("m.space"), make(), make(OWN_TYPE)]);
}

check(
  "MSC4186.filter.room-types",
  "the server selects rooms by their type, of which null means none",
  {
    mutant: [
      reads("does not know the filter", [['"room_types"', '"x_room_types"']]),
      reads("leaves null out", [["[null", "["]]),
      reads("takes null for any", [['"room_types":[null]', '"x_room_types":[null]']]),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const [space, plain, own] = await roomsOfTypes(alice);

      await expectMatches(sync, alice, { roomTypes: ["m.space"] }, [space]);
      await expectMatches(sync, alice, { roomTypes: [null] }, [plain]);
      await expectMatches(sync, alice, { roomTypes: [null, OWN_TYPE] }, [plain, own]);
      await expectMatches(sync, alice, undefined, [space, plain, own]);
    });
  },
);

check(
  "MSC4186.filter.not-room-types",
  "the server leaves out rooms by their type, whatever else selects them",
  {
    mutant: [
      reads("does not know the filter", [['"not_room_types"', '"x_room_types"']]),
      reads("lets room_types win", [['],"not_room_types":["m.space"]', "]"]]),
      reads("does not leave out plain rooms", [['"not_room_types":[null]', '"not_room_types":[]']]),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const [space, plain, own] = await roomsOfTypes(alice);
      const [only, without] = [{ roomTypes: ["m.space"] }, { notRoomTypes: ["m.space"] }];

      await expectMatches(sync, alice, { ...only, ...without }, []);
      await expectMatches(sync, alice, without, [plain, own]);
      await expectMatches(sync, alice, { notRoomTypes: [null] }, [space, own]);
    });
  },
);

check(
  "MSC4186.filter.empty-array",
  "the server matches nothing with an empty array",
  {
    mutant: [
      answers("makes something else of it", { set: { "/lists/*/count": 1 } }),
      answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const [plain, tagged] = await Promise.all([alice.createRoom(), alice.createRoom()]);
      await tag(alice, tagged, "u.crucible");
      const all = [plain, tagged].sort();

      const given: readonly Filters[] = [{ roomTypes: [] }, { tags: [] }];
      for (const filters of given) {
        const request = allRooms({ timelineLimit: 1, filters });
        const { rooms, counts, http } = await sync.connection(alice).initial(request);

        const ids = Object.keys(rooms).sort();
        expectThat([0, all.length].includes(counts.all ?? -1), "none or all rooms", counts, http);
        expectEqual(ids, counts.all === 0 ? [] : all, "the rooms that were counted", http);
        const [name] = Object.keys(filters);
        if (counts.all !== 0) world.note(`an empty array in ${name} is taken as none at all`);
      }
    });
  },
);

check(
  "MSC4186.filter.tags",
  "the server selects rooms that have one of the tags, and none of those to leave out",
  {
    mutant: [
      reads("does not know tags", [['"tags"', '"x_tags"']]),
      reads("does not know not_tags", [['"not_tags"', '"x_not_tags"']]),
      reads("looks at the first tag only", [['"tags":["u.a","u.b"]', '"tags":["u.a"]']]),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const make = () => alice.createRoom();
      const [a, b, both, none] = await Promise.all([make(), make(), make(), make()]);
      for (const roomId of [a, both]) await tag(alice, roomId, "u.a");
      for (const roomId of [b, both]) await tag(alice, roomId, "u.b");

      await expectMatches(sync, alice, { tags: ["u.a", "u.b"] }, [a, b, both]);
      await expectMatches(sync, alice, { tags: ["u.a"], notTags: ["u.b"] }, [a]);
      await expectMatches(sync, alice, { notTags: ["u.a"] }, [b, none]);
    });
  },
);

check(
  "MSC4186.filter.spaces",
  "the server selects direct children of the spaces that the user is in",
  {
    mutant: [
      reads("does not know the filter", [['"spaces"', '"x_spaces"']]),
      answersInstead("finds no children", 200, { pos: "1", lists: { all: { count: 0 } } }),
      answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const space = { creation_content: { type: "m.space" } };
      const [parent, nested] = await Promise.all([
        alice.createRoom(space),
        alice.createRoom(space),
      ]);
      const make = () => alice.createRoom();
      const [child, grandchild, former] = await Promise.all([make(), make(), make()]);
      const foreign = await bob.createRoom({ ...space, preset: "public_chat" });
      const via = { via: [alice.server.serverName] };
      await alice.setState(parent, "m.space.child", via, child);
      await alice.setState(parent, "m.space.child", via, nested);
      await alice.setState(parent, "m.space.child", {}, former);
      await alice.setState(nested, "m.space.child", via, grandchild);
      await bob.setState(foreign, "m.space.child", via, former);

      await expectMatches(sync, alice, { spaces: [parent] }, [child, nested]);
      await expectMatches(sync, alice, { spaces: [parent, nested] }, [child, nested, grandchild]);
      const others = [foreign, "!unknown:crucible.example"];
      await expectMatches(sync, alice, { spaces: [parent, ...others] }, [child, nested]);
    });
  },
);
