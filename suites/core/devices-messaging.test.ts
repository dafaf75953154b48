import { path } from "#harness/http/client";
import { at, numberAt, objectAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";

const UPLOAD_KEYS = "/_matrix/client/v3/keys/upload";
const ALGORITHMS = ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"];

interface ToDeviceEvent {
  readonly type: string;
  readonly sender: string;
  readonly content: unknown;
}

function toDevice(body: unknown, type: string): ToDeviceEvent[] {
  return ((at(body, "to_device", "events") ?? []) as ToDeviceEvent[]).filter(
    (event) => event.type === type,
  );
}

check(
  "CS.todevice.flow",
  "to-device messages reach the named devices once they are acknowledged",
  {
    mutant: [
      altersRequest(
        "sends to one device where all were named",
        { method: "PUT", path: "/_matrix/client/v3/sendToDevice/**", contains: '"*"' },
        { replace: [['"*"', '"DEVICE"']] },
      ),
      altersAnswer(
        "forgets a message that was not acknowledged",
        { path: "/_matrix/client/v3/sync", contains: "timeout=0" },
        { remove: ["/to_device"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const second = await world.login(bob);
    const [since, secondSince] = await Promise.all([bob.syncToken(), second.syncToken()]);
    const type = "org.example.ping";
    const send = (transaction: string, device: string, content: unknown) =>
      alice.put(path`/_matrix/client/v3/sendToDevice/${type}/${transaction}`, {
        messages: { [bob.userId]: { [device]: content } },
      });
    const transaction = world.name("txn");

    ok(await send(transaction, bob.deviceId, { n: 1 }));
    ok(await send(transaction, bob.deviceId, { n: 1 }));
    const first = await bob.syncUntil(since, "the to-device message", (body) =>
      toDevice(body, type).length > 0 ? toDevice(body, type) : undefined,
    );
    const again = await bob.sync({ since });
    const later = await bob.sync({ since: first.since });
    ok(await send(world.name("txn"), "*", { n: 2 }));
    const toAll = await Promise.all([
      bob.syncUntil(first.since, "the message to all devices", (body) => toDevice(body, type)[0]),
      second.syncUntil(
        secondSince,
        "the message to all devices",
        (body) => toDevice(body, type)[0],
      ),
    ]);

    const expected = [{ type, sender: alice.userId, content: { n: 1 } }];
    expectEqual(first.found, expected, "to-device events");
    expectEqual(toDevice(again, type), expected, "to-device events of the same since again");
    expectEqual(toDevice(later, type), [], "to-device events after they were acknowledged");
    for (const { found } of toAll)
      expectEqual(found.content, { n: 2 }, "content sent to all devices");
  },
);

check(
  "CS.todevice.malformed",
  "the server refuses a body without messages",
  {
    mutant: {
      name: "takes a body without messages",
      rules: [
        {
          match: { method: "PUT", path: "/_matrix/client/v3/sendToDevice/**", status: 400 },
          phase: "processed",
          action: { kind: "answer", status: 200, body: {} },
        },
      ],
    },
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const target = () =>
      path`/_matrix/client/v3/sendToDevice/org.example.ping/${world.name("txn")}`;

    const empty = await alice.put(target(), {});
    const unknownDevice = await alice.put(target(), {
      messages: { [bob.userId]: { NOSUCHDEVICE: {} } },
    });

    expectMatrixError(empty, 400);
    expectStatus(unknownDevice, 200);
  },
);

/** Keys of the right shape; servers do not check signatures of device keys. */
function deviceKeys(session: Session, userId = session.userId, deviceId = session.deviceId) {
  return {
    user_id: userId,
    device_id: deviceId,
    algorithms: ALGORITHMS,
    keys: {
      [`curve25519:${deviceId}`]: "K".repeat(43),
      [`ed25519:${deviceId}`]: "L".repeat(43),
    },
    signatures: { [userId]: { [`ed25519:${deviceId}`]: "M".repeat(86) } },
  };
}

function oneTimeKeys(session: Session, ids: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    ids.map((id) => [
      `signed_curve25519:${id}`,
      {
        key: id.padEnd(43, "N"),
        signatures: { [session.userId]: { [`ed25519:${session.deviceId}`]: "O".repeat(86) } },
      },
    ]),
  );
}

check(
  "CS.keys.smoke",
  "keys can be uploaded, queried, and claimed once",
  {
    mutant: [
      altersAnswer(
        "hands out a key without counting it",
        { method: "POST", path: UPLOAD_KEYS, contains: "{}" },
        { set: { "/one_time_key_counts/signed_curve25519": 3 } },
      ),
      altersAnswer(
        "hides device keys",
        { method: "POST", path: "/_matrix/client/v3/keys/query" },
        { remove: ["/device_keys/*"] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const ids = ["AAAAA1", "AAAAA2", "AAAAA3"];
    const body = { device_keys: deviceKeys(alice), one_time_keys: oneTimeKeys(alice, ids) };
    const claim = () =>
      bob.post("/_matrix/client/v3/keys/claim", {
        one_time_keys: { [alice.userId]: { [alice.deviceId]: "signed_curve25519" } },
      });

    const uploaded = await alice.post(UPLOAD_KEYS, body);
    const twice = await alice.post(UPLOAD_KEYS, body);
    const query = await bob.post("/_matrix/client/v3/keys/query", {
      device_keys: {
        [alice.userId]: [],
        [`@${world.name("none")}:${alice.server.serverName}`]: [],
      },
    });
    const claimed = await claim();

    for (const response of [uploaded, twice]) {
      expectEqual(
        numberAt(ok(response), "one_time_key_counts", "signed_curve25519"),
        3,
        "key count",
        response,
      );
    }
    const device = objectAt(ok(query), "device_keys", alice.userId, alice.deviceId);
    expectEqual(device.keys, deviceKeys(alice).keys, "keys of Alice's device", query);
    const unknown = Object.entries(objectAt(ok(query), "device_keys")).filter(
      ([user]) => user !== alice.userId,
    );
    expectThat(
      unknown.every(([, devices]) => Object.keys(devices as object).length === 0),
      "nothing for an unknown user",
      unknown,
      query,
    );
    const [key] = Object.entries(
      objectAt(ok(claimed), "one_time_keys", alice.userId, alice.deviceId),
    );
    expectThat(key !== undefined, "a claimed key", ok(claimed), claimed);
    expectEqual(key[0], "signed_curve25519:AAAAA1", "the key that was uploaded first", claimed);
    const after = await alice.post(UPLOAD_KEYS, {});
    expectEqual(
      numberAt(ok(after), "one_time_key_counts", "signed_curve25519"),
      2,
      "key count after a claim",
      after,
    );
    const other = Object.keys(
      objectAt(ok(await claim()), "one_time_keys", alice.userId, alice.deviceId),
    );
    expectThat(!other.includes(key[0]), "another key at the second claim", other);
  },
);

check(
  "CS.keys.errors",
  "the server refuses foreign device keys and malformed queries",
  {
    mutant: {
      name: "takes keys of another user",
      rules: [
        {
          match: { method: "POST", path: UPLOAD_KEYS, status: [400, 403] },
          phase: "processed",
          action: { kind: "answer", status: 200, body: { one_time_key_counts: {} } },
        },
      ],
    },
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");

    const ofOtherUser = await alice.post(UPLOAD_KEYS, {
      device_keys: deviceKeys(alice, bob.userId, bob.deviceId),
    });
    const ofOtherDevice = await alice.post(UPLOAD_KEYS, {
      device_keys: deviceKeys(alice, alice.userId, "OTHERDEVICE"),
    });
    const malformed = await alice.post("/_matrix/client/v3/keys/query", {
      device_keys: { [alice.userId]: { x: 1 } },
    });

    for (const response of [ofOtherUser, ofOtherDevice]) {
      expectThat(
        response.status >= 400 && response.status < 500,
        "4xx",
        String(response.status),
        response,
      );
    }
    expectMatrixError(malformed, 400, "M_BAD_JSON");
    const query = await alice.post("/_matrix/client/v3/keys/query", {
      device_keys: { [bob.userId]: [] },
    });
    expectEqual(
      at(ok(query), "device_keys", bob.userId, bob.deviceId),
      undefined,
      "stored foreign keys",
      query,
    );
  },
);

check(
  "CS.keys.errors",
  "the server refuses device keys of a wrong shape",
  {
    mutant: ['"keys":[', '"org.example"'].map((shape) =>
      altersAnswer(
        `takes ${shape}`,
        { method: "POST", path: UPLOAD_KEYS, contains: shape },
        { status: 200, body: { one_time_key_counts: {} } },
      ),
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const listed = { ...deviceKeys(alice), keys: ["L".repeat(43)] };

    for (const keys of [listed, { "org.example": true }]) {
      const response = await alice.post(UPLOAD_KEYS, { device_keys: keys });

      expectMatrixError(response, [400, 403]);
    }
    const query = await alice.post("/_matrix/client/v3/keys/query", {
      device_keys: { [alice.userId]: [] },
    });
    const stored = at(ok(query), "device_keys", alice.userId, alice.deviceId);
    expectEqual(stored, undefined, "stored malformed keys", query);
  },
);

check(
  "CS.admin.normal-user",
  "administration endpoints are closed to normal users",
  {
    mutant: {
      name: "tells anybody where a user is",
      rules: [
        {
          match: { method: "GET", path: "/_matrix/client/v3/admin/whois/*" },
          phase: "processed",
          action: { kind: "answer", status: 200, body: { user_id: "@x:y", devices: {} } },
        },
      ],
    },
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");

    const answers = [
      await mallory.get(path`/_matrix/client/v3/admin/whois/${alice.userId}`),
      await mallory.get(path`/_matrix/client/v1/admin/lock/${alice.userId}`),
      await mallory.put(path`/_matrix/client/v1/admin/lock/${alice.userId}`, { locked: true }),
      await mallory.get(path`/_matrix/client/v1/admin/suspend/${alice.userId}`),
      await mallory.put(path`/_matrix/client/v1/admin/suspend/${alice.userId}`, {
        suspended: true,
      }),
    ];

    for (const answer of answers) {
      if (answer.status === 404) expectMatrixError(answer, 404, "M_UNRECOGNIZED");
      else expectMatrixError(answer, 403, "M_FORBIDDEN");
    }
    ok(await alice.createRoom().then(() => alice.get("/_matrix/client/v3/account/whoami")));
  },
);
