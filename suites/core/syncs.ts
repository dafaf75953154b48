/** What checks about /sync share: state as a sync tells it, rooms by section, answers to one token. */
import { path } from "#harness/http/client";
import { at, eventsAt, isObject, type JsonObject, type MatrixEvent } from "#harness/match/json";
import { expectThat, ok } from "#harness/world/expect";
import { type Session, type SyncOptions, stateBefore, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { ids } from "./rooms.ts";

export const SYNC = "/_matrix/client/v3/sync";

/** Event ids by type and state key; of two events for one key the later counts. */
export type StateIds = Readonly<Record<string, string>>;

export function stateIds(events: readonly MatrixEvent[]): StateIds {
  const isState = ({ state_key }: MatrixEvent) => state_key !== undefined;
  return Object.fromEntries(
    events
      .filter(isState)
      .map(({ type, state_key, event_id }) => [`${type}|${state_key}`, event_id]),
  );
}

/** The state that a client keeps after a /sync body that began with no state of the room. */
export function folded(body: JsonObject, roomId: string): StateIds {
  return stateIds([...stateBefore(body, roomId), ...timeline(body, roomId)]);
}

/** The present state by GET /state. */
export async function presentState(session: Session, roomId: string): Promise<StateIds> {
  const response = await session.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
  const events = response.status === 200 ? response.json : ok(response);
  return stateIds(eventsAt({ events }, "events"));
}

/** Ids of the rooms in a section of a /sync body. */
export function roomsIn(body: JsonObject, section: "join" | "leave"): readonly string[] {
  const rooms = at(body, "rooms", section);
  return isObject(rooms) ? Object.keys(rooms) : [];
}

/**
 * The one answer to a sync with these options that already has the event in the joined room's timeline: asks again with
 * the same token while the server has not got that far.
 */
export function syncWith(
  world: World,
  session: Session,
  options: SyncOptions,
  roomId: string,
  eventId: string,
): Promise<JsonObject & { readonly next_batch: string }> {
  return world.eventually(async () => {
    const body = await session.sync(options);
    const shown = ids(timeline(body, roomId));
    expectThat(shown.includes(eventId), `event ${eventId} in one sync`, shown);
    return body;
  });
}

/** Sends texts one after the other; returns the event ids. */
export async function sendAll(
  session: Session,
  roomId: string,
  ...bodies: readonly string[]
): Promise<readonly string[]> {
  const sent: string[] = [];
  for (const body of bodies) sent.push(await session.send(roomId, body));
  return sent;
}
