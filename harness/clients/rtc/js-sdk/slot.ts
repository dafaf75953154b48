/** A slot as matrix-js-sdk describes it; its id is the two with a hash sign between them. */
export interface Slot {
  readonly application: string;
  readonly id: string;
}

/** The call of a room, by the name that the library has for it (MSC4196 §Slot event). */
export const ROOM_CALL: Slot = { application: "m.call", id: "ROOM" };
