import { ALL_STATE, allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import type { RoomResult } from "#harness/clients/sliding-sync/response";
import { stateKeyOf } from "#harness/clients/sliding-sync/view";
import { path } from "#harness/http/client";
import type { JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { stateKeysOf, timelineOf } from "./results.ts";
import { answers, inEachDialect } from "./sync.ts";

const EARLIER = "name of before";
const LATER = "name of afterwards";
const EVERYTHING = { timelineLimit: 20, requiredState: ALL_STATE };

function event(type: string, content: JsonObject) {
  return {
    type,
    state_key: "",
    sender: "@bob:example.org",
    content: content as { name: string },
    event_id: "$later",
    origin_server_ts: 1,
  };
}

function subscription(roomId: string): SlidingRequest {
  return { subscriptions: { [roomId]: EVERYTHING } };
}

check(
  "MSC4186.sub.never-member-no-leak",
  "the server shows nothing of a room to a user who has no membership in it",
  { mutant: answers("shows a room", { set: { "/rooms": { "!foreign:example.org": {} } } }) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const visibility = { history_visibility: "world_readable" };
      const [hidden, open, readable] = await Promise.all([
        bob.createRoom({ preset: "private_chat" }),
        bob.createRoom({ preset: "public_chat" }),
        bob.createRoom({
          preset: "public_chat",
          initial_state: [
            { type: "m.room.history_visibility", state_key: "", content: visibility },
          ],
        }),
      ]);
      const own = await alice.createRoom();
      const subscriptions = Object.fromEntries(
        [hidden, open, readable, own].map((id) => [id, EVERYTHING]),
      );
      const request = { ...allRooms({ timelineLimit: 1 }), subscriptions };
      const connection = sync.connection(alice);

      const first = await connection.initial(request);
      for (const roomId of [hidden, open, readable]) await bob.send(roomId, "not for alice");
      const fence = await alice.send(own, "for alice");
      const later = await connection.until(request, `event ${fence}`, (synced) =>
        timelineOf(synced.rooms[own]).includes(fence) ? synced : undefined,
      );

      for (const { rooms, counts, http } of [first, later]) {
        expectEqual(Object.keys(rooms), [own], "the rooms", http);
        expectEqual(counts, { all: 1 }, "the counts", http);
      }
    });
  },
);

check(
  "MSC4186.sub.left-room",
  "the server shows a room that was left as it was then",
  {
    mutant: [
      answers("shows the later name", { set: { "/rooms/*/name": LATER } }),
      answers("shows later events", {
        set: { "/rooms/*/timeline/-": event("m.room.name", { name: LATER }) },
      }),
      answers("shows later state", {
        set: { "/rooms/*/required_state": [event("m.room.name", { name: LATER })] },
      }),
      answers("counts later members", { set: { "/rooms/*/joined_count": 2 } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const roomId = await bob.createRoom({ preset: "public_chat", name: EARLIER });
      await alice.join(roomId);
      await alice.leave(roomId);
      await bob.send(roomId, "after the leave");
      await bob.setState(roomId, "m.room.name", { name: LATER });
      await carol.join(roomId);

      const { rooms, http } = await sync.connection(alice).initial(subscription(roomId));

      const room = rooms[roomId];
      if (room === undefined) return world.note("a room that was left can not be subscribed to");
      const last = room.timeline?.at(-1);
      const end = [last?.type, last?.state_key, last?.content.membership];
      expectEqual(end, ["m.room.member", alice.userId, "leave"], "the end of the timeline", http);
      expectEqual(room.name ?? EARLIER, EARLIER, "the name", http);
      const isLater = JSON.stringify(room.required_state ?? []).includes(LATER);
      expectThat(!isLater, "state as of the leave", room.required_state, http);
      const hasCarol = stateKeysOf(room).includes(`m.room.member|${carol.userId}`);
      expectThat(!hasCarol, "no member that came after the leave", stateKeysOf(room), http);
      expectEqual(room.joined_count ?? 1, 1, "the number of joined members", http);
      if (sync.dialect.name === "stable") {
        expectEqual(room.membership, "leave", "the membership", http);
      }
    });
  },
);

/** How a user comes to have been invited or to have knocked, and to be so no longer. */
interface Story {
  readonly joinRule: string;
  readonly begin: (alice: Session, bob: Session, roomId: string) => Promise<void>;
  readonly end: (alice: Session, bob: Session, roomId: string) => Promise<void>;
}

async function expectNoMoreThanStripped(
  world: World,
  { joinRule, begin, end }: Story,
): Promise<void> {
  await inEachDialect(world, async (sync) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await bob.createRoom({
      preset: "private_chat",
      name: EARLIER,
      initial_state: [
        { type: "m.room.join_rules", state_key: "", content: { join_rule: joinRule } },
        { type: "org.example.crucible", state_key: "", content: { secret: true } },
      ],
    });
    await bob.send(roomId, "not for alice");
    await begin(alice, bob, roomId);
    const shown = (await sync.connection(alice).initial(subscription(roomId))).rooms[roomId];
    await end(alice, bob, roomId);
    await bob.setState(roomId, "m.room.name", { name: LATER });

    const requests = [subscription(roomId), allRooms(EVERYTHING)];
    for (const request of requests) {
      const { rooms, http } = await sync.connection(alice).initial(request);
      const room = rooms[roomId];
      if (room === undefined) continue;
      const ownKey = `m.room.member|${alice.userId}`;
      const allowed = [...(shown?.stripped_state ?? []).map(stateKeyOf), ownKey];
      const surplus = [...stateKeysOf(room), ...strippedKeysOf(room)].filter(
        (key) => !allowed.includes(key),
      );
      expectEqual(surplus, [], "state beyond the stripped state", http);
      const foreign = (room.timeline ?? []).filter((entry) => stateKeyOf(entry) !== ownKey);
      expectEqual(foreign.map(stateKeyOf), [], "events that are not the own membership", http);
      expectThat(!JSON.stringify(room).includes(LATER), "nothing of a later name", room, http);
      const heroes = (room.heroes ?? []).map(({ user_id }) => user_id);
      expectEqual(
        heroes.filter((id) => id !== alice.userId),
        [],
        "other members",
        http,
      );
    }
  });
}

