/** Whether an event has to come to a server, and stay visible there. Where that is open, it has not. */
import type { JournalRoom } from "#chaos/journal/journal-room";
import { domainOf } from "#protocol/auth/auth-event";
import type { State } from "#protocol/state/conflicts";
import { isAllowedByAcl } from "./acl.ts";
import { mayBeSoftFailed } from "./soft-failure.ts";

/**
 * A user of the server was in the room when the event was sent, by all that was sent beside it as well, the rules allow
 * it, and nothing of that may have had the server hide it. Events from before a server came are not owed: it may fetch them later, or never.
 */
export function isOwed(room: JournalRoom, id: string, server: string): boolean {
  const one = room.get(id);
  if (one === undefined || one.rejection !== undefined || !room.areWhole([id])) return false;
  const origin = domainOf(one.event.sender);
  if (origin === server) return true;
  if (!room.serversIn(one.before).has(server)) return false;
  if (mayHaveBeenOut(room, id, server)) return false;
  return isAllowedByAcl(room, [origin, server]) && !mayBeSoftFailed(room, id);
}

/** Whether something beside the event had no user of the server in the room: what came then was not for it. */
function mayHaveBeenOut(room: JournalRoom, id: string, server: string): boolean {
  const events = room.history?.events ?? [];
  return events.some(
    ({ event, after, rejection }) =>
      rejection === undefined &&
      !room.serversIn(after).has(server) &&
      event.id !== id &&
      !room.isBefore(event.id, id) &&
      !room.isBefore(id, event.id),
  );
}

const READABLE = new Set(["world_readable", "shared", "invited", "joined"]);

/**
 * Whether a user must see the event (client-server API §Room history visibility). He is joined now, by that state; what
 * would show it to him under some readings only does not count.
 */
export function isSurelyVisible(room: JournalRoom, id: string, user: string, now: State): boolean {
  const one = room.get(id);
  if (one === undefined || room.membership(now, user) !== "join") return false;
  return [one.before, one.after].every((state) => {
    const visibility = visibilityIn(room, state);
    if (visibility === "world_readable" || visibility === "shared") return true;
    return room.membership(state, user) === "join";
  });
}

function visibilityIn(room: JournalRoom, state: State): string {
  const value = room.at(state, "m.room.history_visibility", "")?.content.history_visibility;
  return typeof value === "string" && READABLE.has(value) ? value : "shared";
}
