import { publishDevice, publishIdentity } from "#harness/clients/identities";
import { CheckFailure } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { share } from "#harness/world/sharing";
import type { World } from "#harness/world/world";
import { publicKeysIn, query, SIGNATURES_UPLOAD, signersOf, tellsChange } from "./cross-signing.ts";

const SYNC = "/_matrix/client/v3/sync";
const QUERY = "/_matrix/client/v3/keys/query";
const TELLS_NOBODY = altersAnswer(
  "tells nobody of the change",
  { path: SYNC },
  { remove: ["/device_lists"] },
);
const SHOWS_OLD_SIGNATURES = altersAnswer(
  "goes on showing the device without the new signature",
  { path: QUERY },
  { remove: ["/device_keys/*/*/signatures"] },
);
/** A server that has no more than its own news of identities. */
const FORGETS_THE_OTHER_SERVER: Mutant = {
  name: "tells the other server nothing",
  rules: [
    {
      match: {
        from: "hs2",
        to: "hs1",
        path: "/_matrix/federation/v1/send/*",
        contains: "device_list_update",
      },
      phase: "before",
      action: { kind: "answer", status: 200, body: { pdus: {} } },
    },
    {
      match: {
        from: "hs2",
        to: "hs1",
        path: "/_matrix/federation/v1/send/*",
        contains: "signing_key_update",
      },
      phase: "before",
      action: { kind: "answer", status: 200, body: { pdus: {} } },
    },
  ],
};

/** Two users of one server in a room. */
async function together(world: World): Promise<{ alice: Session; bob: Session }> {
  const [alice, bob] = await world.users("alice", "bob");
  const roomId = await alice.createRoom({ preset: "public_chat" });
  await bob.join(roomId);
  return { alice, bob };
}

/**
 * Follows the news of a user's keys until what is shown after one of them is right: between servers, news of what was
 * done before may come first.
 *
 * @throws CheckFailure with what was wrong after the last of them
 */
async function expectTold(
  { alice, bob }: { alice: Session; bob: Session },
  since: string,
  judge: (shown: HttpResponse) => void,
): Promise<void> {
  let token = since;
  let wrong: CheckFailure | undefined;
  for (;;) {
    const what = `the change of ${bob.userId}`;
    const news = await alice
      .syncUntil(token, what, (body) => tellsChange(body, bob))
      .catch((error: unknown) => {
        throw error instanceof CheckFailure ? (wrong ?? error) : error;
      });
    token = news.since;
    try {
      judge(await query(alice, bob));
      return;
    } catch (error) {
      if (!(error instanceof CheckFailure)) throw error;
      wrong = error;
    }
  }
}

/** The user's second device is signed by the user's identity; the other one has to hear of it and see it. */
async function expectSignatureTold({ alice, bob }: { alice: Session; bob: Session }) {
  const { sign, publicKeys } = await publishIdentity(bob);
  const { keys } = await publishDevice(bob);
  ok(await query(alice, bob));
  const known = await alice.syncUntil(undefined, "the identity", (body) =>
    isObject(at(body, "rooms", "join")) ? true : undefined,
  );
  const since = await quietToken(alice, bob, known.since);

  ok(
    await bob.post(SIGNATURES_UPLOAD, {
      [bob.userId]: { [bob.deviceId]: sign(keys, "self_signing") },
    }),
  );
  const signer = `ed25519:${publicKeys.self_signing}`;
  await expectTold({ alice, bob }, since, (shown) => {
    const signers = signersOf(shown, bob.userId, bob.deviceId);
    expectThat(signers.includes(signer), `a signature by ${signer}`, signers, shown);
  });
}

/** A new identity instead of the user's old one; the other one has to hear of it and see it. */
async function expectResetTold({ alice, bob }: { alice: Session; bob: Session }) {
  await publishIdentity(bob);
  await publishDevice(bob);
  ok(await query(alice, bob));
  const since = await quietToken(alice, bob, undefined);

  const { publicKeys } = await publishIdentity(bob);
  await expectTold({ alice, bob }, since, (shown) => {
    const { master } = publicKeysIn(shown, bob.userId);
    expectEqual(master, publicKeys.master, "the master key", shown);
  });
}

/** A token after which nothing of what was done so far comes any more: a marker in the shared queue says so. */
async function quietToken(
  alice: Session,
  bob: Session,
  since: string | undefined,
): Promise<string> {
  const marker = bob.context.nextName("marker");
  const target = `/_matrix/client/v3/sendToDevice/org.matrix-crucible.marker/${marker}`;
  ok(await bob.put(target, { messages: { [alice.userId]: { [alice.deviceId]: { marker } } } }));
  const seen = await alice.syncUntil(since, `the marker ${marker}`, (body) =>
    JSON.stringify(at(body, "to_device", "events") ?? []).includes(marker) ? true : undefined,
  );
  return seen.since;
}

