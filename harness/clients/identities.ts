/** Keys of devices and of users as clients make them: signed rightly, of no use for encryption. */
import { createHash } from "node:crypto";
import { textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { JsonObject } from "#protocol/events/event";
import { publicKeyOf, signJson } from "#protocol/events/signatures";

interface KeyPair {
  readonly secret: Uint8Array;
  readonly publicKey: string;
}

export interface CrossSigningKeys {
  readonly master: JsonObject;
  readonly selfSigning: JsonObject;
  readonly userSigning: JsonObject;
}

function keyPair(seed: string): KeyPair {
  const secret = createHash("sha256").update(seed).digest();
  return { secret, publicKey: publicKeyOf(secret) };
}

/** Uploads the identity keys of a session's device; returns them. */
export async function uploadDeviceKeys(session: Session): Promise<JsonObject> {
  const { userId, deviceId } = session;
  const ed25519 = keyPair(session.context.nextName("device"));
  const curve25519 = keyPair(session.context.nextName("identity"));
  const keys = {
    user_id: userId,
    device_id: deviceId,
    algorithms: ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
    keys: {
      [`ed25519:${deviceId}`]: ed25519.publicKey,
      [`curve25519:${deviceId}`]: curve25519.publicKey,
    },
  };
  const deviceKeys = signJson(keys, userId, `ed25519:${deviceId}`, ed25519.secret);
  ok(await session.post("/_matrix/client/v3/keys/upload", { device_keys: deviceKeys }));
  return deviceKeys;
}

/** Uploads new cross-signing keys of a session's user; returns them. */
export async function uploadCrossSigningKeys(session: Session): Promise<CrossSigningKeys> {
  const { userId } = session;
  const pair = (usage: string) => keyPair(session.context.nextName(usage));
  const masterPair = pair("master");
  const key = (usage: string, { publicKey }: KeyPair): JsonObject => ({
    user_id: userId,
    usage: [usage],
    keys: { [`ed25519:${publicKey}`]: publicKey },
  });
  const signed = (object: JsonObject) =>
    signJson(object, userId, `ed25519:${masterPair.publicKey}`, masterPair.secret);
  const keys = {
    master: key("master", masterPair),
    selfSigning: signed(key("self_signing", pair("self_signing"))),
    userSigning: signed(key("user_signing", pair("user_signing"))),
  };
  const body = {
    master_key: keys.master,
    self_signing_key: keys.selfSigning,
    user_signing_key: keys.userSigning,
  };
  await uploadSigningKeys(session, body);
  return keys;
}

/** Uploads public cross-signing keys, with the password where it is asked for: a first upload needs none (MSC3967). */
export async function uploadSigningKeys(
  session: Session,
  keys: Readonly<Record<string, unknown>>,
): Promise<void> {
  const target = "/_matrix/client/v3/keys/device_signing/upload";
  const first = await session.post(target, keys);
  if (first.status !== 401) {
    ok(first);
    return;
  }
  const auth = {
    type: "m.login.password",
    session: textAt(first.json, "session"),
    identifier: { type: "m.id.user", user: session.userId },
    password: session.password,
  };
  ok(await session.post(target, { ...keys, auth }));
}

/** One-time keys, or fallback keys, by names that tell them apart. */
export function oneTimeKeys(
  names: readonly string[],
  more: JsonObject = {},
): Record<string, JsonObject> {
  return Object.fromEntries(
    names.map((name) => [
      `signed_curve25519:${name}`,
      { key: keyPair(name).publicKey, signatures: {}, ...more },
    ]),
  );
}
