import { publishDevice, publishIdentity } from "#harness/clients/identities";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { JsonObject } from "#protocol/events/event";
import { KEYS_QUERY, query, SIGNATURES_UPLOAD, signersOf } from "./cross-signing.ts";

const QUERY = { method: "POST", path: KEYS_QUERY };
const FEDERATED_QUERY = { from: "peer-*", path: "/_matrix/federation/v1/user/keys/query" };
const FEDERATED_DEVICES = { from: "peer-*", path: "/_matrix/federation/v1/user/devices/*" };

/** Ids of a user's devices with keys. */
function devicesIn(body: unknown, { userId }: { readonly userId: string }): readonly string[] {
  const devices = at(body, "device_keys", userId);
  return Object.keys(isObject(devices) ? devices : {}).sort();
}

check(
  "E2EE.query.basic",
  "the server tells keys of devices and of users, and the user-signing key to its owner alone",
  {
    mutant: [
      altersAnswer("leaves the devices out", QUERY, { set: { "/device_keys": {} } }),
      altersAnswer("leaves the master keys out", QUERY, { remove: ["/master_keys"] }),
      altersAnswer("leaves the self-signing keys out", QUERY, { remove: ["/self_signing_keys/*"] }),
      altersAnswer("keeps the user-signing key from its owner", QUERY, {
        remove: ["/user_signing_keys"],
      }),
      altersAnswer("tells another's user-signing key", QUERY, {
        set: { "/user_signing_keys/@bob:hs1": {} },
      }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const devices = new Map([
      [alice, await publishDevice(alice)],
      [bob, await publishDevice(bob)],
    ]);
    const identities = new Map([
      [alice, await publishIdentity(alice)],
      [bob, await publishIdentity(bob)],
    ]);

    const response = await query(alice, alice, bob);

    const body = ok(response);
    for (const [session, { keys }] of devices) {
      const { userId, deviceId } = session;
      const shown = at(body, "device_keys", userId, deviceId);
      for (const field of ["user_id", "device_id", "algorithms", "keys", "signatures"])
        expectEqual(at(shown, field), keys[field], `${field} of ${userId}`, response);
    }
    for (const [{ userId }, identity] of identities) {
      const sections = [
        ["master_keys", "master_key"],
        ["self_signing_keys", "self_signing_key"],
      ] as const;
      for (const [section, uploaded] of sections) {
        const shown = at(body, section, userId, "keys");
        expectEqual(
          shown,
          at(identity.body, uploaded, "keys"),
          `${section} of ${userId}`,
          response,
        );
      }
    }
    const own = at(body, "user_signing_keys");
    const owners = Object.keys(isObject(own) ? own : {});
    expectEqual(owners, [alice.userId], "whose user-signing keys are told", response);
    const expected = at(identities.get(alice)?.body, "user_signing_key", "keys");
    expectEqual(at(own, alice.userId, "keys"), expected, "the user-signing key", response);
  },
);

check(
  "E2EE.query.sig-visibility",
  "the server shows who has verified a user to the one who did so alone",
  {
    mutant: [
      altersAnswer("shows it to everybody", QUERY, {
        set: { "/master_keys/*/signatures": { "@bob:hs1": { "ed25519:B": "sig" } } },
      }),
      altersAnswer("shows it to nobody", QUERY, { remove: ["/master_keys/*/signatures"] }),
    ],
  },
  async (world) => {
    const [alice, bob, carol] = await world.users("alice", "bob", "carol");
    const { body } = await publishIdentity(alice);
    const { sign, publicKeys } = await publishIdentity(bob);
    const master = body.master_key as JsonObject;
    const signed = { [publicKeyIn(master)]: sign(master, "user_signing") };

    const upload = await bob.post(SIGNATURES_UPLOAD, { [alice.userId]: signed });
    const responses = [];
    for (const session of [bob, alice, carol]) responses.push(await query(session, alice));

    expectEqual(ok(upload).failures ?? {}, {}, "failures of the upload", upload);
    const shown = responses.map((response) => {
      const signatures = at(ok(response), "master_keys", alice.userId, "signatures", bob.userId);
      return Object.keys(isObject(signatures) ? signatures : {});
    });
    const expected = [[`ed25519:${publicKeys.user_signing}`], [], []];
    expectEqual(shown, expected, "the signature that bob, alice and carol are shown");
  },
);

/** Public key of a cross-signing key, by which uploads of signatures name it. */
function publicKeyIn(key: JsonObject): string {
  return String(Object.values(key.keys as JsonObject)[0]);
}

check(
  "E2EE.query.unknown-user",
  "the server knows no devices of an unknown user, and answers for the others",
  {
    mutant: [
      altersAnswer("fails for all", QUERY, {
        status: 404,
        body: { errcode: "M_NOT_FOUND", error: "" },
      }),
      altersAnswer("calls it a failure", QUERY, { set: { "/failures/hs1": { status: 404 } } }),
      altersAnswer("answers for nobody", QUERY, { set: { "/device_keys": {} } }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const unknown = { userId: `@${world.name("nobody")}:${alice.server.serverName}` };
    await publishDevice(alice);

    const response = await query(bob, alice, unknown);

    const body = ok(response);
    expectEqual(devicesIn(body, alice), [alice.deviceId], "the devices of alice", response);
    expectEqual(devicesIn(body, unknown), [], "the devices of the unknown user", response);
    expectEqual(body.failures ?? {}, {}, "failures", response);
  },
);

check(
  "E2EE.query.device-filter",
  "the server tells of the devices that are asked for, and of all when none is named",
  {
    mutant: [
      altersAnswer("tells of another device", QUERY, {
        set: { "/device_keys/*/OTHER": { keys: {} } },
      }),
      altersAnswer("takes no device for none", QUERY, { remove: ["/device_keys/*/*"] }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const second = await world.login(alice);
    await Promise.all([publishDevice(alice), publishDevice(second)]);
    const ask = (devices: readonly string[]) =>
      bob.post(KEYS_QUERY, { device_keys: { [alice.userId]: devices } });

    const [all, one] = [await ask([]), await ask([second.deviceId])];

    const both = [alice.deviceId, second.deviceId].sort();
    expectEqual(devicesIn(ok(all), alice), both, "the devices when none is named", all);
    expectEqual(devicesIn(ok(one), alice), [second.deviceId], "those of the filter", one);
  },
);

check(
  "E2EE.query.non-crypto-device",
  "the server tells nobody keys of a device that has none",
  {
    mutant: [
      altersAnswer("tells its users of it", QUERY, {
        set: { "/device_keys/*/KEYLESS": { keys: {} } },
      }),
      altersAnswer("tells other servers of it", FEDERATED_QUERY, {
        set: { "/device_keys/*/KEYLESS": { keys: {} } },
      }),
      altersAnswer("describes it with empty keys", FEDERATED_DEVICES, {
        set: { "/devices/*/keys": { algorithms: [], keys: {} } },
      }),
    ],
  },
  async (world) => {
    const [[alice, bob], peer] = await Promise.all([world.users("alice", "bob"), world.peer()]);
    const keyless = await world.login(alice);
    const { keys } = await publishDevice(alice);
    const client = peer.client();

    const here = await query(bob, alice);
    const there = await client.queryKeys({ [alice.userId]: [] });
    const devices = await client.userDevices(alice.userId);

    for (const response of [here, there])
      expectEqual(devicesIn(ok(response), alice), [alice.deviceId], "the devices", response);
    const listed = at(ok(devices), "devices");
    for (const device of Array.isArray(listed) ? listed : []) {
      const isKeyless = at(device, "device_id") === keyless.deviceId;
      const expected = isKeyless ? undefined : keys.keys;
      expectEqual(at(device, "keys", "keys"), expected, "the keys of a device", devices);
      if (isKeyless)
        expectEqual(at(device, "keys"), undefined, "keys of a device without", devices);
    }
  },
);

check(
  "E2EE.query.signatures-merged",
  "the server shows a device with the signature that its user has given it",
  {
    mutant: [
      altersAnswer("shows its users the device's own alone", QUERY, {
        set: { "/device_keys/*/*/signatures/*": {} },
      }),
      altersAnswer("answers other servers without it", FEDERATED_QUERY, {
        set: { "/device_keys/*/*/signatures/*": {} },
      }),
      altersAnswer("describes the device without it", FEDERATED_DEVICES, {
        set: { "/devices/*/keys/signatures": {} },
      }),
    ],
  },
  async (world) => {
    const [[alice, bob], peer] = await Promise.all([world.users("alice", "bob"), world.peer()]);
    const device = await publishDevice(alice);
    const { sign, publicKeys } = await publishIdentity(alice);
    const signed = { [alice.deviceId]: sign(device.keys, "self_signing") };
    const upload = await alice.post(SIGNATURES_UPLOAD, { [alice.userId]: signed });

    const here = await query(bob, alice);
    const there = await peer.client().queryKeys({ [alice.userId]: [] });
    const devices = await peer.client().userDevices(alice.userId);

    expectEqual(ok(upload).failures ?? {}, {}, "failures of the upload", upload);
    const expected = [`ed25519:${alice.deviceId}`, `ed25519:${publicKeys.self_signing}`].sort();
    for (const response of [here, there])
      expectEqual(signersOf(response, alice.userId, alice.deviceId), expected, "signers", response);
    const described = at(ok(devices), "devices", 0, "keys", "signatures", alice.userId);
    const signers = Object.keys(isObject(described) ? described : {}).sort();
    expectEqual(signers, expected, "signers in the description of devices", devices);
  },
);
