/** Events of files, which people write by hand: what they say is read, without demands on hashes, signatures and forms of ids. */
import type { RoomVersion } from "#protocol/rooms/room-version";
import { isObject, type JsonObject, type RoomEvent } from "./event.ts";
import { EventFormatError } from "./event-format-error.ts";
import { eventId } from "./hashes.ts";

/** More citations than any event has; the specification allows 20 and 10. */
const MAX_CITED = 1_000;

/**
 * An event in the federation format, read leniently: times and depths that are no numbers count as 0.
 *
 * @param id unless given, its `event_id` is taken where it has one, and else calculated
 * @throws EventFormatError, CanonicalJsonError when it can not be told what it says
 */
export function readEvent(pdu: unknown, version: RoomVersion, id?: string): RoomEvent {
  if (!isObject(pdu)) throw wrong("$", "no object");
  const { content, state_key: stateKey, event_id: given, redacts } = pdu;
  const type = text(pdu, "type");
  const sender = text(pdu, "sender");
  if (!isObject(content)) throw wrong("$.content", "no object");
  if (stateKey !== undefined && typeof stateKey !== "string") throw wrong("$.state_key", "no text");
  const authEvents = cited(pdu, "auth_events");
  const prevEvents = cited(pdu, "prev_events");
  const own = id ?? (typeof given === "string" ? given : eventId(pdu, version));
  const isRoot = version.isRoomIdHash && type === "m.room.create" && pdu.room_id === undefined;
  return {
    id: own,
    type,
    ...(stateKey === undefined ? {} : { stateKey }),
    sender,
    roomId: isRoot ? `!${own.slice(1)}` : text(pdu, "room_id"),
    content,
    authEvents,
    prevEvents,
    originServerTs: number(pdu, "origin_server_ts"),
    depth: number(pdu, "depth"),
    ...(typeof redacts === "string" ? { redacts } : {}),
  };
}

function text(pdu: JsonObject, key: string): string {
  const found = Object.hasOwn(pdu, key) ? pdu[key] : undefined;
  if (typeof found !== "string") throw wrong(`$.${key}`, "no text");
  return found;
}

function number(pdu: JsonObject, key: string): number {
  const found = pdu[key];
  return typeof found === "number" && Number.isFinite(found) ? found : 0;
}

function cited(pdu: JsonObject, key: "auth_events" | "prev_events"): readonly string[] {
  const found = pdu[key] ?? [];
  if (!Array.isArray(found)) throw wrong(`$.${key}`, "no list");
  if (found.length > MAX_CITED) {
    throw new EventFormatError("TOO_MANY", `$.${key}`, `more than ${MAX_CITED} events`);
  }
  return found.map((entry: unknown, at) => {
    // Versions 1 and 2 write a pair of id and hashes.
    const id: unknown = Array.isArray(entry) ? entry[0] : entry;
    if (typeof id !== "string") throw wrong(`$.${key}[${at}]`, "no event id");
    return id;
  });
}

function wrong(place: string, what: string): EventFormatError {
  return new EventFormatError("WRONG_TYPE", place, what);
}
