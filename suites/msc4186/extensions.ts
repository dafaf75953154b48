/** What checks of extensions share: data about a room, what users do that makes some, and answers up to a fence. */
import type { SlidingConnection, Synced } from "#harness/clients/sliding-sync/connection";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import type { SlidingResponse } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { at, type JsonObject, listAt } from "#harness/match/json";
import { expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import type { Sync } from "./sync.ts";

const POLL_MS = 20_000;
/** How long a long-poll may take to end once there is something. */
const WAKE_MS = 5_000;
/** After which a request is waiting at the server. */
const SETTLED_MS = 500;

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

/** Starts typing, for half a minute unless given otherwise. */
export async function type(session: Session, roomId: string, timeoutMs = 30_000): Promise<void> {
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

/** Lets a request wait at the server, acts, and expects that this ends the waiting. Returns the answer. */
export async function wakes(
  world: World,
  connection: SlidingConnection,
  request: SlidingRequest,
  act: () => Promise<unknown>,
): Promise<Synced> {
  const scale = connection.session.context.timeoutScale;
  await connection.drain(request);
  const poll = connection.send(request, { timeoutMs: POLL_MS * scale });
  let answeredAt: number | undefined;
  const answered = poll.then((response) => {
    answeredAt = performance.now();
    return response;
  });
  await world.quietPeriod(SETTLED_MS);
  expectThat(answeredAt === undefined, "no answer before anything happened", "an answer");
  const actedAt = performance.now();
  await act();
  const response = await answered;
  const tookMs = Math.round((answeredAt ?? Number.POSITIVE_INFINITY) - actedAt);
  const expected = `an answer within ${WAKE_MS * scale} ms of what happened`;
  expectThat(tookMs <= WAKE_MS * scale, expected, `${tookMs} ms`, response);
  return connection.process(request, response);
}
