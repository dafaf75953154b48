/** What checks of the receipts extension share (MSC3960). */
import type { Synced } from "#harness/clients/sliding-sync/connection";
import { allRooms } from "#harness/clients/sliding-sync/request";
import { at, isObject } from "#harness/match/json";
import { dataOf, withExtension } from "./extensions.ts";
import { answers } from "./sync.ts";

export const KEY = "receipts";
export const ALL = withExtension(allRooms({ timelineLimit: 1 }), KEY);
export const FORGETS = answers("leaves receipts out", { remove: ["/extensions/receipts/rooms/*"] });

/** `kind user` of the receipts at an event, sorted. */
export function receiptsAt(answer: Synced, roomId: string, eventId: string): readonly string[] {
  const kinds = at(dataOf(answer, KEY, roomId), "content", eventId);
  return Object.entries(isObject(kinds) ? kinds : {})
    .flatMap(([kind, users]) =>
      Object.keys(isObject(users) ? users : {}).map((id) => `${kind} ${id}`),
    )
    .sort();
}
