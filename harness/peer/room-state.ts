/** A state of a room: event ids by type and state key. */
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
