/** Who is in a session (MSC4143 §Joining a slot), by what a client knows of the room. */
import { at, type JsonObject } from "#harness/match/json";
import { MEMBER_TYPES } from "./names.ts";
import type { StickyValue } from "./sticky-map.ts";

export interface Member {
  readonly userId: string;
  readonly memberId: string;
  /** As the member publishes them; not looked at. */
  readonly transports: unknown;
}

/** What of the room's state decides. */
export interface RoomFacts {
  /** Content of the slot's state event, undefined when there is none. */
  readonly slot: JsonObject | undefined;
  readonly isEncrypted: boolean;
  /** True of users whose membership is join. */
  readonly isJoined: (userId: string) => boolean;
}

/** Application of a slot that is open; undefined when it is closed, or counts as closed (MSC4143 §Slot lifecycle). */
export function openFor(slotId: string, { slot, isEncrypted }: RoomFacts): string | undefined {
  const application = at(slot, "application", "type");
  const isOpen =
    at(slot, "status") === "open" &&
    typeof application === "string" &&
    slotId.startsWith(`${application}#`) &&
    (!isEncrypted || typeof at(slot, "encryption", "type") === "string");
  return isOpen ? application : undefined;
}

/** Members of a slot's session, in the order of the values. */
export function membersOf(
  slotId: string,
  values: readonly StickyValue[],
  room: RoomFacts,
): readonly Member[] {
  const application = openFor(slotId, room);
  if (application === undefined) return [];
  return values.flatMap(({ event, stickyKey }) => {
    const { content, sender, type } = event;
    const memberId = at(content, "member", "id");
    const isMember =
      MEMBER_TYPES.includes(type) &&
      memberId === stickyKey &&
      at(content, "member", "membership") === "join" &&
      at(content, "slot_id") === slotId &&
      at(content, "application", "type") === application &&
      room.isJoined(sender);
    // Identity is the sender's: a user that the content names counts for nothing.
    return isMember
      ? [{ userId: sender, memberId: stickyKey, transports: content.transports }]
      : [];
  });
}
