/** What checks about power levels share: the levels of a room as the peer has them, and their changes. */
import type { Meeting } from "#harness/peer/meeting";
import type { PeerRoom } from "#harness/peer/room";
import { expectEqual } from "#harness/world/expect";
import type { JsonObject } from "#protocol/events/event";

export const LEVELS = "m.room.power_levels";
/** Where clients read them. */
export const READ_LEVELS = {
  method: "GET",
  path: `/_matrix/client/v3/rooms/*/state/${LEVELS}/**`,
};

export function levelsOf(room: PeerRoom): JsonObject {
  return room.stateEvent(LEVELS)?.content ?? {};
}

export function mapAt(levels: JsonObject, key: "users" | "events" | "notifications"): JsonObject {
  return (levels[key] ?? {}) as JsonObject;
}

/** The room's levels with other keys, and with more users and events than before. */
export function levelsWith(
  room: PeerRoom,
  { users = {}, events = {}, ...keys }: JsonObject & { users?: JsonObject; events?: JsonObject },
): JsonObject {
  const levels = levelsOf(room);
  return {
    ...levels,
    ...keys,
    users: { ...mapAt(levels, "users"), ...users },
    events: { ...mapAt(levels, "events"), ...events },
  };
}

export function powerLevels(sender: string, content: JsonObject) {
  return { type: LEVELS, stateKey: "", sender, content };
}

/** The founder sets the room's levels; returns when the peer knows. */
export async function setLevels({ alice, peer, room }: Meeting, content: JsonObject) {
  const id = await alice.setState(room.roomId, LEVELS, content);
  await peer.waitForPdu(room, "the power levels", (pdu) => pdu.id === id);
}

/** What clients see are these levels. */
export async function expectLevels({ alice, room }: Meeting, levels: JsonObject): Promise<void> {
  const content = await alice.state(room.roomId, LEVELS);
  expectEqual(content, levels, `the power levels in version ${room.version.id}`);
}
