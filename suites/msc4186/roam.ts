/** Random traffic in some rooms of a user, seen over a window that is too small for all of them. */
import type { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import type { RoomResult } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { eventsAt } from "#harness/match/json";
import { expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { idsIn, settled } from "./rooms.ts";
import type { Sync } from "./sync.ts";

export interface RoomTrail {
  readonly roomId: string;
  /** What the connection got, in order. */
  readonly results: readonly RoomResult[];
  /** Ids of all events, oldest first, by GET /messages. */
  readonly history: readonly string[];
}

const ROOMS = 3;
const STEPS = 14;

/**
 * Messages and topics in rooms chosen at random, now and then a sync; at the end all rooms are in the window.
 *
 * @param limits of the timeline, of which each sync takes one at random
 */
export async function roam(
  world: World,
  sync: Sync,
  session: Session,
  { limits }: { readonly limits: readonly number[] },
): Promise<{
  readonly trails: readonly RoomTrail[];
  readonly connection: SlidingConnection;
  readonly expanded: number;
}> {
  const roomIds: string[] = [];
  for (let index = 0; index < ROOMS; index++) roomIds.push(await session.createRoom());
  const connection = sync.connection(session);
  const results = new Map<string, RoomResult[]>(roomIds.map((id) => [id, []]));
  const request = async (end: number) => {
    const timelineLimit = limits[world.integer(limits.length)] ?? 1;
    const lists = { all: { range: [0, end] as const, timelineLimit } };
    const { rooms } = await connection.sync({ lists });
    for (const [id, room] of Object.entries(rooms)) results.get(id)?.push(room);
  };
  await request(0);
  // More than a small limit lets through at once, so that there is a gap whatever comes by chance.
  const newest = roomIds.at(-1) ?? "";
  for (let index = 0; index < 4; index++) await session.send(newest, `burst ${index}`);
  await request(0);
  for (let step = 0; step < STEPS; step++) {
    const count = 1 + world.integer(3);
    for (let index = 0; index < count; index++) {
      const roomId = roomIds[world.integer(ROOMS)] ?? "";
      if (world.integer(4) > 0) await session.send(roomId, `step ${step}`);
      else await session.setState(roomId, "m.room.topic", { topic: `step ${step}` });
    }
    await request(world.integer(ROOMS));
  }
  for (const roomId of roomIds) await settled(session, roomId, await session.send(roomId, "last"));
  await request(ROOMS);
  await request(ROOMS);
  const trails = roomIds.map(async (roomId) => ({
    roomId,
    results: results.get(roomId) ?? [],
    history: await historyOf(session, roomId),
  }));
  const all = [...results.values()].flat();
  return {
    trails: await Promise.all(trails),
    connection,
    expanded: all.filter((room) => room.expanded_timeline === true).length,
  };
}

async function historyOf(session: Session, roomId: string): Promise<readonly string[]> {
  const target = path`/_matrix/client/v3/rooms/${roomId}/messages`;
  const page = ok(await session.get(target, { dir: "f", limit: 200 }));
  return eventsAt(page, "chunk").map(({ event_id }) => event_id);
}

/** Each result without `initial` and the flag has only events that are newer than all before. */
export function expectOrderly(world: World, { roomId, results, history }: RoomTrail): void {
  let newest = -1;
  for (const room of results) {
    const places = idsIn(room).map((id) => history.indexOf(id));
    const isOld = places.some((place) => place <= newest);
    if (room.initial !== true && isOld) {
      expectThat(room.expanded_timeline === true, `the flag in a result for ${roomId}`, room);
    }
    if (room.expanded_timeline === true && !isOld) {
      world.note("the flag of an expanded timeline without older events");
    }
    newest = Math.max(newest, ...places);
  }
}
