/** Making of events: right in every part, except for those that a check says otherwise about. */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import { contentHash, eventId } from "#protocol/events/hashes";
import { redact } from "#protocol/events/redact";
import { signJson } from "#protocol/events/signatures";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { Signer } from "./keys.ts";

/** An event as it goes over federation, with its id. */
export interface Pdu {
  readonly id: string;
  readonly json: JsonObject;
}

/** The event itself, as it is sent. */
export function jsonOf(pdu: Pdu | JsonObject): JsonObject {
  return isPdu(pdu) ? pdu.json : pdu;
}

function isPdu(value: Pdu | JsonObject): value is Pdu {
  return typeof value.id === "string" && isObject(value.json);
}

/** What an event says. */
export interface EventParts {
  readonly type: string;
  readonly sender: string;
  readonly content: JsonObject;
  /** Present for state. */
  readonly stateKey?: string;
  /** Event id; put where the room version wants it. */
  readonly redacts?: string;
  readonly unsigned?: JsonObject;
}

/** Where in the room's graph it stands. */
export interface EventPlace {
  /** Undefined: the event has no room_id. */
  readonly roomId: string | undefined;
  readonly prevEvents: readonly string[];
  readonly authEvents: readonly string[];
  readonly depth: number;
  readonly originServerTs: number;
}

/** How it is made wrong. */
export interface EventLies {
  /** Who signs, in this order; the peer unless given. Empty: nobody. */
  readonly signers?: readonly Signer[];
  /** Changes the whole event before it is hashed: further keys, missing keys, wrong types. */
  readonly beforeHash?: (event: JsonObject) => JsonObject;
  /** Changes it after it was hashed, before it is signed. */
  readonly afterHash?: (event: JsonObject) => JsonObject;
  /** Changes it after it was signed. */
  readonly afterSign?: (event: JsonObject) => JsonObject;
}

export interface Assembly {
  readonly version: RoomVersion;
  readonly signers: readonly Signer[];
  /** In versions 1 and 2, where the sender names the event. */
  readonly givenId: string;
  /** Hash of an event that is cited, in versions 1 and 2. */
  readonly hashOf: (eventId: string) => string;
}

/** The whole event, hashed and signed. Its id is that of the result, lies included. */
export function assemble(
  parts: EventParts & EventPlace,
  lies: EventLies,
  { version, signers, givenId, hashOf }: Assembly,
): Pdu {
  const cite = (ids: readonly string[]): JsonValue =>
    version.eventIds === "given" ? ids.map((id) => [id, { sha256: hashOf(id) }]) : ids;
  const { type, sender, content, stateKey, redacts, unsigned, roomId } = parts;
  const isRedactsInContent = version.hasRedactionsOf11;
  const event: JsonObject = {
    type,
    sender,
    ...(roomId === undefined ? {} : { room_id: roomId }),
    ...(stateKey === undefined ? {} : { state_key: stateKey }),
    ...(version.eventIds === "given" ? { event_id: givenId } : {}),
    ...(redacts === undefined || isRedactsInContent ? {} : { redacts }),
    content: redacts === undefined || !isRedactsInContent ? content : { redacts, ...content },
    prev_events: cite(parts.prevEvents),
    auth_events: cite(parts.authEvents),
    depth: parts.depth,
    origin_server_ts: parts.originServerTs,
    ...(unsigned === undefined ? {} : { unsigned }),
  };
  return seal(event, lies, version, signers);
}

/** Hashes, signs and names an event that is complete but for that. */
export function seal(
  complete: JsonObject,
  lies: EventLies,
  version: RoomVersion,
  signers: readonly Signer[],
): Pdu {
  let event = lies.beforeHash?.(complete) ?? complete;
  event = { ...event, hashes: { sha256: contentHash(event) }, signatures: {} };
  event = lies.afterHash?.(event) ?? event;
  for (const signer of lies.signers ?? signers) event = sign(event, version, signer);
  event = lies.afterSign?.(event) ?? event;
  return { id: eventId(event, version), json: event };
}

/** A copy with one more signature. */
export function sign(
  event: JsonObject,
  version: RoomVersion,
  { serverName, key }: Signer,
): JsonObject {
  const { signatures = {} } = signJson(redact(event, version), serverName, key.id, key.secret);
  return { ...event, signatures };
}
