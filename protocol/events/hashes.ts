/** Hashes and ids of events (server-server API §Signing Events, "Event IDs" of each room version's page). */
import { sha256 } from "@noble/hashes/sha2.js";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { decodeBase64, encodeBase64, encodeBase64Url } from "./base64.ts";
import { canonicalJson } from "./canonical-json.ts";
import { isObject, type JsonObject } from "./event.ts";
import { EventFormatError } from "./event-format-error.ts";
import { redact } from "./redact.ts";

const UTF8 = new TextEncoder();

/**
 * SHA-256 over the whole event, as it stands in `hashes.sha256`: unpadded base64. Numbers that the room version does not
 * allow are hashed all the same: whether they may be there is decided when the event is parsed.
 *
 * @throws CanonicalJsonError
 */
export function contentHash(pdu: JsonObject): string {
  return encodeBase64(contentDigest(pdu));
}

/**
 * True when `hashes.sha256` is the content hash. Otherwise the event is to be redacted before it is used.
 *
 * @throws CanonicalJsonError
 */
export function hasValidHash(pdu: JsonObject): boolean {
  const { hashes } = pdu;
  const claimed = isObject(hashes) ? hashes.sha256 : undefined;
  const bytes = typeof claimed === "string" ? decodeBase64(claimed) : undefined;
  return bytes !== undefined && encodeBase64(bytes) === contentHash(pdu);
}

/**
 * SHA-256 over the redacted event, in the alphabet of the version's event ids: URL-safe from version 4 on.
 *
 * @throws CanonicalJsonError
 */
export function referenceHash(pdu: JsonObject, version: RoomVersion): string {
  const { signatures: _, ...hashed } = redact(pdu, version);
  const digest = digestOf(hashed);
  return version.eventIds === "base64url" ? encodeBase64Url(digest) : encodeBase64(digest);
}

/**
 * `$` and the reference hash; in versions 1 and 2 what the event says.
 *
 * @throws CanonicalJsonError, EventFormatError when an event of version 1 or 2 has no id
 */
export function eventId(pdu: JsonObject, version: RoomVersion): string {
  if (version.eventIds !== "given") return `$${referenceHash(pdu, version)}`;
  if (typeof pdu.event_id === "string") return pdu.event_id;
  throw new EventFormatError("MISSING", "$.event_id", "no event id");
}

function contentDigest(pdu: JsonObject): Uint8Array {
  const { unsigned: _unsigned, signatures: _signatures, hashes: _hashes, ...hashed } = pdu;
  return digestOf(hashed);
}

function digestOf(value: JsonObject): Uint8Array {
  return sha256(UTF8.encode(canonicalJson(value, { strict: false })));
}
