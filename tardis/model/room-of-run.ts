/** One room of a run, replayed by our own rules. */
import type { RoomVersion } from "#protocol/rooms/room-version";
import { inOrder, RoomHistory } from "#protocol/state/room-history";
import { recast } from "./recast.ts";
import type { Room, Run } from "./run.ts";

/** @param version whose rules are to judge; the room's own unless given */
export function historyOf(run: Run, room: Room, version: RoomVersion = room.version): RoomHistory {
  const replay = replaying(run, room, version);
  for (;;) {
    const { done, value } = replay.next();
    if (done) return value;
  }
}

/** The same, giving way after every event, so that others may have their turn. */
export function* replaying(
  { pdus, givenStates, cut }: Run,
  room: Room,
  version: RoomVersion = room.version,
): Generator<undefined, RoomHistory> {
  const events = pdus.map(({ event }) => event).filter(({ roomId }) => roomId === room.id);
  const history = new RoomHistory([], version);
  for (const event of inOrder(recast(events, room.version, version))) {
    const after = givenStates.get(event.id);
    // What an event stands on decides about it where there is nothing else.
    const before = cut.aside.has(event.id) ? event.authEvents : cut.before.get(event.id);
    history.add(event, {
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    });
    yield;
  }
  return history;
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
