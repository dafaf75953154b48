/** Keys of devices and of users as clients make them: signed rightly, of no use for encryption. */
import { createHash } from "node:crypto";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { JsonObject } from "#protocol/events/event";
import { publicKeyOf, signJson } from "#protocol/events/signatures";
import { confirm } from "./confirmation.ts";

interface KeyPair {
  readonly secret: Uint8Array;
  readonly publicKey: string;
}

export type Usage = "master" | "self_signing" | "user_signing";

/** Cross-signing keys of a user. */
export interface Identity {
  readonly userId: string;
  /** Body of an upload of all three keys. */
  readonly body: { readonly [Key in `${Usage}_key`]: JsonObject };
  readonly pairs: Readonly<Record<Usage, KeyPair>>;
  readonly publicKeys: Readonly<Record<Usage, string>>;
  /** A copy that one of the keys has signed. */
  readonly sign: (object: JsonObject, usage: Usage) => JsonObject;
}

/** A device's identity keys, and a copy of an object that it has signed. */
export interface Device {
  readonly keys: JsonObject;
  readonly sign: (object: JsonObject) => JsonObject;
}

/** The same for the same seed. */
export function keyPair(seed: string): KeyPair {
  const secret = createHash("sha256").update(seed).digest();
  return { secret, publicKey: publicKeyOf(secret) };
}

/** Keys of the session's device, signed by itself, which no server has heard of. @param more further signed fields */
export function makeDevice(
  { userId, deviceId, context }: Pick<Session, "userId" | "deviceId" | "context">,
  more: JsonObject = {},
): Device {
  const ed25519 = keyPair(context.nextName("ed25519"));
  const curve25519 = keyPair(context.nextName("curve25519"));
  const sign = (object: JsonObject) =>
    signJson(object, userId, `ed25519:${deviceId}`, ed25519.secret);
  const keys = sign({
    user_id: userId,
    device_id: deviceId,
    algorithms: ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
    keys: {
      [`ed25519:${deviceId}`]: ed25519.publicKey,
      [`curve25519:${deviceId}`]: curve25519.publicKey,
    },
    ...more,
  });
  return { keys, sign };
}

/** A new identity of the session's user, which no server has heard of. @param kept keys that it has instead of new ones */
export function makeIdentity(
  { userId, context }: Session,
  kept: Partial<Record<Usage, KeyPair>> = {},
): Identity {
  const pair = (usage: Usage) => kept[usage] ?? keyPair(context.nextName(usage));
  const pairs = {
    master: pair("master"),
    self_signing: pair("self_signing"),
    user_signing: pair("user_signing"),
  };
  const sign = (object: JsonObject, usage: Usage) => {
    const { publicKey, secret } = pairs[usage];
    return signJson(object, userId, `ed25519:${publicKey}`, secret);
  };
  const key = (usage: Usage): JsonObject => ({
    user_id: userId,
    usage: [usage],
    keys: { [`ed25519:${pairs[usage].publicKey}`]: pairs[usage].publicKey },
  });
  const body = {
    master_key: key("master"),
    self_signing_key: sign(key("self_signing"), "master"),
    user_signing_key: sign(key("user_signing"), "master"),
  };
  const publicKeys = {
    master: pairs.master.publicKey,
    self_signing: pairs.self_signing.publicKey,
    user_signing: pairs.user_signing.publicKey,
  };
  return { userId, body, pairs, publicKeys, sign };
}

/** Makes identity keys for the session's device and uploads them. */
export async function publishDevice(session: Session): Promise<Device> {
  const device = makeDevice(session);
  ok(await session.post("/_matrix/client/v3/keys/upload", { device_keys: device.keys }));
  return device;
}

/** Makes cross-signing keys for the session's user and uploads them, confirmed when they replace others. */
export async function publishIdentity(session: Session): Promise<Identity> {
  const identity = makeIdentity(session);
  await uploadSigningKeys(session, identity.body);
  return identity;
}

/**
 * Uploads public cross-signing keys, with the password where it is asked for: a first upload needs none (MSC3967). For a user of
 * an application service, which has no password, the service replaces them (MSC4190).
 */
export async function uploadSigningKeys(
  session: Session,
  keys: Readonly<Record<string, unknown>>,
): Promise<void> {
  const target = "/_matrix/client/v3/keys/device_signing/upload";
  const first = await session.post(target, keys);
  if (first.status !== 401) ok(first);
  else if (session.service !== undefined)
    ok(await session.service.post(target, keys, { user_id: session.userId }));
  else ok(await session.post(target, { ...keys, auth: await confirm(session, first) }));
}

/** One-time keys, or fallback keys, by names that tell them apart; nobody has signed them. */
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
