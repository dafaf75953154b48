/** A room's events as another version would have them, with the ids that they would have there. */
import type { JsonObject, JsonValue, RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { withKeys } from "#tardis/model/json";
import { recast } from "#tardis/model/recast";
import type { Room, Run } from "#tardis/model/run";
import { rehash } from "./rehash.ts";

export interface Reversioned {
  readonly events: readonly RoomEvent[];
  /** Ids that they have in the run, by their new ids; and the other way. */
  readonly originalOf: ReadonlyMap<string, string>;
  readonly idOf: ReadonlyMap<string, string>;
}

/** Ids of versions 1 and 2 are given, and stay what they are. @throws RunError when two events become one */
export function reversioned(run: Run, room: Room, version: RoomVersion): Reversioned {
  const pdus = run.pdus.filter(({ event }) => event.roomId === room.id);
  const events = recast(
    pdus.map(({ event }) => event),
    room.version,
    version,
  );
  const drafts = pdus.map((pdu, at) => {
    const event = events[at] ?? pdu.event;
    const isRoot = version.isRoomIdHash && event.type === "m.room.create";
    const front: Record<string, JsonValue> = {
      content: event.content,
      prev_events: event.prevEvents,
      auth_events: event.authEvents,
      ...(isRoot ? {} : { room_id: event.roomId }),
    };
    const without = version.eventIds === "given" ? [] : ["event_id"];
    const json: JsonObject = withKeys(pdu.json, {
      front,
      without: isRoot ? [...without, "room_id"] : without,
    });
    // Names are no ids there either.
    const named = { ...pdu, event, idSource: "given" as const };
    return { original: pdu.eventId, pdu: named, version, json, isEdited: true };
  });
  const { events: rewritten } = rehash(drafts);
  return {
    events: rewritten.map(({ event }) => event),
    originalOf: new Map(rewritten.map(({ id, draft }) => [id, draft.original])),
    idOf: new Map(rewritten.map(({ id, draft }) => [draft.original, id])),
  };
}
