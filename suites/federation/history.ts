/** What servers and users are shown of the history of a room. */
import { path } from "#harness/http/client";
import { eventsAt, listAt, type MatrixEvent, textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { isObject, type JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import type { RoomVersion } from "#protocol/rooms/room-version";

/** The whole timeline of a room, latest first, page by page. */
export async function history(session: Session, roomId: string): Promise<readonly MatrixEvent[]> {
  const events: MatrixEvent[] = [];
  let from: string | undefined;
  do {
    const target = path`/_matrix/client/v3/rooms/${roomId}/messages`;
    const body = ok(await session.get(target, { dir: "b", limit: 10, from }));
    events.push(...eventsAt(body, "chunk"));
    from = body.end === undefined ? undefined : textAt(body, "end");
  } while (from !== undefined);
  return events;
}

/** Ids of the events in an answer, by their hashes. */
export function idsIn(body: unknown, key: string, version: RoomVersion): readonly string[] {
  return listAt(body, key).flatMap((json) =>
    isObject(json) ? eventId(json as JsonObject, version) : [],
  );
}
