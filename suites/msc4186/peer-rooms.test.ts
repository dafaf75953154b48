import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { allRooms, type Filters } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { at, eventsAt, isObject, listAt } from "#harness/match/json";
import { strippedState } from "#harness/peer/hosting";
import { changed } from "#harness/peer/lies";
import { meet, message, visit } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import type { JsonValue } from "#protocol/events/event";
import { EVERYTHING, isMemberOf, ownRoom, untilMembership } from "./membership.ts";
import { LATER, resultOf } from "./rooms.ts";
import { answers, answersInstead, inEachDialect } from "./sync.ts";

const MISSING = "POST /_matrix/federation/v1/get_missing_events/{roomId}";
const BROKEN = answersInstead("breaks", 500, { errcode: "M_UNKNOWN", error: "" });
const STRIPPED = ["/rooms/*/stripped_state", "/rooms/*/invite_state"];

check(
  "MSC4186.fed.remote-invite",
  "the server shows the state that came with an invite to an unknown room, and filters by it",
  {
    mutant: [
      answers("shows none", { remove: STRIPPED }),
      answers("leaves out some", { remove: STRIPPED.map((place) => `${place}/0`) }),
      answers("filters it out", { remove: ["/rooms"] }, { contains: "room_types" }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
      const type = "org.matrix-crucible.type";
      const algorithm = "m.megolm.v1.aes-sha2";
      const room = peer.createRoom({
        creator: peer.user("founder"),
        joinRule: "invite",
        creation: { type },
        events: [
          { type: "m.room.encryption", stateKey: "", content: { algorithm } },
          { type: "m.room.name", stateKey: "", content: { name: "of the peer" } },
        ],
      });
      const founder = room.joinedUsers()[0] ?? "";
      const sent = strippedState(room);
      const connection = sync.connection(alice);
      await connection.initial(EVERYTHING);
      await peer.invite(room, founder, alice.userId, { state: sent });

      const { stripped_state: stripped = [] } = await untilMembership(
        connection,
        EVERYTHING,
        room.roomId,
        "invite",
      );

      const missing = sent.filter(({ type, state_key, content }) => {
        const isSame = (event: unknown) =>
          isDeepStrictEqual(
            [at(event, "type"), at(event, "state_key"), at(event, "content")],
            [type, state_key, content],
          );
        return !stripped.some(isSame);
      });
      expectEqual(missing, [], "what is missing of the state that came with the invite");
      const own = stripped.find((event) => isMemberOf(event, alice.userId));
      expectEqual(own?.content.membership, "invite", "the own membership");
      const matches = async (filters: Filters) => {
        const request = allRooms({ timelineLimit: 1, filters });
        const { rooms } = await sync.connection(alice, world.name("filter")).initial(request);
        return rooms[room.roomId] !== undefined;
      };
      expectEqual(await matches({ roomTypes: [type] }), true, "whether its type finds it");
      expectEqual(await matches({ roomTypes: [null] }), false, "whether no type finds it");
      expectEqual(await matches({ isEncrypted: true }), true, "whether encryption finds it");
      expectEqual(await matches({ isEncrypted: false }), false, "whether none finds it");
    });
  },
);

const ODD_STATES: Readonly<Record<string, JsonValue | undefined>> = {
  absent: undefined,
  empty: [],
  "a string": "state",
  "an event without content": [{ type: "m.room.name", state_key: "", sender: "@a:b" }],
  "content that is no object": [
    { type: "m.room.name", state_key: "", sender: "@a:b", content: "name" },
    { type: "m.room.encryption", state_key: "", sender: "@a:b", content: [] },
  ],
};

check(
  "MSC4186.fed.remote-invite-bad-stripped",
  "the server goes on with syncs of a user who was invited with odd state",
  {
    mutant: [BROKEN, answers("shows no room", { remove: ["/rooms"] })],
    deadlineMs: 120_000,
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      for (const [what, state] of Object.entries(ODD_STATES)) {
        const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
        const own = await ownRoom(alice);
        const connection = sync.connection(alice);
        await connection.initial(EVERYTHING);
        const room = peer.createRoom({ creator: peer.user("founder"), joinRule: "invite" });
        const founder = room.joinedUsers()[0] ?? "";
        const pdu = room.build({
          type: "m.room.member",
          stateKey: alice.userId,
          sender: founder,
          content: { membership: "invite" },
        });

        const response = await peer.client().invite(room.roomId, pdu.id, {
          event: pdu.json,
          room_version: room.version.id,
          ...(state === undefined ? {} : { invite_room_state: state }),
        });

        const isTaken = response.status === 200;
        if (!isTaken) expectMatrixError(response, 400, ["M_INVALID_PARAM", "M_MISSING_PARAM"]);
        world.note(`invite_room_state ${what}: ${isTaken ? "taken" : "refused"}`);
        const live = await connection.send(EVERYTHING);
        expectStatus(live, 200);
        const fresh = await sync.connection(alice, "fresh").send(EVERYTHING);
        const rooms = at(ok(fresh), "rooms");
        expectThat(isObject(rooms) && own in rooms, "the user's other room", rooms, fresh);
      }
    });
  },
);

