/** Keys that a client library gets from elsewhere than their senders: backups and dehydrated devices. */
import { BackupDecryptionKey } from "@matrix-org/matrix-sdk-crypto-wasm";
import { storeSecrets } from "#harness/clients/crypto/secret-storage";
import { at, isObject, objectAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectContains, expectEqual, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { createVersion, getKeys } from "./backups.ts";
import { Cast, expectReadable, expectUnreadable, judged, TEXT, told } from "./clients.ts";
import { query, signersOf } from "./cross-signing.ts";
import { EVENTS } from "./dehydrated.ts";

const LOSES_BACKUP = altersAnswer(
  "has lost the backup",
  { method: "GET", path: "/_matrix/client/v3/room_keys/keys" },
  { set: { "/rooms": {} } },
);
const LOSES_SESSIONS = altersAnswer(
  "has no such session",
  { method: "GET", path: "/_matrix/client/v3/room_keys/keys/*/*" },
  { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
);
const QUERY = { method: "POST", path: "/_matrix/client/v3/keys/query" };

/** A message that a device with a backup has sent, and the same on a new device that has restored it. */
async function restored(cast: Cast, read: "cross-signed" | "legacy" | "untrusted") {
  const first = await cast.user("alice");
  const roomId = await encryptedRoom(first.session);
  await first.client.backup.create();
  const { eventId } = await first.client.send(roomId, TEXT);
  await first.client.backup.upload();
  const key = await first.client.recovery.create();
  const session = await cast.world.login(first.session);
  const role = { isSigned: false, policy: { share: "identity", read } } as const;
  const { client } = await cast.device(session, role);
  const before = await client.read(roomId, eventId);
  await client.recovery.use(key);
  await client.backup.restore();
  return { before, after: await client.read(roomId, eventId) };
}

check(
  "E2EE.recover.backup-fallback",
  "the client reads with a key from the backup what it could not read",
  { mutant: LOSES_BACKUP },
  (world) =>
    judged(world, async (cast) => {
      const { before, after } = await restored(cast, "untrusted");

      expectUnreadable(before, "the message before");
      expectReadable(after, "the message after");
    }),
);

check(
  "E2EE.backup.v1-untrusted",
  "the client takes a key from the backup for no proof of who has sent a message",
  { mutant: LOSES_BACKUP },
  (world) =>
    judged(world, async (cast) => {
      const strict = await restored(cast, "cross-signed");
      const lax = await restored(cast, "untrusted");

      expectUnreadable(strict.after, "the message where it counts", { why: "UnknownSenderDevice" });
      const expected = { isReadable: true, shield: "AuthenticityNotGuaranteed" };
      expectContains(told(lax.after), expected, "the message where all is shown");
    }),
);

check(
  "MSC4153.legacy-mode",
  "the client shows messages of sessions without known senders in the transition mode alone",
  { mutant: LOSES_BACKUP },
  (world) =>
    judged(world, async (cast) => {
      const strict = await restored(cast, "cross-signed");
      const legacy = await restored(cast, "legacy");

      expectUnreadable(strict.after, "the message in the exclusion mode");
      expectReadable(legacy.after, "the message in the transition mode");
    }),
);

check(
  "E2EE.dehydrated.client-complete",
  "the client dehydrates a device that is signed, has a fallback key and the id of its key",
  {
    mutant: [
      altersAnswer("signs it by nobody else", QUERY, { remove: ["/device_keys/*/*/signatures"] }),
      altersAnswer("does not mark it", QUERY, { remove: ["/device_keys/*/*/dehydrated"] }),
    ],
  },
  (world) =>
    judged(world, async (cast) => {
      const { client, session } = await cast.user("alice");
      const bob = await world.user("bob");
      const { userId } = session;

      const { deviceId } = await client.dehydration.create();
      const shown = await query(session, session);

      const device = objectAt(shown.json, "device_keys", userId, deviceId);
      expectEqual(device.dehydrated, true, "whether it is marked as dehydrated", shown);
      const key = at(device, "keys", `curve25519:${deviceId}`);
      expectEqual(key, deviceId, "its identity key, of which the id is made", shown);
      expectEqual(signersOf(shown, userId, deviceId).length, 2, "keys that have signed it", shown);
      expectEqual(await hasFallback(bob, userId, deviceId), true, "whether it has a fallback key");
    }),
);

const CLAIMS_AT_MOST = 110;

async function hasFallback(
  bob: Awaited<ReturnType<Cast["world"]["user"]>>,
  userId: string,
  deviceId: string,
): Promise<boolean> {
  const body = { one_time_keys: { [userId]: { [deviceId]: "signed_curve25519" } } };
  for (let count = 0; count < CLAIMS_AT_MOST; count++) {
    const answer = ok(await bob.post("/_matrix/client/v3/keys/claim", body));
    const keys = at(answer, "one_time_keys", userId, deviceId);
    const [key] = Object.values(isObject(keys) ? keys : {});
    if (key === undefined) return false;
    if (at(key, "fallback") === true) return true;
  }
  return false;
}

check(
  "E2EE.dehydrated.end-to-end",
  "the server keeps for a dehydrated device what is needed to read a message from when its user had no other",
  {
    mutant: altersAnswer("loses the messages", { path: EVENTS }, { set: { "/events": [] } }),
  },
  async (world) => {
    // A verdict on the server: the library that both clients are is known to do its part.
    await using cast = new Cast(world);
    const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
    const roomId = await encryptedRoom(bob.session, alice.session);
    const { key } = await alice.client.dehydration.create();
    expectStatus(await alice.session.post("/_matrix/client/v3/logout"), 200);
    await bob.client.syncOnce();
    const { eventId } = await bob.client.send(roomId, TEXT);

    const policy = { share: "all", read: "untrusted" } as const;
    const session = await world.login(alice.session);
    const again = await cast.device(session, { isSigned: false, policy });
    const before = await again.client.read(roomId, eventId);
    await again.client.dehydration.rehydrate(key);
    const after = await again.client.read(roomId, eventId);

    expectUnreadable(before, "the message before");
    expectReadable(after, "the message after");
  },
);

check(
  "MSC4268.flag-name",
  "the client marks a session that may be shared with the invited, in backups, by the name that the specification has",
  { mutant: LOSES_SESSIONS },
  (world) =>
    judged(world, async (cast) => {
      const { client, session } = await cast.user("alice");
      const roomId = await encryptedRoom(session);
      const key = BackupDecryptionKey.createRandomKey();
      const version = await createVersion(session, {
        public_key: key.megolmV1PublicKey.publicKeyBase64,
      });
      // Of secret storage the client takes the key of the backup, which the check has as well.
      await client.recovery.use(
        await storeSecrets(session, { "m.megolm_backup.v1": key.toBase64() }),
      );

      const { sessionId } = await client.send(roomId, TEXT);
      await client.backup.upload();
      const response = await getKeys(session, version, roomId, sessionId);

      const part = (name: string) => textAt(ok(response), "session_data", name);
      const text = key.decryptV1(part("ephemeral"), part("mac"), part("ciphertext"));
      const names = Object.keys(JSON.parse(text) as object);
      const flags = names.filter((name) => name.endsWith("shared_history"));
      expectEqual(flags, ["shared_history"], "names of the flag in the backup");
    }),
);
