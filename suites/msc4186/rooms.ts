/** What checks of sliding sync do in rooms, and find in results for them. */
import type { Synced } from "#harness/clients/sliding-sync/connection";
import type { RoomResult } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";

/** Waits until another sync of the user shows the event: from then on no connection has an excuse to lack it. */
export async function settled(session: Session, roomId: string, eventId: string): Promise<void> {
  const filter = { room: { rooms: [roomId], timeline: { limit: 1 } } };
  await session.syncUntilEvent(undefined, roomId, eventId, { filter });
}

/** Sends messages one after the other; returns their ids. */
export async function sendMessages(
  session: Session,
  roomId: string,
  count: number,
  what = "message",
): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    ids.push(await session.send(roomId, `${what} ${index}`));
  }
  return ids;
}

/** Ids of the timeline of a room's result. */
export function idsIn(room: RoomResult | undefined): readonly string[] {
  return (room?.timeline ?? []).map(({ event_id }) => event_id);
}

/** A room's result, which has to be there. */
export function resultOf({ rooms, http }: Synced, roomId: string): RoomResult {
  const room = rooms[roomId];
  expectThat(room !== undefined, `a result for ${roomId}`, Object.keys(rooms), http);
  return room;
}

/** Only requests that continue a connection: the position is in the query or in the body. */
export const LATER = { contains: "pos" };

/** For mutants to put into a room. */
export const STRAY_EVENT = {
  type: "m.room.message",
  sender: "@stray:example.org",
  content: { body: "stray" },
  event_id: "$stray",
  origin_server_ts: 1,
};

/** Says which rooms are direct ones: m.direct of the user's account data. */
export async function setDirect(
  session: Session,
  direct: Record<string, readonly string[]>,
): Promise<void> {
  const target = path`/_matrix/client/v3/user/${session.userId}/account_data/m.direct`;
  ok(await session.put(target, direct));
}
