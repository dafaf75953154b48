import { isDeepStrictEqual } from "node:util";
import { path } from "#harness/http/client";
import { type JsonObject, objectAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { accountData, changeWakes } from "./account-data.ts";

const GLOBAL = "/_matrix/client/v3/user/*/account_data/*";
const OF_ROOM = "/_matrix/client/v3/user/*/rooms/*/account_data/*";
const TAGS = "/_matrix/client/v3/user/*/rooms/*/tags/**";
const SYNC = "/_matrix/client/v3/sync";
const TYPE = "org.example.settings";
const DONE = { status: 200, body: {} };

/** Where account data of a type is, globally or for a room. */
function place(userId: string, roomId?: string, type = TYPE): string {
  return roomId === undefined
    ? path`/_matrix/client/v3/user/${userId}/account_data/${type}`
    : path`/_matrix/client/v3/user/${userId}/rooms/${roomId}/account_data/${type}`;
}

check(
  "CS.accountdata.flow",
  "the server returns global and room account data as they were last written",
  {
    mutant: [
      claims("keeps the first content", { method: "PUT", path: GLOBAL, contains: "second" }, {}),
      claims(
        "keeps the first content of a room",
        { method: "PUT", path: OF_ROOM, contains: "second" },
        {},
      ),
      altersRequest("merges contents", { path: GLOBAL, contains: "second" }, { set: { "/a": 1 } }),
      altersAnswer("shows no global data in sync", { path: SYNC }, { remove: ["/account_data"] }),
      altersAnswer(
        "shows no data of rooms in sync",
        { path: SYNC },
        { remove: ["/rooms/join/*/account_data"] },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const first = { a: 1, text: "first", list: [{ nested: null }] };
    const second = { b: 2, text: "second" };

    for (const room of [undefined, roomId]) {
      const target = place(alice.userId, room);
      const written = await alice.put(target, first);
      const before = await alice.get(target);
      const since = await alice.syncToken();
      const rewritten = await alice.put(target, second);
      const after = await alice.get(target);

      expectEqual(ok(written), {}, "the answer", written);
      expectEqual(ok(before), first, "the content", before);
      expectEqual(ok(rewritten), {}, "the answer", rewritten);
      expectEqual(ok(after), second, "the content after the second write", after);
      const { found } = await alice.syncUntil(since, `${TYPE} as written last`, (body) =>
        accountData(body, TYPE, room),
      );
      expectEqual(found, second, "the content in the sync");
      expectEqual(accountData(await alice.sync(), TYPE, room), second, "it in an initial sync");
    }
  },
);

check(
  "CS.accountdata.flow",
  "the server wakes the waiting sync of another device with new account data",
  {
    mutant: [
      altersAnswer("shows no global data in sync", { path: SYNC }, { remove: ["/account_data"] }),
      altersAnswer(
        "shows no data of rooms in sync",
        { path: SYNC },
        { remove: ["/rooms/join/*/account_data"] },
      ),
      {
        name: "lets the sync wait until its timeout",
        rules: [
          {
            match: { path: SYNC, contains: "since=" },
            phase: "processed",
            action: { kind: "delay", ms: 10_000 },
          },
        ],
      },
    ],
  },
  async (world) => {
    world.needs("password-login");
    const alice = await world.user("alice");
    const phone = await world.login(alice);
    const roomId = await alice.createRoom();
    const shows = (content: JsonObject, room?: string) => (body: JsonObject) =>
      isDeepStrictEqual(accountData(body, TYPE, room), content);

    for (const room of [undefined, roomId]) {
      for (const content of [{ text: "first" }, { text: "second" }]) {
        const what = `${TYPE} with ${content.text}`;
        const response = await changeWakes(phone, what, shows(content, room), () =>
          alice.put(place(alice.userId, room), content),
        );

        ok(response);
      }
    }
  },
);

check(
  "CS.accountdata.errors",
  "the server refuses to read and write account data of other users",
  {
    mutant: [
      altersAnswer("shows it", { method: "GET", path: GLOBAL, status: 403 }, DONE),
      altersAnswer("shows a room's", { method: "GET", path: OF_ROOM, status: 403 }, DONE),
      altersAnswer("takes it", { method: "PUT", path: GLOBAL, status: 403 }, DONE),
      altersAnswer("takes a room's", { method: "PUT", path: OF_ROOM, status: 403 }, DONE),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const secret = { key: "of alice" };
    const targets = [place(alice.userId), place(alice.userId, roomId)];
    for (const target of targets) ok(await alice.put(target, secret));

    for (const target of targets) {
      const read = await bob.get(target);
      const write = await bob.put(target, { key: "of bob" });

      expectMatrixError(read, 403, "M_FORBIDDEN");
      expectMatrixError(write, 403, "M_FORBIDDEN");
      expectEqual(ok(await alice.get(target)), secret, "alice's data after the refusals");
    }
  },
);

check(
  "CS.accountdata.errors",
  "the server answers unset types, contents that are no object and bad room ids with errors",
  {
    mutant: [
      altersAnswer("has all types", { method: "GET", path: GLOBAL, status: 404 }, DONE),
      altersAnswer("has all types in a room", { method: "GET", path: OF_ROOM, status: 404 }, DONE),
      claims("takes an array", { method: "PUT", path: GLOBAL, contains: "[]" }, {}),
      claims("takes an array for a room", { method: "PUT", path: OF_ROOM, contains: "[]" }, {}),
      claims("takes any room id", { method: "PUT", path: OF_ROOM.replace("rooms/*", "rooms/zz") }),
      altersAnswer(
        "does not find bad room ids",
        { method: "GET", path: OF_ROOM.replace("rooms/*", "rooms/zz") },
        { status: 404, body: { errcode: "M_NOT_FOUND", error: "not found" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const targets = [place(alice.userId), place(alice.userId, roomId)];
    const badRoom = place(alice.userId, "zz");
    ok(await alice.put(place(alice.userId, undefined, "org.example.global"), { set: true }));

    const unset = await Promise.all(targets.map((target) => alice.get(target)));
    const notInherited = await alice.get(place(alice.userId, roomId, "org.example.global"));
    const arrays = await Promise.all(targets.map((target) => alice.put(target, [])));
    const read = await alice.get(badRoom);
    const write = await alice.put(badRoom, {});

    for (const response of [...unset, notInherited])
      expectMatrixError(response, 404, "M_NOT_FOUND");
    for (const response of arrays) {
      const errcode = expectMatrixError(response, 400, ["M_BAD_JSON", "M_NOT_JSON"]);
      if (errcode !== "M_BAD_JSON") world.note(`an array as content answers ${errcode}`);
    }
    for (const target of targets) expectMatrixError(await alice.get(target), 404, "M_NOT_FOUND");
    expectMatrixError(read, 400, "M_INVALID_PARAM");
    expectMatrixError(write, 400, "M_INVALID_PARAM");
  },
);

check(
  "CS.tags.flow",
  "the server sets, lists and deletes tags, and shows them as m.tag in sync",
  {
    mutant: [
      altersRequest("loses the order", { method: "PUT", path: TAGS }, { remove: ["/order"] }),
      claims("does not delete", { method: "DELETE", path: TAGS }, {}),
      altersAnswer("lists no tags", { method: "GET", path: TAGS }, { body: { tags: {} } }),
      altersAnswer(
        "shows none in sync",
        { path: SYNC },
        { remove: ["/rooms/join/*/account_data"] },
      ),
      altersAnswer(
        "fails on a tag that is not there",
        { method: "DELETE", path: `${TAGS}/org.example.absent` },
        { status: 500 },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const tags = path`/_matrix/client/v3/user/${alice.userId}/rooms/${roomId}/tags`;
    const since = await alice.syncToken();
    const both = { "u.work": { order: 0.5 }, "m.favourite": {} };
    const one = { "m.favourite": {} };
    const untilTags = (token: string, expected: JsonObject) =>
      alice.syncUntil(token, `the tags ${Object.keys(expected).join()}`, (body) =>
        isDeepStrictEqual(accountData(body, "m.tag", roomId)?.tags, expected) ? true : undefined,
      );

    const set = await alice.put(`${tags}/u.work`, { order: 0.5 });
    const favourite = await alice.put(`${tags}/m.favourite`, {});
    const listed = await alice.get(tags);
    const shown = await untilTags(since, both);
    const deleted = await alice.delete(`${tags}/u.work`);
    const left = await alice.get(tags);
    const absent = await alice.delete(`${tags}/org.example.absent`);

    for (const response of [set, favourite, deleted])
      expectEqual(ok(response), {}, "the answer", response);
    expectEqual(objectAt(ok(listed), "tags"), both, "the tags", listed);
    expectEqual(objectAt(ok(left), "tags"), one, "the tags after the deletion", left);
    await untilTags(shown.since, one);
    expectStatus(absent, [200, 404]);
    world.note(`deleting a tag that is not there answers ${absent.status}`);
  },
);

check(
  "CS.tags.flow",
  "the server refuses to list, set and delete tags of other users",
  {
    mutant: ["GET", "PUT", "DELETE"].map((method) =>
      altersAnswer(
        `allows ${method} to others`,
        { method, path: TAGS, status: 403 },
        { status: 200, body: { tags: {} } },
      ),
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const tags = path`/_matrix/client/v3/user/${alice.userId}/rooms/${roomId}/tags`;
    ok(await alice.put(`${tags}/u.private`, { order: 0.25 }));

    const list = await bob.get(tags);
    const set = await bob.put(`${tags}/u.private`, { order: 0.75 });
    const deleted = await bob.delete(`${tags}/u.private`);

    for (const response of [list, set, deleted]) expectMatrixError(response, 403);
    const after = await alice.get(tags);
    expectEqual(ok(after).tags, { "u.private": { order: 0.25 } }, "the tags", after);
  },
);
