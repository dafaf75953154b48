/** What checks of extensions share: data about a room, what users do that makes some, and answers up to a fence. */
import type { SlidingConnection, Synced } from "#harness/clients/sliding-sync/connection";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import type { SlidingResponse } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { at, type JsonObject, listAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import type { Sync } from "./sync.ts";

/** Alice, and bob in a room of hers. */
export interface Company {
  readonly alice: Session;
  readonly bob: Session;
  readonly roomId: string;
}

export async function meet(world: World, options: JsonObject = {}): Promise<Company> {
  const [alice, bob] = await world.users("alice", "bob");
  const roomId = await alice.createRoom({ preset: "public_chat", ...options });
  await bob.join(roomId);
  return { alice, bob, roomId };
}

export function withExtension(
  request: SlidingRequest,
  key: string,
  config: JsonObject = {},
): SlidingRequest {
  const extensions = { ...request.extensions, [key]: { enabled: true, ...config } };
  return { ...request, extensions };
}

/** What an extension says of a room; undefined when nothing. */
export function dataOf({ extensions }: SlidingResponse, key: string, roomId: string): unknown {
  return at(extensions, key, "rooms", roomId);
}

/** Starts typing, for a minute unless given otherwise. */
export async function type(session: Session, roomId: string, timeoutMs = 60_000): Promise<void> {
  await putTyping(session, roomId, { typing: true, timeout: timeoutMs });
}

export async function stopTyping(session: Session, roomId: string): Promise<void> {
  await putTyping(session, roomId, { typing: false });
}

async function putTyping(session: Session, roomId: string, body: JsonObject): Promise<void> {
  const target = path`/_matrix/client/v3/rooms/${roomId}/typing/${session.userId}`;
  ok(await session.put(target, body));
}

/** Who types in a room, sorted; undefined when the answer does not tell. */
export function typingIn(
  response: SlidingResponse,
  { dialect }: Sync,
  roomId: string,
): readonly unknown[] | undefined {
  const event = dataOf(response, dialect.extensions.typing, roomId);
  return event === undefined ? undefined : [...listAt(event, "content", "user_ids")].sort();
}

/** Sends a receipt, a public one without thread unless given. */
export async function read(
  session: Session,
  roomId: string,
  eventId: string,
  { kind = "m.read", threadId }: { kind?: string; threadId?: string } = {},
): Promise<void> {
  const target = path`/_matrix/client/v3/rooms/${roomId}/receipt/${kind}/${eventId}`;
  ok(await session.post(target, threadId === undefined ? {} : { thread_id: threadId }));
}

/** Goes on until an event has come; returns all answers. What is not among them is not on its way. */
export async function answersUntil(
  connection: SlidingConnection,
  request: SlidingRequest,
  roomId: string,
  eventId: string,
): Promise<readonly Synced[]> {
  const answers: Synced[] = [];
  await connection.until(request, `event ${eventId} in ${roomId}`, (synced) => {
    answers.push(synced);
    const isThere = synced.rooms[roomId]?.timeline?.some(({ event_id }) => event_id === eventId);
    return isThere === true ? true : undefined;
  });
  return answers;
}
