/** The ephemeral map of matrix-js-sdk, which its MatrixRTC sessions are made of (RoomStickyEventsStore). */
import { type IEvent, MatrixEvent as LibraryEvent } from "matrix-js-sdk";
import { RoomStickyEventsStore } from "matrix-js-sdk/lib/models/room-sticky-events.js";
import type { MatrixEvent } from "#harness/match/json";

/** Ids of what the library holds after events of one room came in this order, one at a time; in an order of its own. */
export function heldByJsSdk(events: readonly MatrixEvent[]): readonly (string | undefined)[] {
  const store = new RoomStickyEventsStore();
  try {
    for (const event of events)
      store.addStickyEvents([
        new LibraryEvent({ ...event, room_id: "!room" } as Partial<IEvent>) as never,
      ]);
    return [...store.getStickyEvents()].map((event) => event.getId());
  } finally {
    // Its timer would keep the process.
    store.clear();
  }
}
