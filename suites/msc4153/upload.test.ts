import { makeDevice, publishDevice } from "#harness/clients/identities";
import { at, isObject, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import type { JsonObject } from "#protocol/events/event";
import { verifyJson } from "#protocol/events/signatures";
import { KEYS_QUERY, KEYS_UPLOAD, query } from "./cross-signing.ts";
import {
  ALGORITHM,
  CLAIM,
  claim,
  claimAll,
  claimed,
  count,
  countIn,
  expectDifferent,
  gives,
  material,
  names,
  owned,
  signedKeys,
  UPLOAD,
} from "./keys.ts";

const QUERY = { method: "POST", path: KEYS_QUERY };
const COUNTS = `/one_time_key_counts/${ALGORITHM}`;

/** Lets the server take a request and drops its answer. */
const LOST = ["processed", { kind: "reset" }, 1] as const;

check(
  "E2EE.upload.device-keys-owner",
  "the server stores no device keys for another user or another device",
  {
    mutant: [
      altersAnswer("shows a device that is not there", QUERY, {
        set: { "/device_keys/*/FORGED": { keys: {} } },
      }),
      altersAnswer("shows other keys", QUERY, { set: { "/device_keys/*/*/keys": {} } }),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const keyless = await world.login(mallory);
    const published = await publishDevice(alice);
    const targets = [
      [alice.userId, alice.deviceId],
      [alice.userId, mallory.deviceId],
      [alice.userId, "FORGED"],
      [mallory.userId, keyless.deviceId],
      [mallory.userId, "FORGED"],
    ] as const;

    const responses = [];
    for (const [userId, deviceId] of targets) {
      const { keys } = makeDevice({ userId, deviceId, context: mallory.context });
      responses.push(await mallory.post(KEYS_UPLOAD, { device_keys: keys }));
    }
    const response = await query(alice, alice, mallory);

    for (const each of responses)
      expectThat(each.status < 500, "a refusal, or nothing stored", `${each.status}`, each);
    const shown = at(ok(response), "device_keys", alice.userId);
    const devices = Object.keys(isObject(shown) ? shown : {});
    expectEqual(devices, [alice.deviceId], "the devices of alice", response);
    const keys = at(shown, alice.deviceId, "keys");
    expectEqual(keys, published.keys.keys, "the keys of alice's device", response);
    const others = at(response.json, "device_keys", mallory.userId) ?? {};
    expectEqual(others, {}, "the devices of mallory with keys", response);
  },
);

check(
  "E2EE.upload.counts",
  "the server counts the one-time keys that it has",
  {
    mutant: [
      altersAnswer("counts one too few", UPLOAD, { set: { [COUNTS]: 49 } }),
      altersAnswer("counts nothing", UPLOAD, { remove: ["/one_time_key_counts"] }),
      altersAnswer(
        "counts what came with the request only",
        { ...UPLOAD, contains: "{}" },
        { set: { "/one_time_key_counts": {} } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const device = await publishDevice(alice);
    const keys = signedKeys(device, names("K", 50));

    const first = await alice.post(KEYS_UPLOAD, { one_time_keys: keys });
    const empty = await alice.post(KEYS_UPLOAD, {});

    expectEqual(countIn(first), 50, "the count after 50 keys", first);
    expectEqual(countIn(empty), 50, "the count in the answer to an empty upload", empty);
  },
);

check(
  "E2EE.upload.idempotent",
  "the server takes the same keys again when its first answer was lost",
  {
    mutant: [
      altersAnswer("refuses keys that it has", UPLOAD, {
        status: 400,
        body: { errcode: "M_UNKNOWN", error: "" },
      }),
      altersAnswer("counts them twice", UPLOAD, { set: { [COUNTS]: 20 } }),
      gives("gives one out twice", "K00", ["K01"]),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const device = makeDevice(alice);
    const owner = { ...device, session: alice };
    const body = { device_keys: device.keys, one_time_keys: signedKeys(device, names("K", 10)) };
    const lost = await world.fault({ ...UPLOAD, check: alice.context.check }, ...LOST);

    await alice.post(KEYS_UPLOAD, body).catch(() => undefined);
    await lost.end();
    const stored = await count(alice);
    const response = await alice.post(KEYS_UPLOAD, body);
    const keys = await claimAll(bob, owner);

    expectEqual(countIn(response), stored, "the count after the second upload", response);
    expectEqual(stored, 10, "the count after the first upload");
    expectDifferent(keys);
    expectEqual(keys.map(({ name }) => name).sort(), names("K", 10), "the keys given out");
  },
);

check(
  "E2EE.upload.conflict-rejected",
  "the server refuses another key under an id that it has",
  {
    mutant: [
      altersAnswer(
        "claims to have taken it",
        { ...UPLOAD, status: 400 },
        { status: 200, body: { one_time_key_counts: { [ALGORITHM]: 1 } } },
      ),
      gives("replaces the key", "K01", ["K00"]),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, ["K00"]);
    const other = alice.sign({ key: material("other") });

    const response = await alice.session.post(KEYS_UPLOAD, {
      one_time_keys: { [`${ALGORITHM}:K00`]: other },
    });
    const given = claimed(await claim(bob, alice), alice);

    const { status } = response;
    expectThat(status >= 400 && status < 500, "a refusal with 4xx", `${status}`, response);
    expectEqual(given?.name, "K00", "the key that is given out");
    expectEqual(given?.key.key, material("K00"), "its material");
  },
);

check(
  "E2EE.upload.conflict-atomic",
  "the server that refuses one key of an upload counts no other that it does not have",
  {
    mutant: [
      altersAnswer(
        "counts what it has not stored",
        { ...UPLOAD, status: 200 },
        { set: { [COUNTS]: 2 } },
      ),
      altersAnswer(
        "claims to have taken them",
        { ...UPLOAD, status: 400 },
        { status: 200, body: { one_time_key_counts: { [ALGORITHM]: 2 } } },
      ),
    ],
  },
  async (world) => {
    const { alice, bob } = await owned(world, ["K00"]);
    const other = alice.sign({ key: material("other") });

    const response = await alice.session.post(KEYS_UPLOAD, {
      one_time_keys: { [`${ALGORITHM}:K00`]: other, ...signedKeys(alice, ["K01"]) },
    });
    const counted = await count(alice.session);
    const keys = await claimAll(bob, alice);

    const { status } = response;
    expectThat(status >= 400 && status < 500, "a refusal with 4xx", `${status}`, response);
    expectEqual(counted, keys.length, `the count, with ${keys.map(({ name }) => name)} given out`);
    if (keys.length > 1) world.note("a refused upload left one of its keys");
  },
);

check(
  "E2EE.upload.claimed-id-not-resurrected",
  "the server gives a key out once, although it is uploaded again afterwards",
  { mutant: gives("gives it out again", "K00", names("K", 10)) },
  async (world) => {
    const { alice, bob } = await owned(world, names("K", 10));
    const body = { one_time_keys: signedKeys(alice, names("K", 10)) };

    const first = claimed(await claim(bob, alice), alice);
    ok(await alice.session.post(KEYS_UPLOAD, body));
    const later = await claimAll(bob, alice);

    expectDifferent([first, ...later]);
  },
);

check(
  "E2EE.upload.device-keys-update",
  "the server shows the signature that device keys have got since",
  {
    mutant: altersAnswer("shows the first version", QUERY, {
      replace: [["ed25519:another", "ed25519:lost"]],
    }),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const { keys } = await publishDevice(alice);
    const signatures = at(keys, "signatures", alice.userId);
    const more = { ...(isObject(signatures) ? signatures : {}), "ed25519:another": "A".repeat(86) };

    const again = { ...keys, signatures: { [alice.userId]: more } };
    ok(await alice.post(KEYS_UPLOAD, { device_keys: again }));
    const response = await query(bob, alice);

    const shown = at(ok(response), "device_keys", alice.userId, alice.deviceId, "signatures");
    expectEqual(at(shown, alice.userId), more, "the signatures", response);
  },
);

const UNSIGNED = altersAnswer("gives out keys that nobody signed", CLAIM, {
  set: { "/one_time_keys/*/*/*/signatures": {} },
});

/** A device that has lost its keys publishes new ones; what is given out has to fit them. */
async function publishIdentity(world: World, later: string): Promise<void> {
  const { alice, bob } = await owned(world, names("K", 3));
  const again = await world.login(alice.session, { device_id: alice.session.deviceId });
  const device = makeDevice(again);

  const uploaded = await again.post(KEYS_UPLOAD, {
    device_keys: device.keys,
    one_time_keys: signedKeys(device, names(later, 3)),
  });
  const response = await query(bob, again);
  const keys = await claimAll(bob, alice);

  expectThat(uploaded.status < 500, "200 or a refusal", `${uploaded.status}`, uploaded);
  const { userId, deviceId } = again;
  const id = `ed25519:${deviceId}`;
  const shown = textAt(ok(response), "device_keys", userId, deviceId, "keys", id);
  for (const { name, key } of keys) {
    const isSigned = verifyJson(key as JsonObject, userId, id, shown);
    expectThat(isSigned, `key ${name} to be signed by the keys of the device`, key, response);
  }
}

check(
  "E2EE.upload.same-device-new-identity",
  "the server gives out no keys of a replaced identity when the new ones have the same ids",
  { mutant: UNSIGNED },
  (world) => publishIdentity(world, "K"),
);

check(
  "E2EE.upload.same-device-new-identity",
  "the server gives out no keys of a replaced identity when the new ones have other ids",
  { mutant: UNSIGNED },
  (world) => publishIdentity(world, "N"),
);
