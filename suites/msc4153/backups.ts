/** What checks of server-side key backups share: versions, sessions in them, and where both are found. */
import type { HttpResponse } from "#harness/http/client";
import { path } from "#harness/http/client";
import { type JsonObject, textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";

export const VERSION = "/_matrix/client/v3/room_keys/version";
const KEYS = "/_matrix/client/v3/room_keys/keys";
export const ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2";

/** How good a stored session is: what the server decides by when it gets it again. */
export interface Worth {
  readonly first: number;
  readonly forwarded: number;
  readonly isVerified: boolean;
}

export const GOOD: Worth = { first: 0, forwarded: 0, isVerified: true };

/** A session as clients back it up; what is encrypted in it is of no matter to servers. */
export function sessionWorth(
  { first, forwarded, isVerified }: Worth = GOOD,
  data: JsonObject = { ephemeral: "ephemeral", ciphertext: "ciphertext", mac: "mac" },
): JsonObject {
  return {
    first_message_index: first,
    forwarded_count: forwarded,
    is_verified: isVerified,
    session_data: data,
  };
}

/** Makes a version, which is then the current one; returns its name. */
export async function createVersion(
  session: Session,
  authData: JsonObject = { public_key: "public" },
  algorithm = ALGORITHM,
): Promise<string> {
  const response = await session.post(VERSION, { algorithm, auth_data: authData });
  return textAt(ok(response), "version");
}

/** Path of all keys, of a room's, or of one session. */
export function keysAt(roomId?: string, sessionId?: string): string {
  if (roomId === undefined) return KEYS;
  const room = path`/_matrix/client/v3/room_keys/keys/${roomId}`;
  return sessionId === undefined ? room : room + path`/${sessionId}`;
}

export function getKeys(
  session: Session,
  version: string,
  ...place: [roomId?: string, sessionId?: string]
): Promise<HttpResponse> {
  return session.get(keysAt(...place), { version });
}

export function deleteKeys(
  session: Session,
  version: string,
  ...place: [roomId?: string, sessionId?: string]
): Promise<HttpResponse> {
  return session.request("DELETE", keysAt(...place), { query: { version } });
}

export function putSession(
  session: Session,
  version: string,
  roomId: string,
  sessionId: string,
  body: JsonObject = sessionWorth(),
): Promise<HttpResponse> {
  return session.put(keysAt(roomId, sessionId), body, { version });
}

export function versionAt(version: string): string {
  return path`/_matrix/client/v3/room_keys/version/${version}`;
}
