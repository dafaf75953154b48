/** State after the timeline in answers of GET /sync: specification v1.16, and MSC4222 before it. */
import { at, eventsAt, type MatrixEvent } from "./json.ts";

const KEYS = ["state_after", "org.matrix.msc4222.state_after"] as const;

/** Asks for it by both names. */
export const ASK_STATE_AFTER = {
  use_state_after: true,
  "org.matrix.msc4222.use_state_after": true,
} as const;

/** State changes up to the end of the timeline of a room in an answer; undefined: the server does not tell them. */
export function stateAfter(room: unknown): readonly MatrixEvent[] | undefined {
  const key = KEYS.find((name) => at(room, name) !== undefined);
  return key === undefined ? undefined : eventsAt(room, key, "events");
}
