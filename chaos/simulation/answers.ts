/** What a server answers others that ask about a room's past. Undefined: it does not. */
import type { Pdu } from "#chaos/events/make-event";
import type { Replica } from "./replica.ts";
import type { SimulatedServer } from "./server.ts";

const MOST_MISSING = 40;
const MOST_BACKFILLED = 100;

function roomFor(
  server: SimulatedServer,
  asker: SimulatedServer,
  roomId: string,
): Replica | undefined {
  server.heard(asker);
  if (server.isFull) return undefined;
  return server.rooms.get(roomId);
}

/** Events between those and this one, oldest first. */
export function answerMissing(
  server: SimulatedServer,
  asker: SimulatedServer,
  roomId: string,
  { earliest, minDepth, latest }: { earliest: readonly string[]; minDepth: number; latest: string },
): readonly Pdu[] | undefined {
  const replica = roomFor(server, asker, roomId);
  if (replica === undefined) return undefined;
  const known = new Set(earliest);
  const found = new Map<string, Pdu>();
  const next = [...(replica.pdus.get(latest)?.event.prevEvents ?? [])];
  for (const id of next) {
    if (known.has(id) || found.has(id) || found.size >= MOST_MISSING) continue;
    const pdu = replica.pdus.get(id);
    if (pdu === undefined || pdu.event.depth < minDepth) continue;
    if (replica.history.get(id)?.rejection !== undefined) continue;
    found.set(id, pdu);
    next.push(...pdu.event.prevEvents);
  }
  const ordered = [...found.values()].sort((a, b) => a.event.depth - b.event.depth);
  return server.world.passing(asker, ordered);
}

export interface StateAnswer {
  readonly event: Pdu | undefined;
  /** Ids of the state before it. */
  readonly state: readonly string[];
  /** The state and what it cites. */
  readonly events: readonly Pdu[];
}

export function answerState(
  server: SimulatedServer,
  asker: SimulatedServer,
  roomId: string,
  eventId: string,
): StateAnswer | undefined {
  const replica = roomFor(server, asker, roomId);
  const replayed = replica?.history.get(eventId);
  if (replica === undefined || replayed === undefined) return undefined;
  const state = server.world.hasBug("old-state")
    ? foundingState(replica)
    : replica.eventsOf(replayed.before).map(({ id }) => id);
  const pdu = replica.pdus.get(eventId);
  return {
    event: pdu === undefined ? undefined : server.world.passing(asker, [pdu])[0],
    state,
    events: server.world.passing(asker, replica.withAuthChains(state)),
  };
}

/** The state when the room had begun: what no honest server would say later. */
export function foundingState(replica: Replica): readonly string[] {
  const founding = replica.history.events.find(
    ({ event }) => event.type === "m.room.history_visibility",
  );
  return founding === undefined ? [] : replica.eventsOf(founding.after).map(({ id }) => id);
}

export function answerAuth(
  server: SimulatedServer,
  asker: SimulatedServer,
  roomId: string,
  ids: readonly string[],
): readonly Pdu[] | undefined {
  const replica = roomFor(server, asker, roomId);
  return replica && server.world.passing(asker, replica.withAuthChains(ids));
}

export function answerBackfill(
  server: SimulatedServer,
  asker: SimulatedServer,
  roomId: string,
  ids: readonly string[],
): readonly Pdu[] | undefined {
  const replica = roomFor(server, asker, roomId);
  if (replica === undefined) return undefined;
  const found = new Map<string, Pdu>();
  const next = [...ids];
  for (const id of next) {
    const pdu = replica.pdus.get(id);
    if (pdu === undefined || found.has(id) || found.size >= MOST_BACKFILLED) continue;
    if (replica.history.get(id)?.rejection !== undefined) continue;
    found.set(id, pdu);
    next.push(...pdu.event.prevEvents);
  }
  return server.world.passing(asker, [...found.values()]);
}
