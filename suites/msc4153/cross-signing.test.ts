import { confirm } from "#harness/clients/confirmation";
import { keyPair, makeIdentity, publishIdentity } from "#harness/clients/identities";
import { at, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectStatus, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { publicKeysIn, query, SIGNING_UPLOAD } from "./cross-signing.ts";

const UPLOAD = { method: "POST", path: SIGNING_UPLOAD };
const REFUSAL = { flows: [{ stages: ["m.login.password"] }], params: {}, session: "session" };
/** A server that lets anybody replace an identity. */
const ASKS_FOR_NOTHING = altersAnswer(
  "asks for no authentication",
  { ...UPLOAD, status: 401 },
  { status: 200, body: {} },
);
/** A server that has replaced what it said it would not. */
const REPLACES = altersAnswer(
  "replaces the keys all the same",
  { path: "/_matrix/client/v3/keys/query" },
  { set: { "/self_signing_keys/*/keys": { "ed25519:other": "other" } } },
);

async function expectRefusedWithFlows(alice: Session, body: unknown): Promise<void> {
  const response = await alice.post(SIGNING_UPLOAD, body);
  expectStatus(response, 401);
  const flows = listAt(response.json, "flows");
  expectThat(flows.length > 0, "a flow at least", flows, response);
  textAt(response.json, "session");
}

check(
  "E2EE.xs.first-upload-no-uia",
  "the server takes a user's first cross-signing keys without further authentication",
  {
    mutant: altersAnswer(
      "asks for authentication at first",
      { ...UPLOAD, status: 200 },
      { status: 401, body: REFUSAL },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const { body, publicKeys } = makeIdentity(alice);

    const response = await alice.post(SIGNING_UPLOAD, body);
    const shown = await query(alice, alice);

    expectStatus(response, 200);
    expectEqual(publicKeysIn(shown, alice.userId), publicKeys, "the keys", shown);
  },
);

check(
  "E2EE.xs.same-upload-no-uia",
  "the server takes the same cross-signing keys again without further authentication",
  {
    mutant: altersAnswer(
      "asks for authentication when nothing changes",
      { ...UPLOAD, status: 200, contains: '{"user_signing_key"' },
      { status: 401, body: REFUSAL },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const { body, publicKeys } = await publishIdentity(alice);
    const { master_key, self_signing_key, user_signing_key } = body;

    const response = await alice.post(SIGNING_UPLOAD, {
      user_signing_key,
      self_signing_key,
      master_key,
    });
    const shown = await query(alice, alice);

    expectStatus(response, 200);
    expectEqual(publicKeysIn(shown, alice.userId), publicKeys, "the keys", shown);
  },
);

check(
  "E2EE.xs.replace-needs-uia",
  "the server replaces cross-signing keys only for who authenticates again",
  { mutant: [ASKS_FOR_NOTHING, REPLACES] },
  async (world) => {
    const alice = await world.user("alice");
    const { publicKeys } = await publishIdentity(alice);
    const other = makeIdentity(alice);

    await expectRefusedWithFlows(alice, other.body);
    const before = await query(alice, alice);
    const opened = await alice.post(SIGNING_UPLOAD, other.body);
    const auth = await confirm(alice, opened);
    const replaced = await alice.post(SIGNING_UPLOAD, { ...other.body, auth });
    const after = await query(alice, alice);

    expectEqual(publicKeysIn(before, alice.userId), publicKeys, "the keys before", before);
    expectStatus(replaced, 200);
    expectEqual(publicKeysIn(after, alice.userId), other.publicKeys, "the keys after", after);
  },
);

check(
  "E2EE.xs.replace-partial",
  "the server replaces the keys below the master key only for who authenticates again",
  { mutant: [ASKS_FOR_NOTHING, REPLACES] },
  async (world) => {
    const alice = await world.user("alice");
    const { body, publicKeys, pairs } = await publishIdentity(alice);
    const { master } = pairs;
    const { master_key, ...below } = makeIdentity(alice, { master }).body;

    await expectRefusedWithFlows(alice, { ...body, self_signing_key: below.self_signing_key });
    await expectRefusedWithFlows(alice, { ...body, user_signing_key: below.user_signing_key });
    await expectRefusedWithFlows(alice, below);
    const shown = await query(alice, alice);

    expectEqual(publicKeysIn(shown, alice.userId), publicKeys, "the keys", shown);
  },
);

check(
  "E2EE.xs.key-id-collision",
  "the server refuses a cross-signing key that has the id of a device",
  {
    mutant: altersAnswer(
      "takes a key with the id of a device",
      { ...UPLOAD, status: [400, 403, 500] },
      { status: 200, body: {} },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const master = keyPair(world.name("master"));
    await world.login(alice, { device_id: master.publicKey });

    const response = await alice.post(SIGNING_UPLOAD, makeIdentity(alice, { master }).body);
    const shown = await query(alice, alice);

    expectMatrixError(response, [400, 403]);
    expectEqual(publicKeysIn(shown, alice.userId).master, undefined, "the master key", shown);
  },
);

check(
  "E2EE.xs.key-id-collision",
  "the server gives no device the id of a cross-signing key",
  {
    mutant: altersAnswer(
      "makes a device with the id of a key",
      { path: "/_matrix/client/v3/login", status: [400, 403] },
      { status: 200, body: {} },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const { publicKeys } = await publishIdentity(alice);

    const response = await world.anonymous().post("/_matrix/client/v3/login", {
      type: "m.login.password",
      identifier: { type: "m.id.user", user: alice.userId },
      password: alice.password,
      device_id: publicKeys.master,
    });

    if (response.status === 200) {
      const deviceId = textAt(response.json, "device_id");
      expectThat(deviceId !== publicKeys.master, "another device id", deviceId, response);
    } else expectMatrixError(response, [400, 403]);
  },
);

const ROUNDS = 10;

check(
  "E2EE.xs.concurrent-first-upload",
  "the server takes one of two first identities that come at once, and asks the other to authenticate",
  {
    mutant: altersAnswer(
      "takes them both",
      { ...UPLOAD, status: [200, 401] },
      { status: 200, body: {} },
    ),
  },
  async (world) => {
    for (let round = 0; round < ROUNDS; round++) {
      const alice = await world.user("alice");
      const second = await world.login(alice);
      const identities = [makeIdentity(alice), makeIdentity(second)];

      const answers = await Promise.all(
        [alice, second].map((device, index) =>
          device.post(SIGNING_UPLOAD, identities[index]?.body),
        ),
      );
      const shown = await query(alice, alice);

      const statuses = answers.map(({ status }) => status);
      expectEqual([...statuses].sort(), [200, 401], "the answers to both", answers[1]);
      const taken = identities[statuses.indexOf(200)]?.publicKeys;
      expectEqual(publicKeysIn(shown, alice.userId), taken, "the identity", shown);
    }
  },
);

check(
  "E2EE.xs.invalid",
  "the server refuses keys that the master key has not signed",
  {
    mutant: altersAnswer(
      "takes keys that are not signed",
      { ...UPLOAD, status: 400 },
      { status: 200, body: {} },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const [identity, other] = [makeIdentity(alice), makeIdentity(alice)];
    const { master_key, user_signing_key } = identity.body;
    const { self_signing_key } = other.body;

    const foreign = await alice.post(SIGNING_UPLOAD, { ...identity.body, self_signing_key });
    const alone = await bob.post(SIGNING_UPLOAD, {
      self_signing_key: makeIdentity(bob).body.self_signing_key,
    });
    const broken = await alice.post(SIGNING_UPLOAD, {
      master_key,
      user_signing_key: { ...(user_signing_key as object), usage: ["user_signing", "more"] },
    });
    const shown = await query(alice, alice, bob);

    expectMatrixError(foreign, 400, "M_INVALID_SIGNATURE");
    expectMatrixError(alone, 400, "M_MISSING_PARAM");
    expectMatrixError(broken, 400);
    for (const { userId } of [alice, bob]) {
      const none = { master: undefined, self_signing: undefined, user_signing: undefined };
      expectEqual(publicKeysIn(shown, userId), none, "stored keys", shown);
    }
    expectEqual(at(shown.json, "failures") ?? {}, {}, "failures", shown);
  },
);
