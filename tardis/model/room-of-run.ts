/** One room of a run, replayed by our own rules. */
import type { RoomVersion } from "#protocol/rooms/room-version";
import { RoomHistory } from "#protocol/state/room-history";
import { recast } from "./recast.ts";
import type { Room, Run } from "./run.ts";

/** @param version whose rules are to judge; the room's own unless given */
export function historyOf(run: Run, room: Room, version: RoomVersion = room.version): RoomHistory {
  const events = run.pdus.map(({ event }) => event).filter(({ roomId }) => roomId === room.id);
  const { givenStates } = run;
  return new RoomHistory(recast(events, room.version, version), version, { givenStates });
}

/** A key of the state that is not as a file expects it. */
export interface Difference {
  readonly after: string;
  readonly key: string;
  readonly expected: string | null;
  readonly actual: string | null;
}

/** What the run expects after events of this history and does not come out. */
export function differencesIn(
  { expected, pdus }: Run,
  history: RoomHistory,
): readonly Difference[] {
  return [...expected].flatMap(([after, state]) => {
    const replayed = history.get(after);
    // It may be of another room.
    if (replayed === undefined && pdus.some(({ eventId }) => eventId === after)) return [];
    const actual = new Map(
      Object.entries(replayed === undefined ? {} : history.named(replayed.after)),
    );
    return [...state].flatMap(([key, id]) => {
      const found = actual.get(key) ?? null;
      return found === id ? [] : [{ after, key, expected: id, actual: found }];
    });
  });
}