const ODD_EVENTS = {
  "m.room.name": { name: 5 },
  "m.room.avatar": { url: ["mxc://example.org/a"] },
  "m.room.encryption": { algorithm: {} },
  "m.room.topic": { topic: null },
  "m.room.canonical_alias": { alias: 7, alt_aliases: "none" },
  "m.room.tombstone": { replacement_room: [] },
};

check(
  "MSC4186.fed.bad-room-no-breakage",
  "the server shows all rooms when there is one with odd state",
  {
    mutant: [
      BROKEN,
      answers("shows no room", { remove: ["/rooms"] }),
      answers("passes an odd name on", { set: { "/rooms/*/name": 5 } }),
    ],
    deadlineMs: 120_000,
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, room, mallory } = await visit(world, {
        version: "11",
        events: [
          ...Object.entries(ODD_EVENTS).map(([type, content]) => ({ type, stateKey: "", content })),
          { type: "m.space.child", stateKey: "!child:example.org", content: { via: "all" } },
        ],
      });
      expectThat(room.joinedUsers().includes(mallory), "the founder in the room", room.roomId);
      const own = await ownRoom(alice);

      const response = await sync.connection(alice).initial(EVERYTHING);

      resultOf(response, own);
      resultOf(response, room.roomId);
    });
  },
);

const MEMBERS = 5_000;
const JOIN_MS = 200_000;

check(
  "MSC4186.fed.bad-room-no-breakage",
  "the server shows all rooms when there is one with thousands of members",
  // On servers of its own: the join keeps one busy for a long time.
  { mutant: BROKEN, isolated: {}, deadlineMs: JOIN_MS + 100_000 },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
      const room = peer.createRoom({ creator: peer.user("founder"), version: "11" });
      for (let index = 0; index < MEMBERS; index++) {
        // Signing takes seconds, and other checks of this process wait for answers.
        if (index % 20 === 0) await setImmediate();
        const member = `@member${index}:${peer.serverName}`;
        const join = { type: "m.room.member", stateKey: member, sender: member };
        room.add(room.build({ ...join, content: { membership: "join" } }));
      }
      peer.serve(room);
      ok(
        await alice.request("POST", path`/_matrix/client/v3/join/${room.roomId}`, {
          body: {},
          query: { via: peer.serverName, server_name: peer.serverName },
          timeoutMs: JOIN_MS * alice.context.timeoutScale,
        }),
      );
      const own = await ownRoom(alice);

      const response = await sync.connection(alice).initial(EVERYTHING);

      resultOf(response, own);
      expectEqual(resultOf(response, room.roomId).joined_count, MEMBERS + 2, "the joined users");
    });
  },
);

check(
  "MSC4186.timeline.limited-federation-gap",
  "the server tells of a hole in the history that it has",
  {
    mutant: answers("does not tell", { set: { "/rooms/*/limited": false } }, LATER),
    deadlineMs: 120_000,
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, peer, mallory, room } = await meet(world);
      peer.serve(room);
      peer.on(
        MISSING,
        changed((body) => ({ ...body, events: listAt(body, "events").slice(-1) })),
      );
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 10 });
      await connection.initial(request);
      const hidden: string[] = [];
      for (let index = 0; index < 30; index++) {
        hidden.push(room.add(room.build(message(mallory, `hidden ${index}`))).pdu.id);
      }
      const { id } = await peer.send(room, message(mallory, "the 31st"));

      let isLimited = false;
      let token: string | undefined;
      await connection.until(
        request,
        `event ${id}`,
        ({ rooms }) => {
          const result = rooms[room.roomId];
          if (result?.limited === true) {
            isLimited = true;
            token ??= result.prev_batch;
          }
          const isThere = result?.timeline?.some(({ event_id }) => event_id === id);
          return isThere === true ? true : undefined;
        },
        { deadlineMs: 30_000 },
      );

      const delivered = connection.view.room(room.roomId)?.delivered ?? new Set();
      const missing = hidden.filter((event) => !delivered.has(event));
      if (missing.length === 0) {
        world.note("the server got all events in spite of the peer");
        return;
      }
      expectEqual(isLimited, true, "limited after the hole");
      const target = path`/_matrix/client/v3/rooms/${room.roomId}/messages`;
      const page = ok(await alice.get(target, { dir: "b", from: token, limit: 40 }));
      const older = eventsAt(page, "chunk").map(({ event_id }) => event_id);
      expectThat(!older.includes(id), "a prev_batch from before the new event", older);
      expectThat(older.length > 0, "events before the hole, or in it", older);
    });
  },
);