check(
  "E2EE.xs.sig-notify",
  "the server tells who shares a room that a device was signed",
  { mutant: [TELLS_NOBODY, SHOWS_OLD_SIGNATURES] },
  async (world) => expectSignatureTold(await together(world)),
);

check(
  "E2EE.xs.sig-notify",
  "the server tells users of another server that a device was signed",
  { deadlineMs: 120_000, mutant: [TELLS_NOBODY, FORGETS_THE_OTHER_SERVER] },
  async (world) => expectSignatureTold(await share(world)),
);

check(
  "E2EE.xs.reset-notify",
  "the server tells who shares a room that an identity was replaced",
  {
    mutant: [
      TELLS_NOBODY,
      altersAnswer("shows no new identity", { path: QUERY }, { remove: ["/master_keys/*"] }),
    ],
  },
  async (world) => expectResetTold(await together(world)),
);

check(
  "E2EE.xs.reset-notify",
  "the server tells users of another server that an identity was replaced",
  { deadlineMs: 120_000, mutant: [TELLS_NOBODY, FORGETS_THE_OTHER_SERVER] },
  async (world) => expectResetTold(await share(world)),
);

check(
  "E2EE.xs.reset-notify-own",
  "the server tells a user's other devices that the identity was replaced",
  { mutant: TELLS_NOBODY },
  async (world) => {
    const bob = await world.user("bob");
    const second = await world.login(bob);
    await publishIdentity(bob);
    const since = await quietToken(second, bob, undefined);

    await publishIdentity(bob);

    await second.syncUntil(since, "the change of the user's own keys", (news) =>
      tellsChange(news, bob),
    );
  },
);

check(
  "E2EE.xs.usk-only-self-fed",
  "the server tells no other server who has verified whom",
  {
    mutant: [
      altersAnswer(
        "gives user-signing keys away",
        { from: "peer-*", path: "/_matrix/federation/v1/user/keys/query" },
        { set: { "/user_signing_keys": { "@alice:hs1": { keys: {} } } } },
      ),
      altersAnswer(
        "gives signatures by other users away",
        { from: "peer-*", path: "/_matrix/federation/v1/user/keys/query" },
        { set: { "/master_keys/*/signatures": { "@alice:hs1": { "ed25519:key": "text" } } } },
      ),
      altersAnswer(
        "gives signatures by other users away with the devices",
        { from: "peer-*", path: "/_matrix/federation/v1/user/devices/*" },
        { set: { "/master_key/signatures": { "@alice:hs1": { "ed25519:key": "text" } } } },
      ),
    ],
  },
  async (world) => {
    const [[alice, bob], peer] = await Promise.all([world.users("alice", "bob"), world.peer()]);
    const [verifier, verified] = [await publishIdentity(alice), await publishIdentity(bob)];
    await publishDevice(alice);
    const master = verified.body.master_key as Parameters<typeof verifier.sign>[0];
    const upload = await alice.post(SIGNATURES_UPLOAD, {
      [bob.userId]: { [verified.publicKeys.master]: verifier.sign(master, "user_signing") },
    });
    expectEqual(at(ok(upload), "failures") ?? {}, {}, "failures of the signature", upload);

    const client = peer.client();
    const users = { [alice.userId]: [], [bob.userId]: [] };
    const answers = [
      await client.queryKeys(users),
      await client.userDevices(alice.userId),
      await client.userDevices(bob.userId),
    ];

    const own = await query(alice, bob);
    const mine = at(own.json, "master_keys", bob.userId, "signatures", alice.userId);
    expectThat(isObject(mine), "the signature for who made it", mine, own);
    for (const response of answers) {
      const body = ok(response);
      expectEqual(body.user_signing_keys ?? {}, {}, "user-signing keys", response);
      const masters = [body.master_key, ...Object.values((body.master_keys ?? {}) as object)];
      for (const key of masters.filter(isObject)) {
        const signers = Object.keys((key.signatures ?? {}) as object);
        const foreign = signers.filter((userId) => userId !== key.user_id);
        expectEqual(foreign, [], "users that have signed another's master key", response);
      }
      for (const secret of [verifier, verified].map(({ publicKeys }) => publicKeys.user_signing)) {
        expectThat(!response.text.includes(secret), "no user-signing key", response.text, response);
      }
    }
  },
);
