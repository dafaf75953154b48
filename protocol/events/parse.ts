/**
 * What makes a JSON value an event of its room version ("Event format" of each room version's page; client-server API
 * §Size limits). Signatures, hashes and authorization are checked elsewhere.
 */
import type { RoomVersion } from "#protocol/rooms/room-version";
import { canonicalJson, placeOf } from "./canonical-json.ts";
import { isObject, type JsonObject, type JsonValue, type RoomEvent } from "./event.ts";
import { EventFormatError, type EventFormatErrorCode } from "./event-format-error.ts";
import { eventId } from "./hashes.ts";

/** Of the whole event as canonical JSON in UTF-8, with signatures and unsigned. */
export const MAX_EVENT_BYTES = 65_536;
/** Of sender, room id, event id, type and state key, in UTF-8. */
const MAX_FIELD_BYTES = 255;
const MAX_AUTH_EVENTS = 10;
const MAX_PREV_EVENTS = 20;
/**
 * Below version 6 the specification allows 2^63 - 1, which a JS number does not hold; Synapse draws the line here in
 * every version.
 */
export const MAX_DEPTH = Number.MAX_SAFE_INTEGER;

const SERVER_NAME = /^(?:[0-9A-Za-z.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;
/** The id of a create event with another sigil (MSC4291). */
const HASH_ROOM_ID = /^![0-9A-Za-z_-]{43}$/;

/**
 * Reads a PDU as it comes over federation, after JSON.parse.
 *
 * Unknown keys are allowed. Localparts are taken as the grammar of historical ids has them. Lengths count bytes, as the
 * specification says; Synapse counts code points before it drops an event, and only rejects one that has too many bytes.
 *
 * @throws EventFormatError, CanonicalJsonError: receivers drop such an event
 */
export function parseEvent(raw: unknown, version: RoomVersion): RoomEvent {
  if (!isObject(raw)) throw failure("WRONG_TYPE", [], "no object");
  checkSize(canonicalJson(raw, { strict: version.isCanonicalJsonStrict }));
  const type = shortString(raw, "type");
  const stateKey = raw.state_key === undefined ? undefined : shortString(raw, "state_key");
  const sender = idWithDomain(raw, "sender", "@");
  const authEvents = cited(raw, "auth_events", MAX_AUTH_EVENTS, version);
  const prevEvents = cited(raw, "prev_events", MAX_PREV_EVENTS, version);
  const content = object(raw, "content");
  const originServerTs = integer(raw, "origin_server_ts");
  if (originServerTs < -(2 ** 63) || originServerTs >= 2 ** 63) {
    throw failure("OUT_OF_RANGE", ["origin_server_ts"], `${originServerTs} is beyond 64 bits`);
  }
  const depth = integer(raw, "depth");
  if (depth < 0 || depth > MAX_DEPTH) {
    throw failure("OUT_OF_RANGE", ["depth"], `${depth} is not within 0 and 2^53 - 1`);
  }
  string(object(raw, "hashes"), "sha256", ["hashes", "sha256"]);
  checkSignatures(object(raw, "signatures"));
  if (raw.unsigned !== undefined) object(raw, "unsigned");
  if (version.eventIds === "given") idWithDomain(raw, "event_id", "$");
  const id = eventId(raw, version);
  const redacts =
    type === "m.room.redaction" && !version.hasRedactionsOf11 && raw.redacts !== undefined
      ? string(raw, "redacts")
      : undefined;
  return {
    id,
    type,
    ...(stateKey === undefined ? {} : { stateKey }),
    sender,
    roomId: roomIdOf(raw, version, id),
    content,
    authEvents,
    prevEvents,
    originServerTs,
    depth,
    ...(redacts === undefined ? {} : { redacts }),
  };
}

/** In version 12 the create event does not carry it: it is made of that event's id. */
function roomIdOf(pdu: JsonObject, version: RoomVersion, id: string): string {
  if (!version.isRoomIdHash) return idWithDomain(pdu, "room_id", "!");
  if (pdu.type === "m.room.create" && pdu.state_key === "") {
    if (pdu.room_id === undefined) return `!${id.slice(1)}`;
    throw failure("NOT_ALLOWED", ["room_id"], "a create event has no room id");
  }
  const roomId = string(pdu, "room_id");
  if (HASH_ROOM_ID.test(roomId)) return roomId;
  throw failure("BAD_ID", ["room_id"], "no ! with the hash of a create event");
}

function checkSize(text: string): void {
  // A UTF-16 unit takes one to three bytes.
  if (text.length * 3 <= MAX_EVENT_BYTES) return;
  const size = text.length > MAX_EVENT_BYTES ? text.length : byteLength(text);
  if (size > MAX_EVENT_BYTES) {
    throw failure("TOO_LARGE", [], `more than ${MAX_EVENT_BYTES} bytes of canonical JSON`);
  }
}

function cited(
  pdu: JsonObject,
  key: "auth_events" | "prev_events",
  most: number,
  version: RoomVersion,
): readonly string[] {
  const list = present(pdu, key);
  if (!Array.isArray(list)) throw failure("WRONG_TYPE", [key], "no list");
  if (list.length > most) throw failure("TOO_MANY", [key], `more than ${most} events`);
  return list.map((entry: JsonValue, index) => {
    if (version.eventIds === "given") return idOfPair(entry, [key, index]);
    if (typeof entry === "string") return entry;
    throw failure("WRONG_TYPE", [key, index], "no event id");
  });
}

/** Versions 1 and 2 cite an event as its id and its hashes. */
function idOfPair(entry: JsonValue, path: readonly (string | number)[]): string {
  if (!Array.isArray(entry) || entry.length !== 2) {
    throw failure("WRONG_TYPE", path, "no pair of event id and hashes");
  }
  const [id, hashes]: readonly JsonValue[] = entry;
  if (typeof id !== "string") throw failure("WRONG_TYPE", [...path, 0], "no event id");
  if (!isObject(hashes)) throw failure("WRONG_TYPE", [...path, 1], "no object of hashes");
  checkStrings(hashes, [...path, 1]);
  return id;
}

function checkSignatures(signatures: JsonObject): void {
  for (const [server, byKey] of Object.entries(signatures)) {
    if (!isObject(byKey)) throw failure("WRONG_TYPE", ["signatures", server], "no object");
    checkStrings(byKey, ["signatures", server]);
  }
}

function checkStrings(values: JsonObject, path: readonly (string | number)[]): void {
  for (const [key, value] of Object.entries(values)) {
    if (typeof value !== "string") throw failure("WRONG_TYPE", [...path, key], "no string");
  }
}

/** Sigil, localpart without NUL, and the name of a server. */
function idWithDomain(pdu: JsonObject, key: string, sigil: string): string {
  const id = shortString(pdu, key);
  const colon = id.indexOf(":");
  const isWellFormed =
    id.startsWith(sigil) &&
    colon > 0 &&
    !id.includes("\0") &&
    SERVER_NAME.test(id.slice(colon + 1));
  if (!isWellFormed) throw failure("BAD_ID", [key], `no ${sigil}localpart:server`);
  return id;
}

function shortString(pdu: JsonObject, key: string): string {
  const text = string(pdu, key);
  if (text.length * 3 > MAX_FIELD_BYTES && byteLength(text) > MAX_FIELD_BYTES) {
    throw failure("TOO_LONG", [key], `more than ${MAX_FIELD_BYTES} bytes`);
  }
  return text;
}

function string(pdu: JsonObject, key: string, path: readonly string[] = [key]): string {
  const value = present(pdu, key, path);
  if (typeof value !== "string") throw failure("WRONG_TYPE", path, "no string");
  return value;
}

function integer(pdu: JsonObject, key: string): number {
  const value = present(pdu, key);
  if (!Number.isInteger(value)) throw failure("WRONG_TYPE", [key], "no integer");
  return Number(value);
}

function object(pdu: JsonObject, key: string): JsonObject {
  const value = present(pdu, key);
  if (!isObject(value)) throw failure("WRONG_TYPE", [key], "no object");
  return value;
}

function present(pdu: JsonObject, key: string, path: readonly string[] = [key]): JsonValue {
  const value = pdu[key];
  if (value === undefined || !Object.hasOwn(pdu, key)) throw failure("MISSING", path, "nothing");
  return value;
}

function failure(
  code: EventFormatErrorCode,
  path: readonly (string | number)[],
  what: string,
): EventFormatError {
  return new EventFormatError(code, placeOf(path), what);
}

const UTF8 = new TextEncoder();

function byteLength(text: string): number {
  return UTF8.encode(text).length;
}
