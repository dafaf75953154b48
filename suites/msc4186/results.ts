/** What checks compare of a room's result. */
import type { RoomResult, SyncEvent } from "#harness/clients/sliding-sync/response";
import { stateKeyOf } from "#harness/clients/sliding-sync/view";
import { path } from "#harness/http/client";
import { eventsAt, type MatrixEvent } from "#harness/match/json";
import type { Session } from "#harness/world/session";

/** Ids of the timeline, oldest first. */
export function timelineOf(room: RoomResult | undefined): readonly string[] {
  return (room?.timeline ?? []).map(({ event_id }) => event_id);
}

/** `type|state_key` of each entry of the required state, sorted. */
export function stateKeysOf(room: RoomResult | undefined): readonly string[] {
  return (room?.required_state ?? []).map(stateKeyOf).sort();
}

/** Ids of the events of the required state, sorted. */
export function stateIdsOf(room: RoomResult | undefined): readonly string[] {
  return (room?.required_state ?? [])
    .flatMap((entry) => ("event_id" in entry ? [(entry as SyncEvent).event_id] : []))
    .sort();
}

/** Users whose member events the required state has, sorted. */
export function membersOf(room: RoomResult | undefined): readonly string[] {
  return (room?.required_state ?? [])
    .flatMap(({ type, state_key: user }) => (type === "m.room.member" ? [user] : []))
    .sort();
}

/** Current state of a room, as the client-server API has it. */
export async function stateOfRoom(
  session: Session,
  roomId: string,
): Promise<readonly MatrixEvent[]> {
  const { json } = await session.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
  return eventsAt({ json }, "json");
}
