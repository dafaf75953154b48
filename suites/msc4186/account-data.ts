/** What checks of the account data extension share (MSC3959). */
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import type { SlidingResponse } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { at, type JsonObject, listAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { dataOf, withExtension } from "./extensions.ts";

export const KEY = "account_data";

export function typeName(name: string): string {
  return `org.matrix-crucible.${name}`;
}

/** Sets account data, of a room or global. */
export async function set(
  session: Session,
  type: string,
  content: JsonObject,
  roomId?: string,
): Promise<void> {
  const { userId } = session;
  ok(
    await session.put(
      roomId === undefined
        ? path`/_matrix/client/v3/user/${userId}/account_data/${type}`
        : path`/_matrix/client/v3/user/${userId}/rooms/${roomId}/account_data/${type}`,
      content,
    ),
  );
}

export function tagPath({ userId }: Session, roomId: string, tag: string): string {
  return path`/_matrix/client/v3/user/${userId}/rooms/${roomId}/tags/${tag}`;
}

export async function markRead(session: Session, roomId: string, eventId: string): Promise<void> {
  const target = path`/_matrix/client/v3/rooms/${roomId}/read_markers`;
  ok(await session.post(target, { "m.fully_read": eventId }));
}

/** Contents by type. */
function contents(list: unknown): ReadonlyMap<unknown, unknown> {
  const events = list === undefined ? [] : listAt({ list }, "list");
  return new Map(events.map((event) => [at(event, "type"), at(event, "content")]));
}

export function globals({ extensions }: SlidingResponse): ReadonlyMap<unknown, unknown> {
  return contents(at(extensions, KEY, "global"));
}

export function ofRoom(response: SlidingResponse, roomId: string): ReadonlyMap<unknown, unknown> {
  return contents(dataOf(response, KEY, roomId));
}

export function windowOf(last: number): SlidingRequest {
  return withExtension({ lists: { all: { range: [0, last], timelineLimit: 1 } } }, KEY);
}
