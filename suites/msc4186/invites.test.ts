import { stateOf } from "#harness/clients/sliding-sync/request";
import { at, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { EVERYTHING, fence, ignore, isMemberOf, ownRoom, untilMembership } from "./membership.ts";
import { LATER, resultOf, STRAY_EVENT, settled } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

/** Spec: client-server §Stripped state. */
const RECOMMENDED = [
  "m.room.create",
  "m.room.name",
  "m.room.avatar",
  "m.room.topic",
  "m.room.join_rules",
  "m.room.canonical_alias",
  "m.room.encryption",
];
const STRIPPED = ["/rooms/*/stripped_state", "/rooms/*/invite_state"];

check(
  "MSC4186.member.invite-stripped",
  "the server sends stripped state with an invite, the invite and the create event in it",
  {
    mutant: [
      answers("sends none", { remove: STRIPPED }),
      answers("leaves the invite out", { remove: STRIPPED.map((place) => `${place}/-1`) }),
      answers("sends no senders", { remove: STRIPPED.map((place) => `${place}/*/sender`) }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const { json } = await world.anonymous().get("/_matrix/client/versions");
      const versions = listAt({ json }, "json", "versions").map(String);
      const roomId = await alice.createRoom({
        name: "named",
        topic: "with a topic",
        room_alias_name: world.name("alias"),
        initial_state: [
          { type: "m.room.avatar", state_key: "", content: { url: "mxc://example.org/a" } },
          {
            type: "m.room.encryption",
            state_key: "",
            content: { algorithm: "m.megolm.v1.aes-sha2" },
          },
        ],
      });
      const connection = sync.connection(bob);
      await connection.initial(EVERYTHING);
      await alice.invite(roomId, bob);

      const live = await untilMembership(connection, EVERYTHING, roomId, "invite");
      const fresh = resultOf(await sync.connection(bob, "fresh").initial(EVERYTHING), roomId);

      for (const { stripped_state: stripped = [] } of [live, fresh]) {
        const own = stripped.find((event) => isMemberOf(event, bob.userId));
        expectEqual(own?.content.membership, "invite", "the own membership in stripped state");
        expectEqual(own?.sender, alice.userId, "the sender of the invite");
        const missing = RECOMMENDED.filter((type) =>
          stripped.every((event) => event.type !== type),
        );
        const isCreateDue = versions.some((version) => minorOf(version) >= 16);
        if (isCreateDue) {
          expectThat(!missing.includes("m.room.create"), "the create event", stripped);
        }
        if (missing.length > 0) world.note(`stripped state without ${missing.join(", ")}`);
        const known = ["type", "state_key", "sender", "content"];
        const more = stripped.flatMap((event) =>
          Object.keys(event).filter((key) => !known.includes(key)),
        );
        if (more.length > 0) world.note(`stripped events with ${[...new Set(more)].join(", ")}`);
      }
    });
  },
);

/** Of a version like `v1.16`; 0 for older ones. */
function minorOf(version: string): number {
  return Number(/^v1\.(\d+)$/.exec(version)?.[1] ?? 0);
}

check(
  "MSC4186.member.invite-no-leak",
  "the server sends nothing of a room to those invited but stripped state",
  {
    mutant: [
      answers("sends events", { set: { "/rooms/*/timeline": [STRAY_EVENT] } }),
      answers("sends state", {
        set: { "/rooms/*/required_state": [{ ...STRAY_EVENT, state_key: "" }] },
      }),
      answers("counts members", { set: { "/rooms/*/joined_count": 1 } }),
      answers("counts the invited", { set: { "/rooms/*/invited_count": 1 } }),
      answers("names heroes", { set: { "/rooms/*/heroes": [{ user_id: "@hero:example.org" }] } }),
      answers("gives a token", { set: { "/rooms/*/prev_batch": "token" } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ name: "named", preset: "public_chat" });
      await alice.send(roomId, "hello");
      await alice.invite(roomId, bob);
      const config = { timelineLimit: 10, requiredState: { include: [{}] } };
      await untilMembership(sync.connection(bob, "first"), EVERYTHING, roomId, "invite");

      const listed = await sync.connection(bob, "list").initial(EVERYTHING);
      const subscribed = await sync
        .connection(bob, "subscription")
        .initial({ subscriptions: { [roomId]: config } });

      for (const synced of [listed, subscribed]) {
        const room = resultOf(synced, roomId);
        const { timeline = [], required_state: state = [], heroes = [] } = room;
        expectEqual([timeline, state, heroes], [[], [], []], "timeline, state and heroes");
        const { joined_count: joined, invited_count: invited, prev_batch: token } = room;
        expectEqual(
          [joined, invited, token],
          [undefined, undefined, undefined],
          "the counts and the token",
        );
        const more = (["name", "is_dm", "initial"] as const).filter(
          (key) => room[key] !== undefined,
        );
        if (more.length > 0) world.note(`an invite with ${more.join(", ")}`);
      }
    });
  },
);

