/** Events of one room version as another would have them, for comparing rules: ids stay as they are, and decide ties. */
import { AuthEvent, domainOf } from "#protocol/auth/auth-event";
import { isObject, type JsonObject, type RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";

/**
 * The room id, citations of the create event, and the levels of creators follow the version; nothing else changes.
 */
export function recast(
  events: readonly RoomEvent[],
  from: RoomVersion,
  to: RoomVersion,
): readonly RoomEvent[] {
  const create = events.find(({ type, stateKey }) => type === "m.room.create" && stateKey === "");
  if (from.id === to.id || create === undefined) return events;
  const { sender } = create;
  const roomId = to.isRoomIdHash
    ? `!${create.id.slice(1)}`
    : from.isRoomIdHash
      ? `${create.roomId}:${domainOf(sender)}`
      : create.roomId;
  const content: JsonObject = {
    ...create.content,
    room_version: to.id,
    ...(to.hasImplicitCreator ? {} : { creator: sender }),
  };
  const { creators } = new AuthEvent({ ...create, content }, to);
  return events.map((event): RoomEvent => {
    if (event === create) return { ...event, roomId, content };
    const cited = event.authEvents.filter((id) => id !== create.id);
    return {
      ...event,
      roomId,
      content: isLevels(event) ? levelsIn(event.content, from, to, creators) : event.content,
      authEvents: to.isRoomIdHash
        ? cited
        : from.isRoomIdHash
          ? [create.id, ...cited]
          : event.authEvents,
    };
  });
}

function isLevels({ type, stateKey }: RoomEvent): boolean {
  return type === "m.room.power_levels" && stateKey === "";
}

/** Creators stand in no levels where they are above all, and have 100 where they are not. */
function levelsIn(
  content: JsonObject,
  from: RoomVersion,
  to: RoomVersion,
  creators: ReadonlySet<string>,
): JsonObject {
  if (from.hasPrivilegedCreators === to.hasPrivilegedCreators) return content;
  const users = Object.entries(isObject(content.users) ? content.users : {}).filter(
    ([user]) => !creators.has(user),
  );
  const named = to.hasPrivilegedCreators ? [] : [...creators].map((user) => [user, 100] as const);
  return { ...content, users: Object.fromEntries([...named, ...users]) };
}