function strippedKeysOf(room: RoomResult): readonly string[] {
  return (room.stripped_state ?? []).map(stateKeyOf);
}

const SHOWS_MORE = answers("shows the power levels", {
  set: { "/rooms/*/required_state": [event("m.room.power_levels", {})] },
});
const invite: Story["begin"] = (alice, bob, roomId) => bob.invite(roomId, alice);

check(
  "MSC4186.sub.rejected-invite-no-state",
  "the server shows no more than the invite had to a user who declined it",
  { mutant: SHOWS_MORE },
  async (world) => {
    const end: Story["end"] = (alice, _, roomId) => alice.leave(roomId);
    await expectNoMoreThanStripped(world, { joinRule: "invite", begin: invite, end });
  },
);

check(
  "MSC4186.sub.rejected-invite-no-state",
  "the server shows no more than the invite had to a user whose invite was withdrawn",
  { mutant: SHOWS_MORE },
  async (world) => {
    const end: Story["end"] = (alice, bob, roomId) => bob.kick(roomId, alice);
    await expectNoMoreThanStripped(world, { joinRule: "invite", begin: invite, end });
  },
);

check(
  "MSC4186.sub.rejected-invite-no-state",
  "the server shows no more than the knock had to a user whose knock was refused",
  { mutant: SHOWS_MORE },
  async (world) => {
    const begin: Story["begin"] = async (alice, _, roomId) => {
      ok(await alice.post(path`/_matrix/client/v3/knock/${roomId}`));
    };
    const end: Story["end"] = (alice, bob, roomId) => bob.kick(roomId, alice);
    await expectNoMoreThanStripped(world, { joinRule: "knock", begin, end });
  },
);

check(
  "MSC4186.sub.ban-never-joined-no-data",
  "the server shows nothing of a room to a user who was banned without ever joining",
  {
    mutant: answers("shows a room", {
      set: { "/rooms": { "!foreign:example.org": { name: LATER } } },
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [mallory, bob] = await world.users("mallory", "bob");
      const roomId = await bob.createRoom({ preset: "private_chat", name: EARLIER });
      await bob.send(roomId, "not for mallory");
      await bob.ban(roomId, mallory);

      for (const request of [allRooms(EVERYTHING), subscription(roomId)]) {
        const { rooms, http } = await sync.connection(mallory).initial(request);

        for (const room of Object.values(rooms)) {
          const own = `m.room.member|${mallory.userId}`;
          const entries = [...(room.required_state ?? []), ...(room.timeline ?? [])];
          const foreign = entries.map(stateKeyOf).filter((key) => key !== own);
          expectEqual(foreign, [], "state and events besides the own ban", http);
          expectEqual(room.name ?? null, null, "the name", http);
          const heroes = (room.heroes ?? []).map(({ user_id }) => user_id);
          expectEqual(
            heroes.filter((id) => id !== mallory.userId),
            [],
            "other members",
            http,
          );
          world.note("the own ban is shown");
        }
      }
    });
  },
);
