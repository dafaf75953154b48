/** Cross-signing identities made by hand, with the secret halves of their keys, and what servers tell of them. */
import { createHash } from "node:crypto";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { JsonObject } from "#protocol/events/event";
import { publicKeyOf, signJson } from "#protocol/events/signatures";

export const SIGNING_UPLOAD = "/_matrix/client/v3/keys/device_signing/upload";
export const SIGNATURES_UPLOAD = "/_matrix/client/v3/keys/signatures/upload";
export const KEYS_UPLOAD = "/_matrix/client/v3/keys/upload";
export const KEYS_QUERY = "/_matrix/client/v3/keys/query";

export type Usage = "master" | "self_signing" | "user_signing";

interface KeyPair {
  readonly secret: Uint8Array;
  readonly publicKey: string;
}

export interface Identity {
  readonly userId: string;
  /** Body of an upload of all three keys. */
  readonly body: JsonObject;
  /** A copy that one of the keys has signed. */
  readonly sign: (object: JsonObject, usage: Usage) => JsonObject;
  readonly publicKeys: Readonly<Record<Usage, string>>;
}

/** A device's identity keys, and a copy of an object that it has signed. */
export interface Device {
  readonly keys: JsonObject;
  readonly sign: (object: JsonObject) => JsonObject;
}

export function keyPair(seed: string): KeyPair {
  const secret = createHash("sha256").update(seed).digest();
  return { secret, publicKey: publicKeyOf(secret) };
}

/** A new identity of the session's user, which no server has heard of. @param kept keys that it has instead of new ones */
export function makeIdentity(
  { userId, context }: Session,
  kept: Partial<Record<Usage, KeyPair>> = {},
): Identity & { readonly pairs: Readonly<Record<Usage, KeyPair>> } {
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
  return { userId, body, sign, publicKeys, pairs };
}

/** Publishes a new identity, the first of its user. */
export async function publishIdentity(session: Session): Promise<ReturnType<typeof makeIdentity>> {
  const identity = makeIdentity(session);
  ok(await session.post(SIGNING_UPLOAD, identity.body));
  return identity;
}

/** Password stage for the session that a server has opened with its 401. */
export function passwordFor(session: Session, opened: HttpResponse): JsonObject {
  return {
    type: "m.login.password",
    session: String(at(opened.json, "session")),
    identifier: { type: "m.id.user", user: session.userId },
    password: session.password,
  };
}

/** A new identity in the place of the one that the user has, with the password. */
export async function replaceIdentity(session: Session): Promise<ReturnType<typeof makeIdentity>> {
  const identity = makeIdentity(session);
  const auth = passwordFor(session, await session.post(SIGNING_UPLOAD, identity.body));
  ok(await session.post(SIGNING_UPLOAD, { ...identity.body, auth }));
  return identity;
}

/** Keys of the session's device, signed by itself. @param more further signed fields */
export function makeDevice(
  { userId, deviceId, context }: Pick<Session, "userId" | "deviceId" | "context">,
  more: JsonObject = {},
): Device {
  const [ed25519, curve25519] = ["ed25519", "curve25519"].map((name) =>
    keyPair(context.nextName(name)),
  ) as [KeyPair, KeyPair];
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

export async function publishDevice(session: Session): Promise<Device> {
  const device = makeDevice(session);
  ok(await session.post(KEYS_UPLOAD, { device_keys: device.keys }));
  return device;
}

/** POST /keys/query for these users. */
export function query(session: Session, ...users: readonly { userId: string }[]) {
  const wanted = Object.fromEntries(users.map(({ userId }) => [userId, []]));
  return session.post(KEYS_QUERY, { device_keys: wanted });
}

const SECTIONS = {
  master: "master_keys",
  self_signing: "self_signing_keys",
  user_signing: "user_signing_keys",
} as const;

/** Public cross-signing keys that an answer to /keys/query names for a user. */
export function publicKeysIn(answer: HttpResponse, userId: string): Record<Usage, unknown> {
  const named = (usage: Usage) => {
    const keys = at(answer.json, SECTIONS[usage], userId, "keys");
    return isObject(keys) ? Object.values(keys)[0] : undefined;
  };
  return {
    master: named("master"),
    self_signing: named("self_signing"),
    user_signing: named("user_signing"),
  };
}

/** Ids of the keys of a user that have signed a user's device, by an answer to /keys/query. */
export function signersOf(answer: HttpResponse, userId: string, deviceId: string): string[] {
  const signatures = at(answer.json, "device_keys", userId, deviceId, "signatures", userId);
  return isObject(signatures) ? Object.keys(signatures).sort() : [];
}

/** Whether a /sync says that a user's keys have changed. */
export function tellsChange(body: unknown, { userId }: { userId: string }): true | undefined {
  const changed = at(body, "device_lists", "changed");
  return Array.isArray(changed) && changed.includes(userId) ? true : undefined;
}
