import { oneTimeKeys, publishDevice, publishIdentity } from "#harness/clients/identities";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject, listAt, numberAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";

const DEVICES = "/_matrix/federation/v1/user/devices/*";
const QUERY = "/_matrix/federation/v1/user/keys/query";
const CLAIM = "/_matrix/federation/v1/user/keys/claim";
const LOCAL_CLAIM = "/_matrix/client/v3/keys/claim";
const ALGORITHM = "signed_curve25519";

/** Servers may tell more in unsigned, and add signatures. */
function withoutUnsigned(keys: unknown): unknown {
  if (!isObject(keys)) return keys;
  const { unsigned: _, ...rest } = keys;
  return rest;
}

check(
  "FED.e2e.user-devices",
  "the server tells the devices of its users, with keys and cross-signing keys",
  {
    mutant: [
      altersAnswer(
        "tells the same stream id for ever",
        { from: "peer-*", path: DEVICES },
        { set: { "/stream_id": 1 } },
      ),
      altersAnswer(
        "leaves the self-signing key out",
        { from: "peer-*", path: DEVICES },
        { remove: ["/self_signing_key"] },
      ),
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const client = peer.client();
    const first = await publishDevice(alice);
    const { body: identity } = await publishIdentity(alice);

    const before = ok(await client.userDevices(alice.userId));
    const second = await world.login(alice);
    const other = await publishDevice(second);
    const response = await client.userDevices(alice.userId);

    const body = ok(response);
    expectEqual(body.user_id, alice.userId, "the user", response);
    const [earlier, later] = [numberAt(before, "stream_id"), numberAt(body, "stream_id")];
    expectThat(later > earlier, `a stream id above ${earlier}`, later, response);
    const keys = new Map(
      listAt(body, "devices").map((device) => [
        at(device, "device_id"),
        withoutUnsigned(at(device, "keys")),
      ]),
    );
    const expected = new Map([
      [alice.deviceId, first.keys],
      [second.deviceId, other.keys],
    ]);
    expectEqual(keys, expected, "the keys of the devices", response);
    expectEqual(withoutUnsigned(body.master_key), identity.master_key, "the master key", response);
    const selfSigning = withoutUnsigned(body.self_signing_key);
    expectEqual(selfSigning, identity.self_signing_key, "the self-signing key", response);
  },
);

check(
  "FED.e2e.user-devices",
  "the server tells the keys that are asked for, and keeps the user-signing key to itself",
  {
    mutant: [
      altersAnswer(
        "leaves the device keys out",
        { from: "peer-*", path: QUERY },
        { set: { "/device_keys": {} } },
      ),
      altersAnswer(
        "gives the user-signing keys out",
        { from: "peer-*", path: QUERY },
        { set: { "/user_signing_keys": { "@alice:hs1": {} } } },
      ),
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const device = await publishDevice(alice);
    const { body: identity, publicKeys } = await publishIdentity(alice);
    const client = peer.client();

    const response = await client.queryKeys({ [alice.userId]: [] });
    const devices = await client.userDevices(alice.userId);

    const body = ok(response);
    const ofAlice = (kind: string) => withoutUnsigned(at(body, kind, alice.userId));
    const told = withoutUnsigned(at(body, "device_keys", alice.userId, alice.deviceId));
    expectEqual(told, device.keys, "the device keys", response);
    expectEqual(ofAlice("master_keys"), identity.master_key, "the master key", response);
    const selfSigning = ofAlice("self_signing_keys");
    expectEqual(selfSigning, identity.self_signing_key, "the self-signing key", response);
    expectEqual(body.user_signing_keys ?? {}, {}, "the user-signing keys", response);
    for (const { text } of [response, devices]) {
      expectThat(!text.includes(publicKeys.user_signing), "no user-signing key", text);
    }
  },
);

check(
  "FED.e2e.keys-claim-once",
  "the server gives each one-time key out once, and then the fallback key",
  {
    mutant: [
      {
        name: "gives one key out twice",
        rules: [CLAIM, LOCAL_CLAIM].map((path) => ({
          match: { path },
          phase: "processed",
          action: { kind: "rewrite", replace: [["key2", "key1"]] },
        })),
      },
      altersAnswer(
        "has no fallback key",
        { from: "peer-*", path: CLAIM },
        { replace: [["fallback", "other"]] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const peers = await Promise.all([world.peer(), world.peer()]);
    const names = ["key1", "key2", "key3", "key4", "key5"];
    await publishDevice(alice);
    ok(
      await alice.post("/_matrix/client/v3/keys/upload", {
        one_time_keys: oneTimeKeys(names),
        fallback_keys: oneTimeKeys(["fallback"], { fallback: true }),
      }),
    );
    const wanted = { [alice.userId]: { [alice.deviceId]: ALGORITHM } };
    const locally = () => bob.post(LOCAL_CLAIM, { one_time_keys: wanted });
    const claims = [...peers.map((peer) => () => peer.client().claimKeys(wanted)), locally];

    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, index) => claims[index % claims.length]?.() ?? locally()),
    );

    const claimed = responses.map((response) => claimedKey(response, alice.userId, alice.deviceId));
    const oneTime = claimed.filter((id) => !id.endsWith(":fallback"));
    const expected = names.map((name) => `${ALGORITHM}:${name}`);
    expectEqual(oneTime.toSorted(), expected, "the one-time keys that were given out");
    expectEqual(claimed.length - oneTime.length, 15, "how often the fallback key was given out");
  },
);

/** Id of the one key in the answer to a claim. */
function claimedKey(response: HttpResponse, userId: string, deviceId: string): string {
  const keys = at(ok(response), "one_time_keys", userId, deviceId);
  const ids = Object.keys(isObject(keys) ? keys : {});
  expectEqual(ids.length, 1, "the number of keys", response);
  return String(ids[0]);
}
