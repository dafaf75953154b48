/** What one server showed of a room, one look after the other. */
import type { JournalRoom } from "#chaos/journal/journal-room";
import type { JournalView, RecordOf } from "#chaos/journal/view";

/** Two looks that follow each other on one server. */
export interface Change {
  readonly room: JournalRoom;
  readonly before: RecordOf<"state">;
  readonly after: RecordOf<"state">;
}

/** Those of which the second look is of this epoch, of rooms with events. */
export function changesIn(view: JournalView, epoch: number): readonly Change[] {
  const { first } = view.span(epoch);
  const last = new Map<string, RecordOf<"state">>();
  const changes: Change[] = [];
  for (const after of view.until("state", epoch)) {
    const place = `${after.room} ${after.server}`;
    const before = last.get(place);
    const room = view.rooms.get(after.room);
    last.set(place, after);
    if (before === undefined || after.seq < first || room?.history === undefined) continue;
    changes.push({ room, before, after });
  }
  return changes;
}
