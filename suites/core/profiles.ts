/** What checks about profiles share: paths, mutants' patterns, fields, and whether a server has custom ones. */
import { type HttpResponse, path } from "#harness/http/client";
import type { JsonObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Account, Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

/** Path patterns, for rules: a whole profile, and any key of one. */
export const PROFILE = "/_matrix/client/v3/profile/*";
export const FIELD = `${PROFILE}/*`;
/** A custom key. */
export const KEY = "org.example.k";

/** Custom keys and DELETE came with v1.16; before, servers tell by a flag that they have them (MSC4133). */
const KEYS_AHEAD = "unstable:uk.tcpip.msc4133.stable";

/** True when the server has custom keys and DELETE. */
export function hasKeys(world: World): boolean {
  return world.has("v1.16") || world.has(KEYS_AHEAD);
}

/** @throws Unsupported unless the server has custom keys and DELETE. */
export function needsKeys(world: World): void {
  if (!hasKeys(world)) world.needs("v1.16");
}

/** Path of a whole profile. */
export function whole(user: Account): string {
  return path`/_matrix/client/v3/profile/${user.userId}`;
}

/** Path of a key of a profile. */
export function field(user: Account, key: string): string {
  return path`/_matrix/client/v3/profile/${user.userId}/${key}`;
}

/** Sets a key of one's own profile, with any answer. */
export function setField(user: Session, key: string, value: unknown): Promise<HttpResponse> {
  return user.put(field(user, key), { [key]: value });
}

/** A whole profile; a user without any profile information may be answered with 404. */
export async function profileOf(user: Session): Promise<JsonObject> {
  const response = await user.get(whole(user));
  return response.status === 404 ? {} : ok(response);
}
