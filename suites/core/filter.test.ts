import { path } from "#harness/http/client";
import { type JsonObject, objectAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { room, stateBefore, timeline } from "#harness/world/session";
import { ephemeral, ids } from "./rooms.ts";

const FILTER = "/_matrix/client/v3/user/*/filter";
const SYNC = "/_matrix/client/v3/sync";
const ANSWER = { filter_id: "1" };

check(
  "CS.filter.roundtrip",
  "the server returns a stored filter by an id that is no JSON",
  {
    mutant: [
      altersAnswer(
        "gives out ids that begin with a brace",
        { method: "POST", path: FILTER },
        { set: { "/filter_id": "{1" } },
      ),
      altersRequest(
        "loses a section",
        { method: "POST", path: FILTER },
        { remove: ["/room/timeline"] },
      ),
      altersAnswer("forgets filters", { method: "GET", path: `${FILTER}/*` }, { body: {} }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const filter = {
      room: {
        timeline: { limit: 7, types: ["m.room.message"], not_senders: ["@spam:example.org"] },
        state: { lazy_load_members: true },
      },
      presence: { types: [] },
      event_format: "client",
    };
    const target = path`/_matrix/client/v3/user/${alice.userId}/filter`;

    const stored = await alice.post(target, filter);

    const filterId = textAt(ok(stored), "filter_id");
    expectThat(
      !filterId.startsWith("{"),
      "a filter_id that does not begin with a brace",
      filterId,
      stored,
    );
    const read = await alice.get(`${target}${path`/${filterId}`}`);
    expectContains(ok(read), filter, "the filter", read);
  },
);

check(
  "CS.filter.errors",
  "the server refuses invalid filters, unknown ids and filters of other users",
  {
    mutant: [
      claims(
        "stores any timeline",
        { method: "POST", path: FILTER, contains: '"timeline":"zz"' },
        ANSWER,
      ),
      claims(
        "stores any room id",
        { method: "POST", path: FILTER, contains: "no-room-id" },
        ANSWER,
      ),
      altersAnswer(
        "knows all ids",
        { method: "GET", path: `${FILTER}/*`, status: 404 },
        { status: 200, body: {} },
      ),
      altersAnswer(
        "stores for others",
        { method: "POST", path: FILTER, status: 403 },
        { status: 200, body: ANSWER },
      ),
      altersAnswer(
        "shows filters of others",
        { method: "GET", path: `${FILTER}/*`, status: 403 },
        { status: 200, body: {} },
      ),
      altersRequest(
        "syncs without the broken filter",
        { path: SYNC, contains: "filter=" },
        { path: SYNC },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const own = path`/_matrix/client/v3/user/${alice.userId}/filter`;
    const stored = textAt(
      ok(await alice.post(own, { room: { timeline: { limit: 1 } } })),
      "filter_id",
    );
    const unknown = "987654321";

    const timeline = await alice.post(own, { room: { timeline: "zz" } });
    const rooms = await alice.post(own, { room: { rooms: ["no-room-id"] } });
    const absent = await alice.get(`${own}/${unknown}`);
    const foreignWrite = await mallory.post(own, { room: { timeline: { limit: 1 } } });
    const foreignRead = await mallory.get(`${own}${path`/${stored}`}`);
    const broken = await alice.syncResponse({ filter: "{zz" });
    const missing = await alice.syncResponse({ filter: unknown });

    for (const response of [timeline, rooms]) {
      expectThat(
        response.status >= 400 && response.status < 500,
        "status 4xx",
        String(response.status),
        response,
      );
      expectMatrixError(response, response.status);
    }
    expectMatrixError(absent, 404);
    expectMatrixError(foreignWrite, 403, "M_FORBIDDEN");
    expectMatrixError(foreignRead, 403, "M_FORBIDDEN");
    expectMatrixError(broken, [400, 404]);
    expectMatrixError(missing, [400, 404]);
  },
);

check(
  "CS.filter.applied",
  "the server applies each part of a filter to its own section of a sync",
  {
    mutant: [
      ...["types", "not_types", "senders", "not_senders", "limit"].map((key) =>
        altersRequest(
          `ignores ${key}`,
          { method: "POST", path: FILTER },
          { remove: [`/room/timeline/${key}`] },
        ),
      ),
      altersAnswer(
        "drops state with the timeline",
        { path: SYNC },
        { set: { "/rooms/join/*/state/events": [] } },
      ),
      altersRequest(
        "has no wildcards",
        { method: "POST", path: FILTER },
        { replace: [["m.room.*", "m.room.message"]] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const here = await alice.createRoom({ preset: "public_chat", topic: "a topic" });
    await bob.join(here);
    const first = await alice.send(here, "first");
    const other = await alice.send(here, {}, "org.example.other");
    const last = await bob.send(here, "last");
    const synced = async (filter: JsonObject) => {
      const stored = await alice.post(path`/_matrix/client/v3/user/${alice.userId}/filter`, {
        room: filter,
      });
      return alice.sync({ filter: textAt(ok(stored), "filter_id") });
    };

    const messages = await synced({
      timeline: { types: ["m.room.message"], limit: 50 },
      state: { types: [] },
    });
    const timelineOnly = await synced({ timeline: { types: ["org.example.other"], limit: 1 } });
    const notTypes = await synced({ timeline: { not_types: ["m.room.*"], limit: 50 } });
    const wildcard = await synced({ timeline: { types: ["m.room.*"], limit: 50 } });
    const byAlice = await synced({
      timeline: { senders: [alice.userId], types: ["m.room.message"], limit: 50 },
    });
    const notByAlice = await synced({
      timeline: { not_senders: [alice.userId], types: ["m.room.message"], limit: 50 },
    });
    const limited = await synced({ timeline: { limit: 1 } });

    const shown = (body: JsonObject) => ids(timeline(body, here));
    expectEqual(shown(messages), [first, last], "the timeline with types");
    expectEqual(ids(stateBefore(messages, here)), [], "the state with no types");
    expectEqual(shown(timelineOnly), [other], "the timeline with another type");
    const stateTypes = stateBefore(timelineOnly, here).map(({ type }) => type);
    expectThat(
      stateTypes.includes("m.room.topic"),
      "m.room.topic in the state beside a timeline filter",
      stateTypes,
    );
    expectEqual(shown(notTypes), [other], "the timeline with not_types");
    const wild = shown(wildcard);
    expectThat(
      wild.includes(first) && wild.includes(last),
      "the messages with types m.room.*",
      wild,
    );
    expectThat(!wild.includes(other), "no org.example.other with types m.room.*", wild);
    const wildTypes = [...timeline(wildcard, here), ...stateBefore(wildcard, here)].map(
      ({ type }) => type,
    );
    expectThat(
      timeline(wildcard, here).some(({ type }) => type === "m.room.topic"),
      "m.room.topic with types m.room.*",
      wildTypes,
    );
    expectEqual(shown(byAlice), [first], "the timeline with senders");
    expectEqual(shown(notByAlice), [last], "the timeline with not_senders");
    expectEqual(shown(limited), [last], "the timeline with limit 1");
    expectEqual(
      objectAt(limited, "rooms", "join", here, "timeline").limited,
      true,
      "limited with limit 1",
    );
  },
);

check(
  "CS.filter.applied",
  "the server leaves out rooms in not_rooms and rooms that are not in rooms",
  {
    mutant: ["not_rooms", "rooms"].map((key) =>
      altersRequest(
        `ignores ${key}`,
        { method: "POST", path: FILTER },
        { remove: [`/room/${key}`] },
      ),
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const [here, there] = await Promise.all([alice.createRoom(), alice.createRoom()]);

    for (const filter of [{ not_rooms: [there] }, { rooms: [here] }]) {
      const stored = await alice.post(path`/_matrix/client/v3/user/${alice.userId}/filter`, {
        room: filter,
      });
      const body = await alice.sync({ filter: textAt(ok(stored), "filter_id") });

      objectAt(body, "rooms", "join", here);
      const excluded = room(body, "join", there);
      expectEqual(excluded, undefined, `the room that ${Object.keys(filter).join()} leaves out`);
    }
  },
);

check(
  "CS.filter.applied",
  "the server leaves receipts and typing out of rooms that the ephemeral section excludes",
  {
    mutant: [
      ...["not_rooms", "rooms"].map((key) =>
        altersRequest(
          `ignores ${key}`,
          { method: "POST", path: FILTER },
          { remove: [`/room/ephemeral/${key}`] },
        ),
      ),
      altersAnswer(
        "leaves them out of all rooms",
        { path: SYNC, contains: "filter=" },
        { set: { "/rooms/join/*/ephemeral": { events: [] } } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const [here, there] = [
      await alice.createRoom({ preset: "public_chat" }),
      await alice.createRoom({ preset: "public_chat" }),
    ];
    for (const roomId of [here, there]) {
      await bob.join(roomId);
      const read = await alice.send(roomId, "read");
      const typing = path`/_matrix/client/v3/rooms/${roomId}/typing/${bob.userId}`;
      ok(await bob.post(path`/_matrix/client/v3/rooms/${roomId}/receipt/m.read/${read}`));
      ok(await bob.put(typing, { typing: true, timeout: 60_000 }));
    }
    const both = ["m.receipt", "m.typing"];
    const shown = (body: JsonObject, roomId: string) =>
      both.filter((type) => ephemeral(body, roomId, type).length > 0);
    const untilShown = (filter: string | undefined, rooms: readonly string[]) =>
      world.eventually(async () => {
        const body = await alice.sync(filter === undefined ? {} : { filter });
        for (const roomId of rooms) expectEqual(shown(body, roomId), both, `news of ${roomId}`);
        return body;
      });
    await untilShown(undefined, [here, there]);

    for (const ephemeralFilter of [{ not_rooms: [there] }, { rooms: [here] }]) {
      const stored = await alice.post(path`/_matrix/client/v3/user/${alice.userId}/filter`, {
        room: { ephemeral: ephemeralFilter },
      });
      const body = await untilShown(textAt(ok(stored), "filter_id"), [here]);

      const excluded = `what ${Object.keys(ephemeralFilter).join()} leaves out`;
      expectEqual(shown(body, there), [], excluded);
      objectAt(body, "rooms", "join", there, "timeline");
    }
  },
);
