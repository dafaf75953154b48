import type { HttpResponse } from "#harness/http/client";
import { at, numberAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import {
  createVersion,
  deleteKeys,
  GOOD,
  getKeys,
  keysAt,
  putSession,
  sessionWorth,
  VERSION,
  type Worth,
} from "./backups.ts";

const [ROOM, OTHER_ROOM] = ["!room:example.org", "!other:example.org"];
const KEYS_MATCH = "/_matrix/client/v3/room_keys/keys/**";
const ONE_SESSION = "/_matrix/client/v3/room_keys/keys/*/*";

/** What every write answers. */
function stateOf(response: HttpResponse): { etag: string; count: number } {
  const body = ok(response);
  return { etag: textAt(body, "etag"), count: numberAt(body, "count") };
}

function worthOf(response: HttpResponse): Worth {
  const { first_message_index, forwarded_count, is_verified } = ok(response);
  return {
    first: Number(first_message_index),
    forwarded: Number(forwarded_count),
    isVerified: is_verified === true,
  };
}

check(
  "E2EE.backup.put-response",
  "the server answers each write with etag and count, and deletes what is named alone",
  {
    mutant: [
      altersAnswer("makes the etag a number", { path: ONE_SESSION }, { set: { "/etag": 7 } }),
      altersAnswer(
        "does not count after a deletion",
        { method: "DELETE", path: KEYS_MATCH },
        { remove: ["/count"] },
      ),
      claims("deletes nothing", { method: "DELETE", path: ONE_SESSION }, { etag: "7", count: 3 }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = await createVersion(alice);
    const session = sessionWorth();

    const counts = [
      await putSession(alice, version, ROOM, "1"),
      await alice.put(keysAt(ROOM), { sessions: { 2: session } }, { version }),
      await alice.put(
        keysAt(),
        {
          rooms: {
            [ROOM]: { sessions: { 3: session } },
            [OTHER_ROOM]: { sessions: { 4: session } },
          },
        },
        { version },
      ),
      await deleteKeys(alice, version, ROOM, "1"),
    ].map((response) => stateOf(response).count);
    const left = await getKeys(alice, version);
    counts.push(stateOf(await deleteKeys(alice, version, ROOM)).count);
    const other = await getKeys(alice, version);
    counts.push(stateOf(await deleteKeys(alice, version)).count);
    const none = await getKeys(alice, version);

    expectEqual(counts, [1, 2, 4, 3, 1, 0], "counts after each write");
    const inOther = { [OTHER_ROOM]: { sessions: { 4: session } } };
    const inRoom = { [ROOM]: { sessions: { 2: session, 3: session } } };
    expectEqual(ok(left).rooms, { ...inRoom, ...inOther }, "keys without one session", left);
    expectEqual(ok(other).rooms, inOther, "keys without one room", other);
    expectEqual(ok(none).rooms, {}, "keys after all were deleted", none);
  },
);

check(
  "E2EE.backup.get-empty",
  "the server answers for what has no keys by an empty container, and for one session by 404",
  {
    mutant: [
      altersAnswer("leaves rooms out", { path: "/_matrix/client/v3/room_keys/keys" }, { body: {} }),
      altersAnswer(
        "does not know a room without keys",
        { path: "/_matrix/client/v3/room_keys/keys/*" },
        { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
      ),
      altersAnswer(
        "makes up a session",
        { path: ONE_SESSION, status: 404 },
        { status: 200, body: {} },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = await createVersion(alice);

    const all = await getKeys(alice, version);
    const room = await getKeys(alice, version, ROOM);
    const session = await getKeys(alice, version, ROOM, "session");
    const unknown = await getKeys(alice, "999");

    expectEqual(ok(all), { rooms: {} }, "all keys", all);
    expectEqual(ok(room), { sessions: {} }, "keys of a room", room);
    for (const response of [session, unknown]) expectMatrixError(response, 404, "M_NOT_FOUND");
  },
);

check(
  "E2EE.backup.merge-verified",
  "the server keeps the better of two keys of one session",
  {
    mutant: [
      altersRequest(
        "keeps the last one",
        { method: "PUT", path: ONE_SESSION, contains: '"first_message_index":9' },
        { replace: [['"first_message_index":9', '"first_message_index":1']] },
      ),
      claims(
        "keeps the first one",
        { method: "PUT", path: ONE_SESSION, contains: '"first_message_index":3' },
        { etag: "1", count: 1 },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = await createVersion(alice);
    const isVerified = true;
    const better: readonly Worth[] = [
      { first: 5, forwarded: 0, isVerified: false },
      { first: 3, forwarded: 1, isVerified: false },
      { first: 3, forwarded: 0, isVerified: false },
      { first: 4, forwarded: 0, isVerified },
    ];
    const worse: readonly Worth[] = [
      { first: 9, forwarded: 9, isVerified },
      { first: 4, forwarded: 1, isVerified },
      { first: 5, forwarded: 0, isVerified: false },
    ];

    const seen: unknown[] = [];
    for (const worth of [...better, ...worse]) {
      ok(await putSession(alice, version, ROOM, "session", sessionWorth(worth)));
      seen.push(worthOf(await getKeys(alice, version, ROOM, "session")));
    }

    const best = better.at(-1);
    expectEqual(seen, [...better, ...worse.map(() => best)], "the key after each write");
  },
);

check(
  "E2EE.backup.merge-verified",
  "the server looks at a lower field only when the fields above it are equal",
  {
    mutant: altersAnswer(
      "keeps the last one",
      { method: "GET", path: ONE_SESSION },
      { set: { "/first_message_index": 9 } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = await createVersion(alice);
    const cases: readonly (readonly [stored: Worth, put: Worth])[] = [
      [
        { first: 4, forwarded: 0, isVerified: true },
        { first: 0, forwarded: 0, isVerified: false },
      ],
      [
        { first: 4, forwarded: 1, isVerified: true },
        { first: 9, forwarded: 0, isVerified: true },
      ],
    ];

    const kept: unknown[] = [];
    for (const [index, pair] of cases.entries()) {
      for (const worth of pair)
        ok(await putSession(alice, version, ROOM, `${index}`, sessionWorth(worth)));
      kept.push(worthOf(await getKeys(alice, version, ROOM, `${index}`)));
    }

    expectEqual(
      kept,
      cases.map(([stored]) => stored),
      "the keys that are kept",
    );
  },
);

check(
  "E2EE.backup.etag",
  "the server changes the etag whenever keys change, and counts them",
  {
    mutant: [
      altersAnswer(
        "never changes the etag of answers to writes",
        { method: "PUT", path: KEYS_MATCH },
        { set: { "/etag": "7" } },
      ),
      altersAnswer(
        "counts one key too many",
        { method: "GET", path: VERSION },
        { set: { "/count": 2 } },
      ),
      altersAnswer(
        "does not count what is deleted",
        { method: "DELETE", path: KEYS_MATCH },
        { set: { "/count": 1 } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = await createVersion(alice);
    const better = { ...GOOD, first: 0 };

    const states = [stateOf(await alice.get(VERSION))];
    for (const write of [
      () => putSession(alice, version, ROOM, "1", sessionWorth({ ...GOOD, first: 5 })),
      () => putSession(alice, version, ROOM, "1", sessionWorth(better)),
      () => deleteKeys(alice, version, ROOM, "1"),
    ]) {
      const [written, told] = [stateOf(await write()), stateOf(await alice.get(VERSION))];
      expectEqual(told, written, "what the version says after a write");
      states.push(written);
    }

    expectEqual(
      states.map(({ count }) => count),
      [0, 1, 1, 0],
      "the counts",
    );
    for (const [index, { etag }] of states.entries()) {
      const next = states[index + 1];
      expectThat(next === undefined || next.etag !== etag, "another etag after a change", states);
    }
  },
);

check(
  "E2EE.backup.etag-stable",
  "the server leaves the etag alone when a write changes nothing",
  {
    mutant: [
      altersAnswer(
        "changes the etag for a key that it does not keep",
        { method: "PUT", path: ONE_SESSION, contains: '"first_message_index":9' },
        { set: { "/etag": "other" } },
      ),
      altersAnswer(
        "changes the etag with every look",
        { method: "GET", path: VERSION },
        { set: { "/etag": "other" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = await createVersion(alice);
    const put = (first: number) =>
      putSession(alice, version, ROOM, "session", sessionWorth({ ...GOOD, first }));

    const first = stateOf(await put(0));
    const later = [stateOf(await put(0)), stateOf(await put(9)), stateOf(await alice.get(VERSION))];

    for (const state of later) expectEqual(state, first, "etag and count");
  },
);

check(
  "E2EE.backup.batch-partial",
  "the server stores all keys of a request or none",
  {
    mutant: altersAnswer(
      "stores half of a request",
      { method: "GET", path: "/_matrix/client/v3/room_keys/keys" },
      { set: { "/rooms": { [ROOM]: { sessions: { good: { first_message_index: 0 } } } } } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = await createVersion(alice);
    const bad = { ...sessionWorth(), is_verified: "perhaps" };
    const sessions = { good: sessionWorth(), bad };

    const write = await alice.put(keysAt(), { rooms: { [ROOM]: { sessions } } }, { version });
    const stored = await getKeys(alice, version);

    const count = Object.keys((at(ok(stored), "rooms", ROOM, "sessions") ?? {}) as object).length;
    if (write.status === 200) {
      expectEqual(count, 2, "keys stored of a request that was taken", stored);
    } else {
      expectMatrixError(write, 400);
      expectEqual(ok(stored).rooms, {}, "keys stored of a request that was refused", stored);
    }
  },
);

check(
  "E2EE.backup.json-roundtrip",
  "the server gives back encrypted sessions as they were stored, whatever is in them",
  {
    mutant: [
      altersAnswer(
        "strips what it does not know",
        { method: "GET", path: ONE_SESSION },
        { remove: ["/session_data/unsigned"] },
      ),
      altersAnswer(
        "changes the ciphertext",
        { method: "GET", path: ONE_SESSION },
        { set: { "/session_data/ciphertext": "other" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const algorithm = "org.matrix.msc4048.curve25519-aes-sha2";
    const version = await createVersion(alice, { public_key: "public" }, algorithm);
    const data = {
      ephemeral: "ephemeral",
      ciphertext: "ciphertext",
      mac: "mac",
      unsigned: { "org.matrix.msc4048.backup_mac": "backup mac" },
      "org.example.more": { nested: [1, null, "text", { deep: true }] },
    };

    ok(await putSession(alice, version, ROOM, "session", sessionWorth(GOOD, data)));
    const response = await getKeys(alice, version, ROOM, "session");

    expectEqual(ok(response).session_data, data, "session_data", response);
  },
);

const ROUNDS = 25;

check(
  "E2EE.backup.concurrent",
  "the server keeps the better key when two devices write at once",
  {
    deadlineMs: 120_000,
    mutant: altersRequest(
      "keeps the later one",
      { method: "PUT", path: ONE_SESSION, contains: '"first_message_index":7' },
      { replace: [['"first_message_index":7', '"first_message_index":-1']] },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const second = await world.login(alice);
    const version = await createVersion(alice);
    const write = (device: typeof alice, round: number, first: number) =>
      putSession(device, version, ROOM, `${round}`, sessionWorth({ ...GOOD, first }));

    for (let round = 0; round < ROUNDS; round++) {
      const writes = [write(alice, round, 0), write(second, round, 7)];
      for (const response of await Promise.all(writes)) ok(response);
    }
    const response = await getKeys(alice, version, ROOM);

    const sessions = Object.values(ok(response).sessions as Record<string, unknown>);
    const kept = sessions.map((session) => at(session, "first_message_index"));
    expectEqual(kept, Array(ROUNDS).fill(0), "the indexes of the keys that are kept");
  },
);

check(
  "E2EE.backup.durable",
  "the server keeps keys that it has acknowledged when it dies",
  {
    isolated: {},
    deadlineMs: 120_000,
    mutant: claims(
      "acknowledges what it has not stored",
      { method: "PUT", path: ONE_SESSION },
      { etag: "1", count: 1 },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = await createVersion(alice);
    ok(await putSession(alice, version, ROOM, "session"));

    await world.killAndRestart(alice.server.role);
    const response = await getKeys(alice, version, ROOM, "session");

    expectEqual(ok(response), sessionWorth(), "the key after the server's death", response);
  },
);
