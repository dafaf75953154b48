/** Backup of room keys, secret storage, and secrets from other own devices. */
import { BackupDecryptionKey, DeviceId, RoomId, UserId } from "@matrix-org/matrix-sdk-crypto-wasm";
import { HarnessError } from "#harness/errors";
import { at, isObject, type JsonObject, textAt } from "#harness/match/json";
import { expectStatus, ok } from "#harness/world/expect";
import { canonicalJson } from "#protocol/events/canonical-json";
import type { BackupSteps, RecoverySteps, Secret } from "../crypto-client.ts";
import { storeSecrets, takeSecret } from "../secret-storage.ts";
import type { Engine } from "./engine.ts";

const VERSION = "/_matrix/client/v3/room_keys/version";
const BACKUP_SECRET = "m.megolm_backup.v1";
const CROSS_SIGNING = [
  "m.cross_signing.master",
  "m.cross_signing.self_signing",
  "m.cross_signing.user_signing",
] as const;

export class WasmBackup implements BackupSteps {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async create(): Promise<string> {
    const { machine, session } = this.#engine;
    const key = BackupDecryptionKey.createRandomKey();
    const { algorithm, publicKeyBase64 } = key.megolmV1PublicKey;
    const data = { public_key: publicKeyBase64 };
    const signatures = JSON.parse(
      (await machine.sign(canonicalJson(data, { strict: true }))).asJSON(),
    ) as JsonObject;
    const body = { algorithm, auth_data: { ...data, signatures } };
    const version = textAt(ok(await session.post(VERSION, body)), "version");
    await backUpTo(this.#engine, key, version);
    return version;
  }

  async upload(): Promise<number> {
    const { machine } = this.#engine;
    for (;;) {
      const request = await machine.backupRoomKeys();
      if (!request) return (await machine.roomKeyCounts()).backedUp;
      await this.#engine.perform(request);
    }
  }

  async restore(): Promise<number> {
    const { machine, session, keeping } = this.#engine;
    const { decryptionKey, backupVersion } = await machine.getBackupKeys();
    if (decryptionKey === undefined || backupVersion === undefined) {
      throw new HarnessError("BAD_USAGE", {
        what: `${session.userId} ${session.deviceId} has no key for the backup`,
        next: "use the recovery key, or ask other own devices for secrets, first",
      });
    }
    const rooms = at(
      ok(await session.get("/_matrix/client/v3/room_keys/keys", { version: backupVersion })),
      "rooms",
    );
    const keys = new Map<RoomId, Map<string, unknown>>();
    for (const [roomId, room] of Object.entries(isObject(rooms) ? rooms : {})) {
      const sessions = new Map<string, unknown>();
      const held = at(room, "sessions");
      for (const [sessionId, entry] of Object.entries(isObject(held) ? held : {})) {
        const of = (name: string) => textAt(entry, "session_data", name);
        const text = decryptionKey.decryptV1(of("ephemeral"), of("mac"), of("ciphertext"));
        sessions.set(sessionId, { ...(JSON.parse(text) as JsonObject), session_id: sessionId });
      }
      keys.set(new RoomId(roomId), sessions);
    }
    const ignore = () => undefined;
    const result = await machine.importBackedUpRoomKeys(keys, ignore, backupVersion);
    await keeping.persist();
    return result.importedCount;
  }

  async version(): Promise<string | undefined> {
    const { machine } = this.#engine;
    if (!(await machine.isBackupEnabled())) return undefined;
    return (await machine.getBackupKeys()).backupVersion;
  }
}

export class WasmRecovery implements RecoverySteps {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async create(): Promise<Secret> {
    const { machine, session } = this.#engine;
    const keys = await machine.exportCrossSigningKeys();
    const { decryptionKeyBase64 } = await machine.getBackupKeys();
    const values = [keys?.masterKey, keys?.self_signing_key, keys?.userSigningKey];
    const secrets = [...CROSS_SIGNING.map((name, index) => [name, values[index]] as const)];
    const all = [...secrets, [BACKUP_SECRET, decryptionKeyBase64] as const];
    const held = all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    return storeSecrets(session, Object.fromEntries(held) as Record<string, string>);
  }

  async use(key: Secret): Promise<void> {
    const engine = this.#engine;
    const { machine, session } = engine;
    const { userId, deviceId } = session;
    // The public keys have to be known before the private ones are believed.
    await engine.track([userId]);
    await engine.pump();
    const [master, selfSigning, userSigning, backup] = await Promise.all(
      [...CROSS_SIGNING, BACKUP_SECRET].map((name) => takeSecret(session, key, name)),
    );
    await machine.importCrossSigningKeys(master, selfSigning, userSigning);
    const own = await machine.getDevice(new UserId(userId), new DeviceId(deviceId));
    if (own !== undefined && selfSigning !== undefined) await engine.perform(await own.verify());
    await machine.markAllTrackedUsersAsDirty();
    await engine.pump();
    if (backup !== undefined) await takeBackupKey(engine, backup);
  }
}

/** A secret that another own device has sent, or secret storage had: kept when it is the key of the server's backup. */
async function takeBackupKey(engine: Engine, text: string): Promise<boolean> {
  const { session } = engine;
  const response = await session.get(VERSION);
  expectStatus(response, [200, 404]);
  const key = BackupDecryptionKey.fromBase64(text);
  const { publicKeyBase64 } = key.megolmV1PublicKey;
  if (at(response.json, "auth_data", "public_key") !== publicKeyBase64) return false;
  await backUpTo(engine, key, textAt(response.json, "version"));
  return true;
}

/** From now on keys go to this version; what was to be written to another one is written anew. */
async function backUpTo(
  { machine, keeping }: Engine,
  key: BackupDecryptionKey,
  version: string,
): Promise<void> {
  const { backupVersion } = await machine.getBackupKeys();
  if (backupVersion !== undefined && backupVersion !== version) await machine.disableBackup();
  const { publicKeyBase64 } = key.megolmV1PublicKey;
  await machine.saveBackupDecryptionKey(key, version);
  await machine.enableBackupV1(publicKeyBase64, version);
  await keeping.persist();
}

/** What other own devices have sent when they were asked (client-server API, "Sharing" under Secrets). */
export async function takeSecretsFromInbox(engine: Engine): Promise<void> {
  const { machine } = engine;
  for (const text of await machine.getSecretsFromInbox(BACKUP_SECRET)) {
    if (await takeBackupKey(engine, text)) await machine.deleteSecretsFromInbox(BACKUP_SECRET);
  }
}
