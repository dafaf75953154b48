import { makeDevice, publishDevice, publishIdentity } from "#harness/clients/identities";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { KEYS_QUERY, query, SIGNATURES_UPLOAD, signersOf } from "./cross-signing.ts";

const UPLOAD = { method: "POST", path: SIGNATURES_UPLOAD };
const QUERY = { method: "POST", path: KEYS_QUERY };
const BAD_SIGNATURE = "A".repeat(86);

check(
  "E2EE.xs.sig-upload-failures",
  "the server stores good signatures and tells of each bad one",
  {
    mutant: [
      altersAnswer("tells of no failure", UPLOAD, { set: { "/failures": {} } }),
      altersAnswer("loses the good signature", QUERY, {
        remove: ["/device_keys/*/*/signatures/*"],
      }),
      altersAnswer("has another reason", UPLOAD, {
        replace: [["M_INVALID_SIGNATURE", "M_UNKNOWN"]],
      }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const second = await world.login(alice);
    const { sign, publicKeys } = await publishIdentity(alice);
    const [first, other] = [await publishDevice(alice), await publishDevice(second)];
    const signer = `ed25519:${publicKeys.self_signing}`;
    const { signatures: _, ...unsigned } = other.keys;
    const unknown = { ...unsigned, device_id: "NOPE", keys: { "ed25519:NOPE": "A".repeat(43) } };

    const response = await alice.post(SIGNATURES_UPLOAD, {
      [alice.userId]: {
        [alice.deviceId]: sign(first.keys, "self_signing"),
        [second.deviceId]: {
          ...unsigned,
          signatures: { [alice.userId]: { [signer]: BAD_SIGNATURE } },
        },
        NOPE: sign(unknown, "self_signing"),
      },
    });
    const shown = await query(alice, alice);

    const failures = at(ok(response), "failures", alice.userId);
    const errcode = at(failures, second.deviceId, "errcode");
    expectEqual(errcode, "M_INVALID_SIGNATURE", "errcode of the bad signature", response);
    expectThat(
      isObject(at(failures, "NOPE")),
      "a failure of the unknown device",
      failures,
      response,
    );
    expectEqual(at(failures, alice.deviceId), undefined, "failure of the good one", response);
    const signers = [alice, second].map(({ userId, deviceId }) =>
      signersOf(shown, userId, deviceId),
    );
    const expected = [[`ed25519:${alice.deviceId}`, signer].sort(), [`ed25519:${second.deviceId}`]];
    expectEqual(signers, expected, "the keys that have signed each device", shown);
  },
);

check(
  "E2EE.xs.sig-upload-failures",
  "the server tells of a bad signature by a key that has signed the device before",
  {
    mutant: altersAnswer("shows the bad signature", QUERY, {
      set: { "/device_keys/*/*/signatures/*": { "ed25519:bad": BAD_SIGNATURE } },
    }),
  },
  async (world) => {
    const alice = await world.user("alice");
    const { sign, publicKeys } = await publishIdentity(alice);
    const { keys } = await publishDevice(alice);
    const signer = `ed25519:${publicKeys.self_signing}`;
    const { signatures: _, ...unsigned } = keys;
    const upload = (object: object) =>
      alice.post(SIGNATURES_UPLOAD, { [alice.userId]: { [alice.deviceId]: object } });
    const good = sign(keys, "self_signing");
    ok(await upload(good));

    const response = await upload({
      ...unsigned,
      signatures: { [alice.userId]: { [signer]: BAD_SIGNATURE } },
    });
    const shown = await query(alice, alice);

    const kept = at(shown.json, "device_keys", alice.userId, alice.deviceId, "signatures");
    expectEqual(kept, good.signatures, "the signatures", shown);
    const errcode = at(ok(response), "failures", alice.userId, alice.deviceId, "errcode");
    expectEqual(errcode, "M_INVALID_SIGNATURE", "errcode of the bad signature", response);
  },
);

check(
  "E2EE.xs.sig-mismatch",
  "the server stores no signature of something else than the key that it has",
  {
    mutant: [
      altersAnswer("tells of no failure", UPLOAD, { set: { "/failures": {} } }),
      altersAnswer("stores the signature", QUERY, {
        set: { "/device_keys/*/*/signatures/*/ed25519:other": BAD_SIGNATURE },
      }),
      altersAnswer("changes the key", QUERY, { set: { "/device_keys/*/*/algorithms": [] } }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const { sign } = await publishIdentity(alice);
    const { keys } = await publishDevice(alice);
    const altered = makeDevice(alice, { algorithms: ["m.megolm.v1.aes-sha2"] });
    const { signatures: _, ...unsigned } = altered.keys;
    const object = { ...unsigned, ...(keys.keys === undefined ? {} : { keys: keys.keys }) };

    const response = await alice.post(SIGNATURES_UPLOAD, {
      [alice.userId]: { [alice.deviceId]: sign(object, "self_signing") },
    });
    const shown = await query(alice, alice);

    if (response.status === 200) {
      const failure = at(response.json, "failures", alice.userId, alice.deviceId);
      expectThat(isObject(failure), "a failure for the device", response.text, response);
    } else {
      const isRefused = response.status >= 400 && response.status < 500;
      expectThat(isRefused, "200 with a failure or 4xx", String(response.status), response);
    }
    const { unsigned: _unsigned, ...stored } = at(
      ok(shown),
      "device_keys",
      alice.userId,
      alice.deviceId,
    ) as typeof keys;
    expectEqual(stored, keys, "the device's keys", shown);
  },
);
