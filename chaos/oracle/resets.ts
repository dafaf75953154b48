/** Whether a plan loses state when the oracle tells it, and in which way. */
import { type Reset, resetsBefore } from "#chaos/checkers/resets";
import { JournalRoom } from "#chaos/journal/journal-room";
import type { JsonObject } from "#protocol/events/event";
import type { OracleRoom } from "./room.ts";

/** State resets of all merges in the room, each with its class. */
export function resetsIn(room: OracleRoom): readonly Reset[] {
  const pdus = room.history.events.map(({ event }): [string, JsonObject] => {
    const { id, type, stateKey, sender, roomId, content, originServerTs, depth, redacts } = event;
    const isRoot = type === "m.room.create" && room.version.isRoomIdHash;
    return [
      id,
      {
        type,
        sender,
        ...(isRoot ? {} : { room_id: roomId }),
        ...(stateKey === undefined ? {} : { state_key: stateKey }),
        ...(redacts === undefined ? {} : { redacts }),
        content,
        auth_events: event.authEvents,
        prev_events: event.prevEvents,
        origin_server_ts: originServerTs,
        depth,
      },
    ];
  });
  const journal = new JournalRoom(room.roomId, room.name, room.version.id, new Map(pdus));
  return resetsBefore(journal, [...new Set([...room.views().values()].flat())]);
}
