/** What checks of delayed events share: a room, events that can be told apart, and what became of them. */
import {
  DEDICATED_FORMS,
  DELAYED_EVENTS_FLAG,
  type DelayedEvent,
  DelayedEvents,
  OLDER,
} from "#harness/clients/rtc/delayed-events";
import { HarnessError } from "#harness/errors";
import { type HttpResponse, path } from "#harness/http/client";
import {
  at,
  eventsAt,
  isObject,
  type JsonObject,
  type MatrixEvent,
  numberAt,
} from "#harness/match/json";
import { expectEqual, ok } from "#harness/world/expect";
import { type Session, stateBefore, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";

export const VERSIONS = "/_matrix/client/versions";
/** Of events that checks schedule. */
export const TYPE = "org.example.delayed";
/** Servers may add so much to a delay (MSC4140 §Scheduling a delayed event). */
export const BATCH_MS = 30_000;
/** For an entry that is not to come due while a check looks. */
export const FAR_MS = 3_600_000;
/** Bound for checks that wait for an event which a server may send that late. */
export const PATIENT = { deadlineMs: 90_000 };

/** The form that the server serves, the newest there is; the verdict says which. */
export function delayedEvents(world: World): DelayedEvents {
  const form = DEDICATED_FORMS.find(({ feature }) => world.has(feature)) ?? OLDER;
  world.note(`scheduled by ${form.name}`);
  return new DelayedEvents(form);
}

export interface Scene {
  readonly delayed: DelayedEvents;
  readonly alice: Session;
  /** Of alice, who is its only member unless others join: anybody may. */
  readonly roomId: string;
}

export async function scene(world: World): Promise<Scene> {
  const alice = await world.user("alice");
  const roomId = await alice.createRoom({ preset: "public_chat" });
  return { delayed: delayedEvents(world), alice, roomId };
}

/** @param mark by which it is found, and which is new */
export function message(mark: string, delayMs: number): DelayedEvent {
  return { type: TYPE, content: { mark }, delayMs };
}

export function state(mark: string, delayMs: number, stateKey = "key"): DelayedEvent {
  return { ...message(mark, delayMs), stateKey };
}

/** The delayed events that a user sees in a room's newest history, oldest first. */
export async function sentIn(session: Session, roomId: string): Promise<readonly MatrixEvent[]> {
  const query = { dir: "b", limit: 200 };
  const response = await session.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, query);
  return eventsAt(ok(response), "chunk").filter(hasMark).toReversed();
}

/** Their marks. */
export async function marksIn(session: Session, roomId: string): Promise<readonly unknown[]> {
  return (await sentIn(session, roomId)).map(({ content }) => content.mark);
}

function hasMark({ content }: MatrixEvent): boolean {
  return content.mark !== undefined;
}

const EVERYTHING = { room: { timeline: { limit: 200 } } };

/** Waits until somebody's syncs bring the marked event. */
export async function untilSent(
  session: Session,
  roomId: string,
  mark: string,
  deadlineMs = BATCH_MS + 10_000,
): Promise<MatrixEvent> {
  const { found } = await session.syncUntil(
    undefined,
    `the delayed event ${mark}`,
    (body) =>
      [...timeline(body, roomId), ...stateBefore(body, roomId)].find(
        ({ content }) => content.mark === mark,
      ),
    { filter: EVERYTHING, deadlineMs },
  );
  return found;
}

/**
 * Waits until a later delayed event of the same user has been sent into another room, and then expects the room's delayed
 * events to be these. What is absent by then has been left out, and is not merely late.
 *
 * @param dueMs when the last of those that are absent would have been due, from now
 */
export async function expectMarksOnceOvertaken(
  world: World,
  { delayed, alice, roomId }: Scene,
  dueMs: number,
  marks: readonly string[],
  reader = alice,
): Promise<void> {
  const other = await alice.createRoom();
  const witness = world.name("witness");
  await delayed.scheduled(alice, other, message(witness, Math.max(0, dueMs) + 300));
  await untilSent(alice, other, witness, Math.max(0, dueMs) + BATCH_MS + 10_000);
  expectEqual(await marksIn(reader, roomId), marks, "the delayed events that were sent");
}

/** A look-up of a delayed event that is still to be sent. */
export function expectScheduled(response: HttpResponse): void {
  expectEqual(ok(response).finalised, undefined, "finalised of a scheduled event", response);
}

/** When the server is going to send a delayed event, by its own clock. */
export async function dueTime(
  { delayed, alice }: Pick<Scene, "delayed" | "alice">,
  id: string,
): Promise<number> {
  const body = ok(await delayed.lookUp(alice, id));
  return numberAt(body, "delayed_since_ts") + numberAt(body, "delay_ms");
}

/** The server's clock, by an event of this moment. */
export async function serverTime(session: Session, roomId: string): Promise<number> {
  const eventId = await session.send(roomId, {}, "org.example.clock");
  return (await session.event(roomId, eventId)).origin_server_ts;
}

/**
 * What was to be done before an event came due has been done in time. Otherwise this machine is at fault, and no verdict can
 * be given.
 *
 * @param from of `performance.now()`, before the request that set the time
 * @throws HarnessError DEADLINE
 */
export function expectInTime(from: number, dueMs: number, what: string): void {
  const tookMs = Math.round(performance.now() - from);
  if (tookMs < dueMs) return;
  throw new HarnessError("DEADLINE", {
    what: `${what} took ${tookMs} ms, and the event was due after ${dueMs} ms`,
    next: "the machine has too much to do: give it less at a time",
  });
}

export interface Limits {
  readonly maxDelayMs: unknown;
  readonly maxScheduled: unknown;
}

/** What the capability says; undefined: there is none. */
export async function limitsOf(session: Session): Promise<Limits | undefined> {
  const body = ok(await session.get("/_matrix/client/v3/capabilities"));
  const capability = ["m.delayed_events", `${DELAYED_EVENTS_FLAG}.delayed_events`]
    .map((name) => at(body, "capabilities", name))
    .find(isObject);
  if (capability === undefined) return undefined;
  return { maxDelayMs: capability.max_delay_ms, maxScheduled: capability.max_scheduled };
}

/** Flags of unstable features that are on. */
export async function flagsOf(session: Session): Promise<ReadonlySet<string>> {
  const features = at(ok(await session.get(VERSIONS)), "unstable_features");
  const entries = Object.entries(isObject(features) ? features : ({} as JsonObject));
  return new Set(entries.flatMap(([flag, isOn]) => (isOn === true ? [flag] : [])));
}
