import { at, numberAt, objectAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import {
  ALGORITHM,
  createVersion,
  getKeys,
  keysAt,
  putSession,
  sessionWorth,
  VERSION,
  versionAt,
} from "./backups.ts";

const ROOM = "!room:example.org";
const PUT_KEYS = { method: "PUT", path: "/_matrix/client/v3/room_keys/keys/**" };
const GET_KEYS = { method: "GET", path: "/_matrix/client/v3/room_keys/keys/**" };
const ONE_VERSION = "/_matrix/client/v3/room_keys/version/*";

check(
  "E2EE.backup.version-create",
  "the server makes a version of a backup and tells all about it",
  {
    mutant: [
      altersAnswer(
        "forgets the authentication data",
        { method: "GET", path: VERSION },
        { set: { "/auth_data": {} } },
      ),
      altersAnswer(
        "leaves the etag out",
        { method: "GET", path: ONE_VERSION },
        { remove: ["/etag"] },
      ),
      altersAnswer(
        "counts keys that are not there",
        { method: "GET", path: VERSION },
        { set: { "/count": 1 } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const authData = { public_key: "public", signatures: { [alice.userId]: { key: "text" } } };

    const version = await createVersion(alice, authData);
    const current = await alice.get(VERSION);
    const named = await alice.get(versionAt(version));

    for (const response of [current, named]) {
      const expected = { algorithm: ALGORITHM, auth_data: authData, version, count: 0 };
      expectContains(ok(response), expected, "the version", response);
      textAt(response.json, "etag");
    }
  },
);

check(
  "E2EE.backup.wrong-version",
  "the server refuses to write to a version that is not the current one",
  {
    mutant: altersAnswer(
      "takes keys for an old version",
      { ...PUT_KEYS, status: 403 },
      { status: 200, body: { etag: "1", count: 1 } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const old = await createVersion(alice);
    await createVersion(alice);

    const one = await putSession(alice, old, ROOM, "session");
    const all = await alice.put(
      keysAt(),
      { rooms: { [ROOM]: { sessions: { session: sessionWorth() } } } },
      { version: old },
    );

    for (const response of [one, all]) {
      expectMatrixError(response, 403, "M_WRONG_ROOM_KEYS_VERSION");
    }
    const stored = await getKeys(alice, old);
    expectEqual(ok(stored).rooms, {}, "keys of the old version", stored);
  },
);

check(
  "E2EE.backup.wrong-version",
  "the server names the current version when it refuses to write to another one",
  {
    mutant: altersAnswer(
      "does not name it",
      { ...PUT_KEYS, status: 403 },
      { remove: ["/current_version"] },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const old = await createVersion(alice);
    const current = await createVersion(alice);

    const response = await putSession(alice, old, ROOM, "session");

    expectMatrixError(response, 403, "M_WRONG_ROOM_KEYS_VERSION");
    expectEqual(at(response.json, "current_version"), current, "current_version", response);
  },
);

check(
  "E2EE.backup.no-version",
  "the server refuses to write to a version that never was",
  {
    mutant: altersAnswer(
      "takes keys for no version",
      { method: "PUT", path: "/_matrix/client/v3/room_keys/keys/**", status: [403, 404] },
      { status: 200, body: { etag: "1", count: 1 } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = "999";
    const sessions = { session: sessionWorth() };
    const write = async () => [
      await alice.put(keysAt(), { rooms: { [ROOM]: { sessions } } }, { version }),
      await alice.put(keysAt(ROOM), { sessions }, { version }),
    ];

    const withoutBackup = await write();
    await createVersion(alice);
    const withBackup = await write();

    for (const response of withoutBackup) expectMatrixError(response, 404, "M_NOT_FOUND");
    for (const response of withBackup) {
      expectMatrixError(response, [403, 404], ["M_NOT_FOUND", "M_WRONG_ROOM_KEYS_VERSION"]);
    }
  },
);

check(
  "E2EE.backup.old-version-readable",
  "the server still gives keys of an older version",
  {
    mutant: altersAnswer(
      "forgets older versions",
      { ...GET_KEYS, status: 200 },
      { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const old = await createVersion(alice);
    ok(await putSession(alice, old, ROOM, "session"));
    await createVersion(alice);

    const response = await getKeys(alice, old);

    const expected = { [ROOM]: { sessions: { session: sessionWorth() } } };
    expectEqual(ok(response).rooms, expected, "keys of the older version", response);
  },
);

check(
  "E2EE.backup.delete-version",
  "the server forgets a deleted version and its keys",
  {
    mutant: [
      claims("keeps the version", { method: "DELETE", path: ONE_VERSION }, {}),
      altersAnswer(
        "gives keys of a deleted version",
        { ...GET_KEYS, status: 404 },
        { status: 200, body: { rooms: {} } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const first = await createVersion(alice);
    const second = await createVersion(alice);
    ok(await putSession(alice, second, ROOM, "session"));

    ok(await alice.delete(versionAt(second)));
    const [version, keys] = [await alice.get(versionAt(second)), await getKeys(alice, second)];
    const [current, write] = [await alice.get(VERSION), await putSession(alice, second, ROOM, "s")];

    for (const response of [version, keys]) expectMatrixError(response, 404, "M_NOT_FOUND");
    if (current.status !== 404) {
      expectEqual(at(ok(current), "version"), first, "the current version", current);
    }
    expectMatrixError(write, [403, 404]);
  },
);

check(
  "E2EE.backup.delete-twice",
  "the server deletes a version that is deleted already, and none that never was",
  {
    mutant: [
      altersAnswer(
        "does not know what it has deleted",
        { method: "DELETE", path: ONE_VERSION, status: 200 },
        { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
      ),
      altersAnswer(
        "deletes what never was",
        { method: "DELETE", path: ONE_VERSION, status: 404 },
        { status: 200, body: {} },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = await createVersion(alice);

    const answers = [
      await alice.delete(versionAt(version)),
      await alice.delete(versionAt(version)),
    ];
    const never = await alice.delete(versionAt("999"));

    for (const response of answers) expectStatus(response, 200);
    expectMatrixError(never, 404, "M_NOT_FOUND");
  },
);

check(
  "E2EE.backup.update-alg",
  "the server changes a version's authentication data, and neither its algorithm nor its name",
  {
    mutant: [
      altersAnswer(
        "takes another algorithm",
        { method: "PUT", path: ONE_VERSION, status: 400 },
        { status: 200, body: {} },
      ),
      claims(
        "does not change the authentication data",
        { method: "PUT", path: ONE_VERSION, contains: '"new"' },
        {},
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const version = await createVersion(alice, { public_key: "old" });
    const target = versionAt(version);
    const authData = { public_key: "new" };

    const algorithm = await alice.put(target, { algorithm: "org.example", auth_data: {}, version });
    const name = await alice.put(target, { algorithm: ALGORITHM, auth_data: {}, version: "999" });
    const before = await alice.get(target);
    const data = await alice.put(target, { algorithm: ALGORITHM, auth_data: authData, version });
    const after = await alice.get(target);

    for (const response of [algorithm, name]) expectMatrixError(response, 400);
    expectEqual(objectAt(ok(before), "auth_data"), { public_key: "old" }, "data before", before);
    expectStatus(data, 200);
    expectContains(ok(after), { algorithm: ALGORITHM, auth_data: authData }, "the version", after);
  },
);

check(
  "E2EE.backup.isolation",
  "the server shows and changes no user's backup for another one",
  {
    mutant: [
      altersAnswer(
        "shows keys to another user",
        { ...GET_KEYS, status: 404 },
        { status: 200, body: { rooms: { "!other:example.org": { sessions: {} } } } },
      ),
      altersAnswer(
        "takes keys of another user",
        { ...PUT_KEYS, status: 404 },
        { status: 200, body: { etag: "1", count: 1 } },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const version = await createVersion(alice);
    ok(await putSession(alice, version, ROOM, "session"));
    const worth = { first: 0, forwarded: 0, isVerified: true };
    const other = sessionWorth(worth, { ciphertext: "of mallory" });

    const without = [
      await getKeys(mallory, version),
      await mallory.get(versionAt(version)),
      await putSession(mallory, version, ROOM, "session", other),
      await mallory.delete(versionAt(version)),
    ];
    const own = await createVersion(mallory);
    ok(await putSession(mallory, own, ROOM, "session", other));
    const read = await getKeys(mallory, own);

    for (const response of without) expectMatrixError(response, 404);
    expectEqual(ok(read).rooms, { [ROOM]: { sessions: { session: other } } }, "own keys", read);
    const kept = await getKeys(alice, version);
    const expected = { [ROOM]: { sessions: { session: sessionWorth() } } };
    expectEqual(ok(kept).rooms, expected, "keys of the first user", kept);
    const info = await alice.get(versionAt(version));
    expectThat(numberAt(ok(info), "count") === 1, "one key counted", info.text, info);
  },
);
