import { type HttpResponse, path, type Query } from "#harness/http/client";
import { at, eventsAt, isObject, type JsonObject, type MatrixEvent } from "#harness/match/json";
import { fail, ok } from "#harness/world/expect";
import type { ServerClient, Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

/** Path pattern of a room, for rules. */
export const ROOM = "/_matrix/client/v3/rooms/*";
const PAGES_AT_MOST = 60;

/** The id of a room that does not exist. */
export function unknownRoom(world: World): string {
  return `!${world.name("unknown")}:${world.server().serverName}`;
}

/** Replaces the power levels by what `change` makes of them; returns the answer. */
export async function putLevels(
  session: Session,
  roomId: string,
  change: (levels: JsonObject) => JsonObject,
): Promise<HttpResponse> {
  const levels = (await session.state(roomId, "m.room.power_levels")) ?? {};
  return session.put(
    path`/_matrix/client/v3/rooms/${roomId}/state/m.room.power_levels/`,
    change(levels),
  );
}

/** Replaces some keys of the power levels, which has to succeed. */
export async function setLevels(admin: Session, roomId: string, keys: JsonObject): Promise<void> {
  ok(await putLevels(admin, roomId, (levels) => ({ ...levels, ...keys })));
}

/** An object at a key of power levels, for extending it. */
export function part(levels: JsonObject | undefined, key: "users" | "events"): JsonObject {
  const found = at(levels, key);
  return isObject(found) ? found : {};
}

export interface Walk {
  /** In the order of the answers. */
  readonly events: readonly MatrixEvent[];
  readonly ends: readonly (string | undefined)[];
}

/** All pages of GET /messages, until `end` is absent or, forwards, the page is empty. @throws CheckFailure when that does not happen. */
export async function walkMessages(
  session: ServerClient,
  roomId: string,
  query: Query & { readonly dir: "b" | "f" },
): Promise<Walk> {
  const events: MatrixEvent[] = [];
  const ends: (string | undefined)[] = [];
  let from = query.from;
  for (;;) {
    const response = await session.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, {
      limit: 50,
      ...query,
      from,
    });
    const chunk = eventsAt(ok(response), "chunk");
    const end = at(response.json, "end");
    events.push(...chunk);
    ends.push(typeof end === "string" ? end : undefined);
    if (typeof end !== "string" || (query.dir === "f" && chunk.length === 0))
      return { events, ends };
    if (ends.length >= PAGES_AT_MOST)
      fail("the walk through /messages to end", `${ends.length} pages and still an end`, response);
    from = end;
  }
}

export function ids(events: readonly MatrixEvent[]): readonly string[] {
  return events.map(({ event_id }) => event_id);
}

/** The bodies of text messages, in order. */
export function texts(events: readonly MatrixEvent[]): readonly unknown[] {
  return events.filter(({ type }) => type === "m.room.message").map(({ content }) => content.body);
}

/** Ephemeral events of a joined room in a /sync body; typing and receipts have type and content only. */
export function ephemeral(body: JsonObject, roomId: string, type: string): readonly JsonObject[] {
  return eventsAt(body, "rooms", "join", roomId, "ephemeral", "events").filter(
    (event) => event.type === type,
  );
}

/** A user's receipt in a /sync body. */
export function receipt(
  body: JsonObject,
  roomId: string,
  eventId: string,
  type: string,
  userId: string,
): JsonObject | undefined {
  for (const event of ephemeral(body, roomId, "m.receipt")) {
    const found = at(event, "content", eventId, type, userId);
    if (isObject(found)) return found;
  }
  return undefined;
}

/** Every (event, type, user) of the receipts in a /sync body. */
export function receipts(
  body: JsonObject,
  roomId: string,
): readonly { eventId: string; type: string; userId: string }[] {
  const entries = (value: unknown) => Object.entries(isObject(value) ? value : {});
  return ephemeral(body, roomId, "m.receipt").flatMap(({ content }) =>
    entries(content).flatMap(([eventId, types]) =>
      entries(types).flatMap(([type, users]) =>
        entries(users).map(([userId]) => ({ eventId, type, userId })),
      ),
    ),
  );
}
