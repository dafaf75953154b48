/** Comparison of what a client has folded with what a fresh connection is told. */
import type { Dialect } from "#harness/clients/sliding-sync/dialect";
import type {
  RoomResult,
  SlidingResponse,
  SyncEvent,
} from "#harness/clients/sliding-sync/response";
import type { RoomView, View } from "#harness/clients/sliding-sync/view";
import { membershipIn } from "#harness/clients/sliding-sync/view";
import { expectEqual, expectThat } from "#harness/world/expect";
import { stateIdsOf, timelineOf } from "../results.ts";
import type { Scene } from "./story.ts";

/**
 * Rooms that the fresh view has are the same in the folded one, and those that it has no more are known to be gone.
 *
 * @throws CheckFailure
 */
export function expectSameView(
  folded: View,
  fresh: View,
  dialect: Dialect,
  { reader: { userId }, forgotten }: Scene,
): void {
  for (const [roomId, expected] of fresh.rooms) {
    const room = folded.room(roomId);
    expectThat(
      room !== undefined,
      `${roomId} in the view, as a fresh connection has it`,
      "nothing",
    );
    if (membershipIn(expected, userId) !== "join") continue;
    const isNamed = dialect.name === "stable" || typeof expected.name === "string";
    const parts = (view: RoomView) => ({
      ...(isNamed ? { name: view.name } : {}),
      ...(dialect.name === "stable" ? { isDm: view.isDm } : {}),
      ...shown(view),
    });
    expectEqual(parts(room), parts(expected), `the view of ${roomId}`);
  }
  for (const [roomId, room] of folded.rooms) {
    // Of a room that was forgotten at once a connection may hear no more (MSC4186.member.leave-forget-between).
    if (fresh.rooms.has(roomId) || forgotten.has(roomId)) continue;
    const membership = membershipIn(room, userId);
    expectThat(
      membership !== "join",
      `${roomId}, which was left, not to be joined still`,
      membership,
    );
  }
}

/** What both connections agree on in either dialect; the unstable one can not tell that a name or a DM is no more. */
function shown(room: RoomView): Record<string, unknown> {
  return {
    joinedCount: room.joinedCount,
    invitedCount: room.invitedCount,
    topic: room.state.get("m.room.topic|")?.event_id,
    newest: room.timeline.at(-1)?.at(-1)?.event_id,
  };
}

/**
 * Each run of a timeline has every event that happened between its first and its last.
 *
 * @param truth events of the room, oldest first
 * @throws CheckFailure
 */
export function expectNoHole(
  roomId: string,
  { timeline }: RoomView,
  truth: readonly SyncEvent[],
): void {
  const order = truth.map(({ event_id }) => event_id);
  for (const segment of timeline) {
    const ids = segment.map(({ event_id }) => event_id);
    const from = order.indexOf(ids[0] ?? "");
    if (from < 0) continue;
    const expected = order.slice(from, order.indexOf(ids.at(-1) ?? "") + 1);
    expectEqual(ids, expected, `the timeline of ${roomId} where no gap was told`);
  }
}

/**
 * Two connections that ask for the same at the same point get the same, but for their positions and tokens.
 *
 * @param whose completes "expected the answer … to be"
 * @throws CheckFailure
 */
export function expectSameAnswer(
  actual: SlidingResponse,
  expected: SlidingResponse,
  whose: string,
): void {
  expectEqual(essenceOf(actual), essenceOf(expected), `the answer ${whose}`);
}

function essenceOf({ counts, rooms }: SlidingResponse): Record<string, unknown> {
  const entries = Object.entries(rooms).map(([id, room]) => [id, essenceOfRoom(room)] as const);
  return { counts, rooms: Object.fromEntries(entries) };
}

function essenceOfRoom(room: RoomResult): Record<string, unknown> {
  return {
    initial: room.initial ?? false,
    limited: room.limited ?? false,
    name: room.name,
    joinedCount: room.joined_count,
    timeline: timelineOf(room),
    state: stateIdsOf(room),
    stripped: room.stripped_state?.length,
  };
}
