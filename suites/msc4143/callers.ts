/**
 * What checks of client libraries in calls share: devices that matrix-js-sdk drives, what others send them, and verdicts that
 * name the library. Members are written so that its schema (of spring 2026) and the newest text both take them.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type CallOptions, JsSdkCall } from "#harness/clients/rtc/js-sdk-call";
import { LEGACY_MEMBER, MEMBER, SLOT } from "#harness/clients/rtc/names";
import { CheckFailure } from "#harness/errors";
import type { JsonObject, MatrixEvent } from "#harness/match/json";
import type { Mutant } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { type Session, stateBefore, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { type StickOptions, SYNC, stick, stuck } from "./sticky.ts";

/** As matrix-js-sdk spells the call of a room (MSC4196 §Slot event). */
export const SLOT_ID = "m.call#ROOM";
export const OPEN: JsonObject = { status: "open", application: { type: "m.call" } };
export const CLOSED: JsonObject = { status: "closed" };

/** Anybody may join it, and calls in it by either kind of event. */
export const CALL_ROOM = {
  preset: "public_chat",
  power_level_content_override: { events: { [LEGACY_MEMBER]: 0 } },
};

export const ENCRYPTION = {
  type: "m.room.encryption",
  content: { algorithm: "m.megolm.v1.aes-sha2" },
};

/** Bound for checks that start several devices, on a machine that has other things to do. */
export const SLOW = { deadlineMs: 120_000 };

/** Bound for what a client sends of itself in a call, as it is seen by others. */
export const SENT_MS = 30_000;

/** Of those who are to stay in a call, however busy the machine is. */
export const STEADY = { delayedLeaveEventDelayMs: 120_000 };

const SYNCS = { method: "GET", path: SYNC };

/** A client that is told something else in its syncs. */
export function hears(name: string, ...replace: readonly (readonly [string, string])[]): Mutant {
  return altersAnswer(name, SYNCS, { replace });
}

/** A client to which all events stick longer, or shorter. */
export function sticksFor(name: string, durationMs: number): Mutant {
  const sections = ["msc4354_sticky", "timeline"].map((each) => `/rooms/join/*/${each}/events/*`);
  const set = sections.flatMap((events) => [
    [`${events}/msc4354_sticky`, { duration_ms: durationMs }],
    [`${events}/unsigned/msc4354_sticky_duration_ttl_ms`, durationMs],
  ]);
  return altersAnswer(name, SYNCS, { set: Object.fromEntries(set) });
}

/** Devices in calls, which leave and end with the check. */
export class Callers implements AsyncDisposable {
  readonly #calls: JsSdkCall[] = [];

  async start(session: Session, options: CallOptions = {}): Promise<JsSdkCall> {
    const call = await JsSdkCall.start(session, options);
    this.#calls.push(call);
    return call;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#calls.map((call) => call[Symbol.asyncDispose]()));
  }
}

/** Runs the body; what fails in it is the library's, by name. */
export async function inCalls(body: (callers: Callers) => Promise<void>): Promise<void> {
  await using callers = new Callers();
  try {
    await body(callers);
  } catch (error) {
    if (!(error instanceof CheckFailure)) throw error;
    const expected = `${error.expected}, by the client library ${library()}`;
    throw new CheckFailure(expected, error.actual, error.exchange);
  }
}

function library(): string {
  const file = createRequire(import.meta.url).resolve("matrix-js-sdk/package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return `matrix-js-sdk ${version}`;
}

/** As in `share`, of one server, with a slot that is open. */
export interface Scene {
  readonly alice: Session;
  readonly bob: Session;
  readonly roomId: string;
}

export async function scene(world: World, room: JsonObject = CALL_ROOM): Promise<Scene> {
  const [alice, bob] = await world.users("alice", "bob");
  const roomId = await alice.createRoom(room);
  await bob.join(roomId);
  await alice.setState(roomId, SLOT, OPEN, SLOT_ID);
  return { alice, bob, roomId };
}

/** Content of a member's event, by whom and under which id. */
export function memberOf(
  { userId, deviceId }: Pick<Session, "userId" | "deviceId">,
  memberId: string,
  more: JsonObject = {},
): JsonObject {
  return {
    slot_id: SLOT_ID,
    application: { type: "m.call" },
    member: { id: memberId, membership: "join", user_id: userId, device_id: deviceId },
    transports: { published: [{ type: "livekit", url: "ws://sfu-a" }], can_subscribe: ["livekit"] },
    versions: [],
    msc4354_sticky_key: memberId,
    ...more,
  };
}

/** Sends a member's event that sticks; returns its id. */
export function enterCall(
  session: Session,
  roomId: string,
  memberId: string,
  { content = {}, ...options }: StickOptions = {},
): Promise<string> {
  const member = memberOf(session, memberId, content);
  return stick(session, roomId, { type: MEMBER, ...options, content: member });
}

/** Sends the event by which a member leaves, as the newest text has it. */
export function leaveCall(
  session: Session,
  roomId: string,
  memberId: string,
  more: JsonObject = {},
): Promise<string> {
  const content = {
    slot_id: SLOT_ID,
    member: { id: memberId, membership: "leave" },
    msc4354_sticky_key: memberId,
    ...more,
  };
  return stick(session, roomId, { type: MEMBER, content });
}

/** Who is in the call of the room comes to be these, by member id. */
export async function expectInCall(
  world: World,
  call: JsSdkCall,
  roomId: string,
  memberIds: readonly string[],
  what = "who is in the call",
): Promise<void> {
  await world.eventually(async () => {
    const roster = await call.roster(roomId);
    const ids = roster.map(({ memberId }) => memberId).toSorted();
    expectEqual(ids, memberIds.toSorted(), what);
  });
}

/** A device of alice's that is in the call, and one of bob's that sees it there. */
export async function joined(
  world: World,
  callers: Callers,
  { alice, bob, roomId }: Scene,
  library: JsonObject,
  by: "sticky" | "state" = "sticky",
) {
  const [call, observer] = await Promise.all([alice, bob].map((each) => callers.start(each)));
  if (call === undefined || observer === undefined) throw new Error("no device");
  const given = await call.join(roomId, { by, library });
  const memberId = by === "sticky" ? given : `${alice.userId}:${alice.deviceId}`;
  await expectInCall(world, observer, roomId, [memberId]);
  return { call, observer, memberId };
}

/** The next event of a member in a call, by a sync of somebody else. */
export async function nextMember(
  session: Session,
  roomId: string,
  since: string | undefined,
  is: "join" | "leave",
): Promise<MatrixEvent> {
  const { found } = await session.syncUntil(
    since,
    `a ${is} of the call`,
    (body) =>
      [...stuck(body, roomId), ...timeline(body, roomId), ...stateBefore(body, roomId)].find(
        ({ type, content }) =>
          type === MEMBER && (content.application === undefined) === (is === "leave"),
      ),
    { deadlineMs: SENT_MS },
  );
  return found;
}
