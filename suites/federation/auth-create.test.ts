import { changed } from "#harness/peer/lies";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  creating,
  expectJoined,
  expectNotJoined,
  expectRefused,
  host,
  JOINS_ANY,
  JOINS_NONE,
  joinThrough,
} from "./founding.ts";
import { keeps, listed, member } from "./rejection.ts";

const SEND_JOIN = "PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}";

check(
  "FED.auth.create-first",
  "the server does not join a room whose create event has predecessors",
  { mutant: [JOINS_ANY, JOINS_NONE] },
  (world) =>
    expectRefused(
      world,
      listed(world, "10", "12").map((version) => ({
        version,
        createLies: {
          beforeHash: (event) => ({ ...event, prev_events: [`$${"A".repeat(43)}`] }),
        },
      })),
    ),
);

check(
  "FED.auth.create-no-room-id",
  "the server does not join a room of version 12 whose create event has a room id",
  { mutant: [JOINS_ANY, JOINS_NONE] },
  (world) =>
    expectRefused(
      world,
      ["!room:example.org", `!${"A".repeat(43)}`].map((roomId) => ({
        version: listed(world, "12")[0] ?? "",
        createLies: { beforeHash: (event) => ({ ...event, room_id: roomId }) },
      })),
    ),
);

check(
  "FED.auth.create-domain",
  "the server does not join a room whose id names a domain that did not create it",
  { mutant: [JOINS_ANY, JOINS_NONE] },
  async (world) => {
    const [alice, peer, other] = await Promise.all([
      world.user("alice"),
      world.peer(),
      world.peer(),
    ]);
    for (const version of listed(world, "10", "11")) {
      const roomId = `!${world.name("room")}:${peer.serverName}`;
      const foreign = other.createRoom({ creator: other.user("founder"), version, roomId });
      const right = other.createRoom({ creator: other.user("founder"), version });
      peer.serve(foreign, right);

      const refused = await joinThrough(alice, peer, foreign);
      const joined = await joinThrough(alice, peer, right);

      await expectNotJoined(alice, foreign, refused);
      await expectJoined(alice, right, joined);
    }
  },
);

check(
  "FED.auth.create-creator",
  "the server joins a room without a named creator from version 11 on, and not before",
  {
    mutant: [
      JOINS_ANY,
      JOINS_NONE,
      keeps("keeps the creator out", "m.room.member", { membership: "leave" }),
    ],
  },
  async (world) => {
    const createLies = creating({ creator: undefined });
    await expectRefused(
      world,
      listed(world, "6", "10").map((version) => ({ version, createLies })),
    );
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    for (const version of listed(world, "11", "12")) {
      const room = host(peer, { version });
      const founder = room.stateEvent("m.room.create")?.sender;

      const joined = await joinThrough(alice, peer, room);

      await expectJoined(alice, room, joined);
      const member = await alice.state(room.roomId, "m.room.member", founder);
      expectEqual(member?.membership, "join", `the membership of the founder in ${version}`);
    }
  },
);

check(
  "FED.auth.create-unknown-version",
  "the server does not join a room whose create event names an unknown version",
  { mutant: [JOINS_ANY, JOINS_NONE] },
  (world) =>
    expectRefused(
      world,
      listed(world, "10", "11").map((version) => ({
        version,
        createLies: creating({ room_version: "x.unknown" }),
      })),
    ),
);

const NO_LISTS_OF_USERS = ["x", [1], ["bad"]];

check(
  "FED.auth.additional-creators-type",
  "the server does not join a room of version 12 whose additional creators are no list of users",
  { mutant: [JOINS_ANY, JOINS_NONE] },
  async (world) => {
    const [version = ""] = listed(world, "12");
    await expectRefused(
      world,
      NO_LISTS_OF_USERS.map((additional) => ({
        version,
        createLies: creating({ additional_creators: additional }),
      })),
    );
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const right = host(peer, { version, creation: { additional_creators: ["@ok:example.org"] } });

    const joined = await joinThrough(alice, peer, right);

    await expectJoined(alice, right, joined);
  },
);

check(
  "FED.auth.additional-creators-type",
  "the server creates no room of version 12 whose additional creators are no list of users",
  {
    mutant: altersAnswer(
      "creates any room",
      { path: "/_matrix/client/v3/createRoom" },
      { status: 200, body: { room_id: "!created" } },
    ),
  },
  async (world) => {
    const [version = ""] = listed(world, "12");
    const alice = await world.user("alice");
    const create = (additional: unknown) =>
      alice.post("/_matrix/client/v3/createRoom", {
        room_version: version,
        creation_content: { additional_creators: additional },
      });

    const refused = await Promise.all(NO_LISTS_OF_USERS.map((wrong) => create(wrong)));
    const created = await create(["@ok:example.org"]);

    for (const response of refused) {
      const isRefused = response.status >= 400 && response.status < 500;
      expectThat(isRefused, "status 4xx", `status ${response.status}`, response);
    }
    ok(created);
  },
);

const FIRST_MEMBER = keeps("lets anybody be the first member", "m.room.member", {
  membership: "join",
});

check(
  "FED.auth.first-join",
  "the server does not take a user who is not the creator for the first member",
  { mutant: [JOINS_ANY, FIRST_MEMBER] },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    for (const version of listed(world, "10", "11", "12")) {
      const [creator, usurper] = [peer.user("creator"), peer.user("usurper")];
      const named = {
        "10": { creator },
        // Counts for nothing there.
        "11": { creator: usurper },
        "12": { additional_creators: [usurper] },
      }[version];
      const room = peer.createRoom({
        creator: usurper,
        version,
        createLies: {
          beforeHash: (event) => ({
            ...event,
            sender: creator,
            content: { ...(event.content as object), ...named },
          }),
        },
      });
      peer.serve(room);
      const right = host(peer, { version });

      const refused = await joinThrough(alice, peer, room);
      const joined = await joinThrough(alice, peer, right);

      if (refused.status === 200) {
        const member = await alice.state(room.roomId, "m.room.member", usurper);
        expectEqual(member, undefined, `the member event in version ${version}`);
      }
      await expectJoined(alice, right, joined);
    }
  },
);

check(
  "FED.auth.first-join",
  "the server leaves a member out of the state who joined beside the creator without a ground",
  { mutant: FIRST_MEMBER },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    for (const version of listed(world, "10", "11", "12")) {
      const usurper = peer.user("usurper");
      const creation = version === "12" ? { additional_creators: [usurper] } : {};
      const room = host(peer, { version, creation });
      const create = room.stateEvent("m.room.create")?.id ?? "";
      const join = room.build({
        ...member(usurper, usurper, "join"),
        prevEvents: [create],
        authEvents: version === "12" ? [] : [create],
      });
      using _lie = peer.on(
        SEND_JOIN,
        changed((body) => ({ ...body, state: [...(body.state as unknown[]), join.json] })),
      );

      const joined = await joinThrough(alice, peer, room);

      if (joined.status !== 200) continue;
      const found = await alice.state(room.roomId, "m.room.member", usurper);
      expectEqual(found, undefined, `the member event in version ${version}`);
    }
  },
);
