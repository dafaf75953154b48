/** Where keys and signatures of hand-made identities go, and what servers tell of them. */
import type { Usage } from "#harness/clients/identities";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import type { Session } from "#harness/world/session";

export const SIGNING_UPLOAD = "/_matrix/client/v3/keys/device_signing/upload";
export const SIGNATURES_UPLOAD = "/_matrix/client/v3/keys/signatures/upload";
export const KEYS_UPLOAD = "/_matrix/client/v3/keys/upload";
export const KEYS_QUERY = "/_matrix/client/v3/keys/query";

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
