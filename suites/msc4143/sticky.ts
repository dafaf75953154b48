/** What checks of sticky events share (MSC4354): sending them, where they arrive, and answers that break a rule. */
import { STICKY, STICKY_DURATION } from "#harness/clients/rtc/names";
import { type HttpResponse, path, type Query } from "#harness/http/client";
import { at, eventsAt, type JsonObject, type MatrixEvent, textAt } from "#harness/match/json";
import type { Draft } from "#harness/peer/room";
import type { Mutant } from "#harness/world/check";
import { ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { type Account, type Session, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";

export const TYPE = "org.matrix-crucible.sticky";
export const SYNC = "/_matrix/client/v3/sync";
export const SECTION = `/rooms/join/*/${STICKY}`;
export const LONG_MS = 600_000;
export const HOUR_MS = 3_600_000;

/** A filter that shows the last event of each room. */
export const LAST_ONLY: JsonObject = { room: { timeline: { limit: 1 } } };
const SYNCS_AT_MOST = 20;

export interface StickOptions {
  /** Ten minutes unless given; what is no number is for what is to be refused. */
  readonly durationMs?: Query[string];
  readonly type?: string;
  readonly content?: JsonObject;
  readonly query?: Query;
}

/** Sends an event that is to stick; any answer, for what is under test. */
export function trySticking(
  session: Session,
  roomId: string,
  { durationMs = LONG_MS, type = TYPE, content = {}, query = {} }: StickOptions = {},
): Promise<HttpResponse> {
  const target = path`/_matrix/client/v3/rooms/${roomId}/send/${type}/${session.context.nextName("txn")}`;
  return session.put(target, content, { [STICKY_DURATION]: durationMs, ...query });
}

/** Sends an event that sticks; returns its id. */
export async function stick(
  session: Session,
  roomId: string,
  options: StickOptions = {},
): Promise<string> {
  return textAt(ok(await trySticking(session, roomId, options)), "event_id");
}

/** Sends so many at a time. */
const AT_A_TIME = 10;

/** Sends so many events that stick, in an order of the server's own; returns their ids. */
export async function stickMany(
  session: Session,
  roomId: string,
  count: number,
): Promise<readonly string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const length = Math.min(AT_A_TIME, count - ids.length);
    ids.push(...(await Promise.all(Array.from({ length }, () => stick(session, roomId)))));
  }
  return ids;
}

export interface Pair {
  readonly alice: Session;
  readonly bob: Session;
  readonly roomId: string;
}

/** A room of alice in which bob is. */
export async function pair(world: World): Promise<Pair> {
  const [alice, bob] = await world.users("alice", "bob");
  const roomId = await alice.createRoom({ preset: "public_chat" });
  await bob.join(roomId);
  return { alice, bob, roomId };
}

/** Sends so many messages. */
export async function chat(session: Session, roomId: string, count: number): Promise<string> {
  let last = "";
  for (let index = 0; index < count; index++) last = await session.send(roomId, `later ${index}`);
  return last;
}

/** What sticks in a room by a /sync body: the events of the section that is not the timeline. */
export function stuck(body: JsonObject, roomId: string): readonly MatrixEvent[] {
  return eventsAt(body, "rooms", "join", roomId, STICKY, "events");
}

export function idsOf(events: readonly MatrixEvent[]): readonly string[] {
  return events.map(({ event_id }) => event_id);
}

/** What a client gets that syncs on without waiting, at most so often, until an answer has nothing new of the room. */
export interface Gathered {
  readonly bodies: readonly JsonObject[];
  readonly since: string;
}

export async function gather(
  session: Session,
  roomId: string,
  { since, filter = LAST_ONLY }: { since?: string | undefined; filter?: JsonObject } = {},
): Promise<Gathered> {
  const bodies: JsonObject[] = [];
  let token = since;
  for (;;) {
    const body = await session.sync({ since: token, filter });
    bodies.push(body);
    token = body.next_batch;
    const isNews = [...stuck(body, roomId), ...timeline(body, roomId)].length > 0;
    if (!isNews || bodies.length === SYNCS_AT_MOST) return { bodies, since: token };
  }
}

/** Ids of a room's sticky section in these answers, in order, each as often as it is there. */
export function stuckIn({ bodies }: Pick<Gathered, "bodies">, roomId: string): readonly string[] {
  return bodies.flatMap((body) => idsOf(stuck(body, roomId)));
}

/** Syncs on until these events have stuck in the sticky section; returns the answers up to there. */
export async function untilStuck(
  session: Session,
  since: string | undefined,
  roomId: string,
  ids: readonly string[],
  options: { deadlineMs?: number; filter?: JsonObject } = {},
): Promise<{ readonly since: string; readonly events: readonly MatrixEvent[] }> {
  const seen = new Map<string, MatrixEvent>();
  const outside = new Set<string>();
  const { since: token } = await session.syncUntil(
    since,
    `the sticky events ${ids.join(", ")}`,
    (body) => {
      for (const event of stuck(body, roomId)) seen.set(event.event_id, event);
      for (const { event_id } of timeline(body, roomId)) outside.add(event_id);
      return ids.every((id) => seen.has(id)) ? true : undefined;
    },
    {
      filter: LAST_ONLY,
      ...options,
      instead: () =>
        `in the sticky section ${[...seen.keys()].join(", ") || "nothing"}, in the timeline ${[...outside].join(", ")}`,
    },
  );
  return { since: token, events: ids.flatMap((id) => seen.get(id) ?? []) };
}

/** Has a session's user ignore another one, and waits until the server tells so. */
export async function ignore(session: Session, other: Account): Promise<void> {
  const list = path`/_matrix/client/v3/user/${session.userId}/account_data/m.ignored_user_list`;
  ok(await session.put(list, { ignored_users: { [other.userId]: {} } }));
  await session.syncUntil(undefined, "the list of ignored users", (body) =>
    eventsAt(body, "account_data", "events").some(
      ({ type, content }) =>
        type === "m.ignored_user_list" && at(content, "ignored_users", other.userId) !== undefined,
    )
      ? true
      : undefined,
  );
}

/** A sticky event of a peer's user. */
export function sticky(
  sender: string,
  draft: Partial<Draft> & { readonly durationMs?: number; readonly sticky?: unknown } = {},
): Draft {
  const { durationMs = LONG_MS, sticky: given = { duration_ms: durationMs }, ...rest } = draft;
  return {
    type: TYPE,
    sender,
    content: {},
    beforeHash: (event) => ({ ...event, [STICKY]: given as never }),
    ...rest,
  };
}

/** A server that shows nothing of what sticks. */
export const HIDES: Mutant = altersAnswer(
  "has no sticky section",
  { path: SYNC },
  { remove: [SECTION] },
);

/** A server that has one more event in the sticky section of each room. */
export function sticksBesides(name: string, match: object = {}): Mutant {
  const events = [{ type: TYPE, content: {}, event_id: "$besides", sender: "@a:b" }];
  return altersAnswer(name, { path: SYNC, ...match }, { set: { [SECTION]: { events } } });
}
