import { at, eventsAt, isObject, listAt, type MatrixEvent } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectThat } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { CREATE, tryCreate } from "./creations.ts";
import { part, ROOM, walkMessages } from "./rooms.ts";

const SYNC = "/_matrix/client/v3/sync";
const MESSAGES = `${ROOM}/messages`;

interface Access {
  readonly joinRule: unknown;
  readonly history: unknown;
  readonly guests: unknown;
}

/** What presets decide; guests are shut out where nothing lets them in. */
async function accessOf(creator: Session, roomId: string): Promise<Access> {
  const [joinRules, history, guests] = await Promise.all([
    creator.state(roomId, "m.room.join_rules"),
    creator.state(roomId, "m.room.history_visibility"),
    creator.state(roomId, "m.room.guest_access"),
  ]);
  return {
    joinRule: joinRules?.join_rule,
    history: history?.history_visibility,
    guests: guests?.guest_access ?? "forbidden",
  };
}

const PRIVATE: Access = { joinRule: "invite", history: "shared", guests: "can_join" };
const PUBLIC: Access = { joinRule: "public", history: "shared", guests: "forbidden" };

check(
  "CS.create.presets",
  "the server sets join rules, history visibility and guest access of each preset",
  {
    mutant: [
      altersRequest(
        "makes private chats public",
        { path: CREATE, contains: '"private_chat"' },
        { set: { "/preset": "public_chat" } },
      ),
      altersRequest(
        "makes trusted private chats public",
        { path: CREATE, contains: '"trusted_private_chat"' },
        { set: { "/preset": "public_chat" } },
      ),
      altersRequest(
        "makes public chats private",
        { path: CREATE, contains: '"public_chat"' },
        { set: { "/preset": "private_chat" } },
      ),
      altersAnswer(
        "opens the history to the world",
        { path: `${ROOM}/state/m.room.history_visibility/` },
        { set: { "/history_visibility": "world_readable" } },
      ),
      altersAnswer(
        "shuts guests out",
        { path: `${ROOM}/state/m.room.guest_access/` },
        { set: { "/guest_access": "forbidden" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const presets = { private_chat: PRIVATE, trusted_private_chat: PRIVATE, public_chat: PUBLIC };

    for (const [preset, expected] of Object.entries(presets)) {
      const roomId = await alice.createRoom({ preset });

      expectEqual(await accessOf(alice, roomId), expected, `access to a ${preset}`);
    }
    const defaults = { private: PRIVATE, public: PUBLIC };
    for (const [visibility, { joinRule }] of Object.entries(defaults)) {
      const { status, json } = await tryCreate(alice, { visibility });
      const roomId = String(at(json, "room_id"));
      const seen = status === 200 ? (await accessOf(alice, roomId)).joinRule : `status ${status}`;
      if (seen !== joinRule)
        world.note(`visibility ${visibility} without preset gives ${String(seen)}`);
    }
  },
);

/** The parts of a new room in the order that the specification gives them. */
const STAGES = [
  "create",
  "join",
  "power levels",
  "alias",
  "preset",
  "first of initial_state",
  "second of initial_state",
  "name and topic",
  "invite",
];

const STAGE_OF: Readonly<Record<string, string>> = {
  "m.room.create": "create",
  "m.room.power_levels": "power levels",
  "m.room.canonical_alias": "alias",
  "m.room.join_rules": "preset",
  "m.room.history_visibility": "preset",
  "m.room.guest_access": "preset",
  "org.example.first": "first of initial_state",
  "org.example.second": "second of initial_state",
  "m.room.name": "name and topic",
  "m.room.topic": "name and topic",
};

/** Undefined for events of the server's own, which may stand anywhere. */
function stageOf({ type, content }: MatrixEvent): string | undefined {
  return type === "m.room.member" ? String(content.membership) : STAGE_OF[type];
}

check(
  "CS.create.order",
  "the server applies the parts of a creation in the order of the specification",
  {
    mutant: [
      altersAnswer(
        "sends initial_state before the power levels",
        { path: MESSAGES },
        {
          replace: [
            ['"m.room.power_levels"', '"org.example.moved"'],
            ['"org.example.first"', '"m.room.power_levels"'],
            ['"org.example.moved"', '"org.example.first"'],
          ],
        },
      ),
      altersAnswer(
        "turns initial_state round",
        { path: MESSAGES },
        {
          replace: [
            ['"org.example.first"', '"org.example.moved"'],
            ['"org.example.second"', '"org.example.first"'],
            ['"org.example.moved"', '"org.example.second"'],
          ],
        },
      ),
      altersAnswer(
        "sends the name between the events of the preset",
        { path: MESSAGES },
        {
          replace: [
            ['"m.room.history_visibility"', '"org.example.moved"'],
            ['"m.room.name"', '"m.room.history_visibility"'],
            ['"org.example.moved"', '"m.room.name"'],
          ],
        },
      ),
      altersRequest("makes no alias", { path: CREATE }, { remove: ["/room_alias_name"] }),
      altersRequest("invites nobody", { path: CREATE }, { remove: ["/invite"] }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");

    const roomId = await alice.createRoom({
      invite: [bob.userId],
      topic: "topic",
      name: "name",
      initial_state: [
        { type: "org.example.first", content: {} },
        { type: "org.example.second", content: {} },
      ],
      preset: "private_chat",
      room_alias_name: world.name("alias"),
      power_level_content_override: { events_default: 1 },
    });
    const { events } = await walkMessages(alice, roomId, { dir: "f" });

    const stages = events.map(stageOf).filter((stage) => stage !== undefined);
    const runs = stages.filter((stage, index) => stage !== stages[index - 1]);
    expectEqual(runs, STAGES, "the parts of the new room");
  },
);

check(
  "CS.create.initial-state",
  "the server puts initial_state over the preset, name and topic over initial_state",
  {
    mutant: [
      altersRequest(
        "lets the preset win",
        { path: CREATE },
        { set: { "/initial_state/0/type": "org.example.lost" } },
      ),
      altersRequest(
        "lets the topic of initial_state win",
        { path: CREATE },
        { remove: ["/topic"] },
      ),
      altersRequest("lets the name of initial_state win", { path: CREATE }, { remove: ["/name"] }),
      altersAnswer(
        "describes another topic in m.topic",
        { path: `${ROOM}/state/m.room.topic/` },
        { set: { "/m.topic/m.text/0/body": "X" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const roomId = await alice.createRoom({
      preset: "private_chat",
      initial_state: [
        { type: "m.room.history_visibility", content: { history_visibility: "joined" } },
        { type: "m.room.topic", state_key: "", content: { topic: "X" } },
        { type: "m.room.name", state_key: "", content: { name: "Y" } },
      ],
      topic: "T",
      name: "N",
    });

    expectEqual((await accessOf(alice, roomId)).history, "joined", "the history visibility");
    expectEqual(await alice.state(roomId, "m.room.name"), { name: "N" }, "the name");
    const topic = await alice.state(roomId, "m.room.topic");
    expectEqual(topic?.topic, "T", "the topic");
    if (topic?.["m.topic"] === undefined) {
      if (world.has("v1.15")) world.note("topic of a creation is not repeated as m.topic");
    } else {
      const [text] = listAt(topic, "m.topic", "m.text");
      expectContains(text, { body: "T" }, "the text of m.topic");
      const mimetype = at(text, "mimetype") ?? "text/plain";
      expectEqual(mimetype, "text/plain", "the type of m.topic's text");
    }
  },
);

check(
  "CS.create.initial-state",
  "the server copies creation_content into m.room.create",
  {
    mutant: [
      altersRequest(
        "drops m.federate",
        { path: CREATE },
        { remove: ["/creation_content/m.federate"] },
      ),
      altersRequest("drops the type", { path: CREATE }, { remove: ["/creation_content/type"] }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const content = { "m.federate": false, type: "m.space", "org.example.k": { a: [1, null] } };

    const roomId = await alice.createRoom({ creation_content: content });

    expectContains(await alice.state(roomId, "m.room.create"), content, "m.room.create");
  },
);

check(
  "CS.create.version",
  "the server makes the version that was asked for, whatever creation_content says",
  {
    mutant: [
      altersRequest(
        "takes the version of creation_content",
        { path: CREATE },
        { set: { "/room_version": "10" } },
      ),
      altersAnswer(
        "shows the version of creation_content",
        { path: `${ROOM}/state/m.room.create/` },
        { set: { "/room_version": "10" } },
      ),
      altersAnswer(
        "names another as sender of the create event",
        { path: MESSAGES },
        { set: { "/chunk/0/sender": "@x:example.org" } },
      ),
    ],
  },
  async (world) => {
    world.needs("room-version:11");
    const alice = await world.user("alice");

    const roomId = await alice.createRoom({
      room_version: "11",
      creation_content: { room_version: "10", creator: "@x:example.org" },
    });
    const content = await alice.state(roomId, "m.room.create");
    const { events } = await walkMessages(alice, roomId, { dir: "f" });

    expectEqual(content?.room_version, "11", "room_version in m.room.create");
    const [create] = events;
    expectContains(create, { type: "m.room.create", sender: alice.userId }, "the first event");
    if (content?.creator === "@x:example.org")
      world.note("a creator in creation_content stays in m.room.create of version 11");
  },
);

check(
  "CS.create.version",
  "the server overwrites a creator in creation_content of a version 10 room",
  {
    mutant: altersAnswer(
      "keeps the forged creator",
      { path: `${ROOM}/state/m.room.create/` },
      { set: { "/creator": "@x:example.org" } },
    ),
  },
  async (world) => {
    world.needs("room-version:10");
    const alice = await world.user("alice");

    const roomId = await alice.createRoom({
      room_version: "10",
      creation_content: { room_version: "11", creator: "@x:example.org" },
    });

    const expected = { room_version: "10", creator: alice.userId };
    expectContains(await alice.state(roomId, "m.room.create"), expected, "m.room.create");
  },
);

check(
  "CS.create.invites",
  "the server invites who is listed and marks the invite of a direct chat",
  {
    mutant: [
      altersRequest("invites nobody", { path: CREATE }, { remove: ["/invite"] }),
      altersRequest("drops is_direct", { path: CREATE }, { remove: ["/is_direct"] }),
      altersAnswer(
        "leaves the invite out of the stripped state",
        { path: SYNC },
        { set: { "/rooms/invite/*/invite_state/events": [] } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const since = await bob.syncToken();

    const roomId = await alice.createRoom({
      preset: "trusted_private_chat",
      invite: [bob.userId],
      is_direct: true,
    });

    const { found } = await bob.syncUntil(since, "bob's invite", (body) =>
      at(body, "rooms", "invite", roomId),
    );
    const own = eventsAt(found, "invite_state", "events").find(
      ({ type, state_key }) => type === "m.room.member" && state_key === bob.userId,
    );
    const expected = { sender: alice.userId, content: { membership: "invite", is_direct: true } };
    expectContains(own, expected, "bob's member event in the invite");
  },
);

check(
  "CS.create.pl-override",
  "the server applies an override on top of the default power levels",
  {
    mutant: [
      altersRequest(
        "drops the override",
        { path: CREATE },
        { remove: ["/power_level_content_override"] },
      ),
      altersRequest(
        "gives up the other defaults",
        { path: CREATE },
        { set: { "/power_level_content_override/state_default": 0 } },
      ),
      altersRequest(
        "gives up the levels of users",
        { path: CREATE },
        { set: { "/power_level_content_override/users_default": 100 } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const plain = await alice.createRoom({ preset: "private_chat" });

    const overridden = await alice.createRoom({
      preset: "private_chat",
      power_level_content_override: { events: { "m.room.name": 0 } },
    });

    const before = await alice.state(plain, "m.room.power_levels");
    const after = await alice.state(overridden, "m.room.power_levels");
    expectThat(isObject(before) && isObject(after), "power levels in both rooms", [before, after]);
    expectEqual(part(after, "events")["m.room.name"], 0, "the level of m.room.name");
    const { events: eventsBefore, ...defaults } = before;
    const { events: eventsAfter, ...kept } = after;
    expectEqual(kept, defaults, "the other power levels");
    const kinds = Object.keys(part({ events: eventsBefore }, "events"));
    const lost = kinds.filter((type) => at(eventsAfter, type) === undefined);
    if (lost.length > 0) world.note("an override of events replaces all default levels of events");
  },
);
