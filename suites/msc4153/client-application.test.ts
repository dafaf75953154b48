/** What is decided above a crypto engine, by matrix-js-sdk: which backup is trusted, and what secret storage holds. */
import { keyPair } from "#harness/clients/identities";
import { path } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { Application } from "./application.ts";
import { createVersion, VERSION } from "./backups.ts";
import { judged } from "./clients.ts";
import { handMadeSession } from "./hand-made-megolm.ts";

const LIBRARY = "matrix-js-sdk";
const SECRETS = [
  "m.cross_signing.master",
  "m.cross_signing.self_signing",
  "m.cross_signing.user_signing",
  "m.megolm_backup.v1",
];

function accountData({ userId }: Session, type: string): string {
  return path`/_matrix/client/v3/user/${userId}/account_data/${type}`;
}

check(
  "E2EE.ssss.recommended-content",
  "the client puts its cross-signing keys and the key of its backup into secret storage, under the default key",
  {
    mutant: altersAnswer(
      "has no secret of the backup",
      { method: "GET", path: "/_matrix/client/v3/user/*/account_data/m.megolm_backup.v1" },
      { set: { "/encrypted": {} } },
    ),
  },
  (world) =>
    judged(
      world,
      async () => {
        const alice = await world.user("alice");
        await using application = await Application.start(alice);

        await application.setUp();

        const data = async (type: string) => (await alice.get(accountData(alice, type))).json;
        const key = textAt(await data("m.secret_storage.default_key"), "key");
        for (const secret of SECRETS) {
          const encrypted = at(await data(secret), "encrypted", key, "ciphertext");
          expectThat(typeof encrypted === "string", `${secret} under the default key`, encrypted);
        }
      },
      LIBRARY,
    ),
);

check(
  "E2EE.backup.trust-before-upload",
  "the client keeps its keys from a backup that nobody whom it trusts has signed",
  {
    mutant: [
      claims(
        "keeps no key",
        { method: "PUT", path: "/_matrix/client/v3/room_keys/keys" },
        { count: 0, etag: "0" },
      ),
      altersAnswer(
        "has a key in every backup",
        { method: "GET", path: `${VERSION}/*` },
        { set: { "/count": 1 } },
      ),
    ],
  },
  (world) =>
    judged(
      world,
      async () => {
        const alice = await world.user("alice");
        await using application = await Application.start(alice);
        application.backUpAtOnce();
        await application.setUp();
        const roomId = await alice.createRoom();
        const hasAKey = async () => {
          await application.crypto.importRoomKeys([exported(world.name("session"), roomId)]);
          await application.crypto.checkKeyBackupAndEnable();
        };
        const inVersion = async (version: string) =>
          Number(at(ok(await alice.get(`${VERSION}${path`/${version}`}`)), "count"));

        await hasAKey();
        const own = textAt(ok(await alice.get(VERSION)), "version");
        await world.eventually(async () =>
          expectThat((await inVersion(own)) > 0, "a key in the own backup", 0),
        );
        const publicKey = keyPair(world.name("attacker")).publicKey;
        const signatures = { [alice.userId]: { "ed25519:UNKNOWN": "A".repeat(86) } };
        const foreign = [];
        for (const more of [{}, { signatures }]) {
          const version = await createVersion(alice, { public_key: publicKey, ...more });
          await hasAKey();
          await world.quietPeriod(1_000);
          foreign.push(await inVersion(version));
        }

        expectEqual(foreign, [0, 0], "keys in backups of somebody else");
        const active = await application.crypto.getActiveSessionBackupVersion();
        expectEqual(active, null, "the backup that is in use");
      },
      LIBRARY,
    ),
);

/** A session as in an export. */
function exported(seed: string, roomId: string) {
  const { sessionId, exportedKey } = handMadeSession(seed);
  return {
    algorithm: "m.megolm.v1.aes-sha2",
    room_id: roomId,
    session_id: sessionId,
    session_key: exportedKey,
    sender_key: keyPair(`${seed} sender`).publicKey,
    sender_claimed_keys: { ed25519: keyPair(`${seed} device`).publicKey },
    forwarding_curve25519_key_chain: [],
  };
}