check(
  "MSC4186.member.invite-no-activity-leak",
  "the server does not tell those invited that something happens in the room",
  {
    mutant: answers(
      "repeats the invite",
      { replace: [['"rooms":{', '"rooms":{"!invited:example.org":{"invite_state":[]},']] },
      LATER,
    ),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const own = await ownRoom(bob);
      const roomId = await alice.createRoom();
      await alice.invite(roomId, bob);
      const connection = sync.connection(bob);
      await untilMembership(connection, EVERYTHING, roomId, "invite");
      await connection.drain(EVERYTHING);

      await settled(alice, roomId, await alice.send(roomId, "one"));
      const between = await connection.sync(EVERYTHING);
      const poll = connection.sync(EVERYTHING, { timeoutMs: 20_000 });
      await settled(alice, roomId, await alice.send(roomId, "two"));
      await bob.send(own, "fence");
      const polled = await poll;

      expectEqual(Object.keys(between.rooms), [], "the rooms after a message of others");
      expectEqual(Object.keys(polled.rooms), [own], "the rooms that end the poll");
    });
  },
);

check(
  "MSC4186.member.invite-accept",
  "the server sends a room whole when an invite to it is accepted",
  {
    mutant: [
      answers("does not mark it", { remove: ["/rooms/*/initial"] }, LATER),
      ...["timeline", "required_state", "name", "joined_count"].map((key) =>
        answers(`leaves out ${key}`, { remove: [`/rooms/*/${key}`] }, LATER),
      ),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ name: "named" });
      await alice.invite(roomId, bob);
      const request = {
        lists: {
          all: {
            range: [0, 9] as const,
            timelineLimit: 3,
            requiredState: stateOf("m.room.create", "m.room.name"),
          },
        },
      };
      const connection = sync.connection(bob);
      await untilMembership(connection, request, roomId, "invite");
      await bob.join(roomId);

      const room = await untilMembership(connection, request, roomId, "join");

      expectEqual(room.initial, true, "initial");
      expectEqual(room.name, "named", "the name");
      expectEqual([room.joined_count, room.invited_count ?? 0], [2, 0], "joined and invited");
      const types = (room.required_state ?? []).map(({ type }) => type).sort();
      expectEqual(types, ["m.room.create", "m.room.name"], "the types of the required state");
      const last = room.timeline?.at(-1);
      expectEqual(at(last, "state_key"), bob.userId, "the target of the last event");
      expectEqual(room.timeline?.length, 3, "the length of the timeline");
    });
  },
);

check(
  "MSC4186.member.invite-ignored-user",
  "the server sends no invites of ignored users, on a fresh connection and on another",
  {
    mutant: answers("sends them", {
      replace: [['"rooms":{"', '"rooms":{"!ignored:example.org":{"invite_state":[]},"']],
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      await ignore(bob, alice);
      const own = await ownRoom(bob);
      const connection = sync.connection(bob);
      await connection.initial(EVERYTHING);
      const roomId = await alice.createRoom({ invite: [bob.userId] });

      const results = await fence(connection, EVERYTHING, own, roomId);
      const fresh = await sync.connection(bob, "fresh").initial(EVERYTHING);

      expectEqual(results, [], "results for the room of an ignored user");
      expectEqual(Object.keys(fresh.rooms), [own], "the rooms on a fresh connection");
    });
  },
);

check(
  "MSC4186.member.invite-ignored-user",
  "the server sends no second invite of a user who has been ignored since the first",
  {
    mutant: answers("sends it", {
      replace: [['"rooms":{"', '"rooms":{"!ignored:example.org":{"invite_state":[]},"']],
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const own = await ownRoom(bob);
      const connection = sync.connection(bob);
      await connection.initial(EVERYTHING);
      const roomId = await alice.createRoom({ invite: [bob.userId] });
      await untilMembership(connection, EVERYTHING, roomId, "invite");
      await bob.leave(roomId);
      await untilMembership(connection, EVERYTHING, roomId, "leave");
      await ignore(bob, alice);
      await connection.drain(EVERYTHING);
      await alice.invite(roomId, bob);

      const results = await fence(connection, EVERYTHING, own, roomId);
      const fresh = await sync.connection(bob, "fresh").initial(EVERYTHING);

      expectEqual(results, [], "results for the room of an ignored user");
      expectEqual(Object.keys(fresh.rooms), [own], "the rooms on a fresh connection");
    });
  },
);
