/** What servers said of a room when they were asked at about the same moment. */
import { ABSENT } from "./recording.ts";
import type { Run, Snapshot } from "./run.ts";

/** The newest snapshot of each server up to a record, as far as they were taken for the same reason; oldest first. */
export function lastLook(run: Run, roomId: string, seq: number): readonly Snapshot[] {
  const rooms = new Map(run.pdus.map(({ eventId, event }) => [eventId, event.roomId]));
  const roomOf = ({ room, state }: Snapshot) =>
    room ?? rooms.get(state.get("m.room.create|") ?? "");
  const seen = new Set<number>();
  const look: Snapshot[] = [];
  for (const snapshot of run.snapshots.toReversed()) {
    if (snapshot.seq > seq || roomOf(snapshot) !== roomId) continue;
    if (seen.has(snapshot.server) || (look[0]?.moment ?? snapshot.moment) !== snapshot.moment)
      break;
    seen.add(snapshot.server);
    look.unshift(snapshot);
  }
  return look;
}

/** `type|state_key` at which they differ, sorted. */
export function differingKeys(look: readonly Snapshot[]): readonly string[] {
  const keys = new Set(look.flatMap(({ state }) => [...state.keys()]));
  return [...keys]
    .filter((key) => new Set(look.map(({ state }) => state.get(key))).size > 1)
    .sort();
}

/** Whether an event had come to a server by then, or was made there, and is there. */
export function hasCome(run: Run, server: number, eventId: string, seq: number): boolean {
  const last = run.arrivals.findLast(
    (arrival) => arrival.server === server && arrival.eventId === eventId && arrival.seq <= seq,
  );
  return last !== undefined && last.verdict !== ABSENT;
}
