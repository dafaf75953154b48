/** A state of a room: event ids by type and state key. */
import { path } from "#harness/http/client";
import { eventsAt } from "#harness/match/json";
import { expectStatus } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { RoomEvent } from "#protocol/events/event";

/** Event ids by slot. */
export type RoomState = ReadonlyMap<string, string>;

/** Type and state key as one text. */
export function slot(type: string, stateKey: string): string {
  return `${type}\0${stateKey}`;
}

/** The state after an event that is allowed. */
export function withEvent(state: RoomState, { id, type, stateKey }: RoomEvent): RoomState {
  return stateKey === undefined ? state : new Map(state).set(slot(type, stateKey), id);
}

/** State of a room as clients get it. */
export async function stateShown(session: Session, roomId: string): Promise<RoomState> {
  const response = await session.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
  expectStatus(response, 200);
  const events = eventsAt({ state: response.json }, "state");
  return new Map(
    events.map(({ type, state_key = "", event_id }) => [slot(type, state_key), event_id]),
  );
}
