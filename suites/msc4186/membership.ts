/** What results tell of the user's own membership, and what nobody outside a room may learn. */
import type { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import type { RoomResult } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { LATER } from "./rooms.ts";
import { answers } from "./sync.ts";

/** Everything that a client may be told of a room. */
export const EVERYTHING = allRooms({
  timelineLimit: 10,
  requiredState: { include: [{}] },
});

/** A server that does not tell what happened to a membership. */
export const KEEPS_SECRET = answers("keeps it secret", { remove: ["/rooms"] }, LATER);

interface Member {
  readonly type: string;
  readonly state_key?: string | undefined;
  readonly sender?: unknown;
  readonly content?: unknown;
}

/** Member events of the user, wherever a result has them. */
export function ownMembers(room: RoomResult, userId: string): readonly Member[] {
  const { timeline = [], required_state: state = [], stripped_state: stripped = [] } = room;
  const events: readonly Member[] = [...timeline, ...state, ...stripped];
  return events.filter((event) => isMemberOf(event, userId));
}

export function isMemberOf({ type, state_key: target }: Member, userId: string): boolean {
  return type === "m.room.member" && target === userId;
}

function membershipOf({ content }: Member): unknown {
  return typeof content === "object" && content !== null && "membership" in content
    ? content.membership
    : undefined;
}

export function shows(room: RoomResult, userId: string, membership: string): boolean {
  return (
    room.membership === membership ||
    ownMembers(room, userId).some((event) => membershipOf(event) === membership)
  );
}

/** The memberships that the own member events of a result tell, and its own at the end. */
export function membershipsIn(room: RoomResult, userId: string): readonly unknown[] {
  const told = ownMembers(room, userId).map(membershipOf);
  return room.membership === undefined ? told : [...told, room.membership];
}

/** Goes on until a room's result shows the own membership, and returns that result. */
export function untilMembership(
  connection: SlidingConnection,
  request: SlidingRequest,
  roomId: string,
  membership: string,
): Promise<RoomResult> {
  const { userId } = connection.session;
  return connection.until(request, `own membership ${membership} in ${roomId}`, ({ rooms }) => {
    const room = rooms[roomId];
    return room !== undefined && shows(room, userId, membership) ? room : undefined;
  });
}

/** A later event in a room of the user's own: what did not come until then does not come. */
export async function fence(
  connection: SlidingConnection,
  request: SlidingRequest,
  ownRoomId: string,
  roomId: string,
): Promise<readonly RoomResult[]> {
  const last = await connection.session.send(ownRoomId, "fence");
  const results: RoomResult[] = [];
  await connection.until(request, `event ${last}`, ({ rooms }) => {
    const room = rooms[roomId];
    if (room !== undefined) results.push(room);
    const isThere = rooms[ownRoomId]?.timeline?.some(({ event_id }) => event_id === last);
    return isThere === true ? true : undefined;
  });
  return results;
}

/** The room is neither among the rooms of a fresh connection, nor counted. */
export async function expectAbsent(
  connection: SlidingConnection,
  request: SlidingRequest,
  roomId: string,
  count: number,
): Promise<void> {
  const { rooms, counts, http } = await connection.initial(request);
  expectThat(rooms[roomId] === undefined, "nothing of the room", rooms[roomId], http);
  expectEqual(counts, { all: count }, "the counts of a fresh connection", http);
}

/** No event of the room but those of the own membership, and no numbers or names. */
export function expectNothingOf(room: RoomResult, userId: string): void {
  const { timeline = [], required_state: state = [], heroes = [] } = room;
  const others = [...timeline, ...state].filter((event) => !isMemberOf(event, userId));
  expectEqual(others, [], "events of the room besides the own membership");
  expectEqual(heroes, [], "the heroes");
}

/** A room of the user's own with something in it, for fences. */
export async function ownRoom(session: Session): Promise<string> {
  return await session.createRoom({ name: "own" });
}

export async function knock(session: Session, roomId: string): Promise<void> {
  ok(await session.post(path`/_matrix/client/v3/knock/${roomId}`));
}

export async function forget(session: Session, roomId: string): Promise<void> {
  ok(await session.post(path`/_matrix/client/v3/rooms/${roomId}/forget`));
}

export async function ignore(session: Session, ...users: readonly Session[]): Promise<void> {
  const target = path`/_matrix/client/v3/user/${session.userId}/account_data/m.ignored_user_list`;
  const ignored = Object.fromEntries(users.map(({ userId }) => [userId, {}]));
  ok(await session.put(target, { ignored_users: ignored }));
}

export async function unban(session: Session, roomId: string, user: Session): Promise<void> {
  const target = path`/_matrix/client/v3/rooms/${roomId}/unban`;
  ok(await session.post(target, { user_id: user.userId }));
}
