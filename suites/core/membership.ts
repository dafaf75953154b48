/** What checks about membership share: the requests, what a room says of a user, stripped state. */
import { type HttpResponse, path, type Query } from "#harness/http/client";
import { at, isObject, type JsonObject, listAt, type MatrixEvent } from "#harness/match/json";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  ok,
} from "#harness/world/expect";
import {
  type Account,
  room,
  type ServerClient,
  type Session,
  stateBefore,
  timeline,
} from "#harness/world/session";
import type { World } from "#harness/world/world";
import { ROOM, walkMessages } from "./rooms.ts";

/** Path patterns of joining by id or alias, and of the state that tells a membership; for rules. */
export const JOIN = "/_matrix/client/v3/join/*";
export const MEMBER = `${ROOM}/state/m.room.member/*`;
export const JOINED_ROOMS = "/_matrix/client/v3/joined_rooms";

/** Answers that mutants give. */
export const DONE = { status: 200, body: {} };
export const REFUSED = { status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } };
export const BROKEN = { status: 500, body: { errcode: "M_UNKNOWN", error: "broken" } };

type Change = "join" | "invite" | "leave" | "kick" | "ban" | "unban" | "forget";

/** POST /rooms/{roomId}/…, with any answer. */
export function change(
  session: ServerClient,
  roomId: string,
  action: Change,
  body: JsonObject = {},
  query: Query = {},
): Promise<HttpResponse> {
  return session.post(path`/_matrix/client/v3/rooms/${roomId}/${action}`, body, query);
}

/** POST /join/{roomIdOrAlias}, with any answer. */
export function joinBy(
  session: ServerClient,
  roomIdOrAlias: string,
  body: JsonObject = {},
  query: Query = {},
): Promise<HttpResponse> {
  return session.post(path`/_matrix/client/v3/join/${roomIdOrAlias}`, body, query);
}

/** What the room says of the user now; undefined when it has no member event. */
export async function membership(reader: Session, roomId: string, user: Account): Promise<unknown> {
  return (await reader.state(roomId, "m.room.member", user.userId))?.membership;
}

export async function joinedRooms(session: Session): Promise<readonly unknown[]> {
  return listAt(ok(await session.get(JOINED_ROOMS)), "joined_rooms");
}

/** The member events in the room's history that the user has sent, as the reader sees them. */
export async function membersSentBy(
  sender: Account,
  reader: Session,
  roomId: string,
): Promise<readonly MatrixEvent[]> {
  const { events } = await walkMessages(reader, roomId, { dir: "b" });
  return events.filter((event) => event.type === "m.room.member" && event.sender === sender.userId);
}

/** Syncs on until the room, joined or left, shows the user with this membership; returns the event and the token. */
export function untilMember(
  reader: Session,
  since: string,
  roomId: string,
  user: Account,
  expected: string,
  section: "join" | "leave" = "join",
): Promise<{ found: MatrixEvent; since: string; bodies: readonly JsonObject[] }> {
  return reader.syncUntil(since, `${expected} of ${user.userId}`, (body) =>
    [...stateBefore(body, roomId, section), ...timeline(body, roomId, section)].find(
      ({ type, state_key, content }) =>
        type === "m.room.member" && state_key === user.userId && content.membership === expected,
    ),
  );
}

/** Syncs on until the room is in that section; returns its part of the answer and the token. */
export function untilIn(
  session: Session,
  since: string,
  section: "invite" | "knock" | "leave",
  roomId: string,
): Promise<{ found: JsonObject; since: string; bodies: readonly JsonObject[] }> {
  return session.syncUntil(since, `${roomId} under rooms.${section}`, (body) =>
    room(body, section, roomId),
  );
}

/** Ids of the rooms in a section of a /sync body. */
export function roomsUnder(
  body: JsonObject,
  section: "join" | "invite" | "knock" | "leave",
): readonly string[] {
  const rooms = at(body, "rooms", section);
  return isObject(rooms) ? Object.keys(rooms) : [];
}

/** A refusal of a banned user: M_FORBIDDEN, or M_BAD_STATE with a note. */
export function expectBanned(world: World, response: HttpResponse, what: string): void {
  const errcode = expectMatrixError(response, 403, ["M_FORBIDDEN", "M_BAD_STATE"]);
  if (errcode !== "M_FORBIDDEN") world.note(`${what} answers ${errcode}`);
}

/** A refusal in Matrix's form, 403 M_FORBIDDEN or any 404, the latter with a note. */
export function expectForbiddenOrUnknown(world: World, response: HttpResponse, what: string): void {
  const isUnknown = response.status === 404;
  const errcode = expectMatrixError(response, [403, 404], isUnknown ? undefined : "M_FORBIDDEN");
  if (isUnknown) world.note(`${what} answers 404 ${errcode}`);
}

const STRIPPED_KEYS = ["content", "sender", "state_key", "type"];

/**
 * Stripped state has only the four keys, the user's own membership, and m.room.create (since v1.16, before that a missing
 * one is noted).
 */
export function expectStripped(
  world: World,
  events: readonly unknown[],
  own: { readonly user: Account; readonly sender: Account; readonly membership: string },
): void {
  for (const event of events) {
    const keys = isObject(event) ? Object.keys(event).toSorted() : event;
    expectEqual(keys, STRIPPED_KEYS, "the keys of a stripped event");
  }
  const member = stripped(events, "m.room.member", own.user.userId);
  const expected = { sender: own.sender.userId, content: { membership: own.membership } };
  expectContains(member, expected, "the own member event");
  const create = stripped(events, "m.room.create");
  const isOptional = !world.has("v1.16");
  expectThat(create !== undefined || isOptional, "m.room.create in the stripped state", events);
  if (create === undefined) world.note("the stripped state has no m.room.create");
}

/** An event of stripped state. */
export function stripped(events: readonly unknown[], type: string, stateKey = ""): unknown {
  return events.find((event) => at(event, "type") === type && at(event, "state_key") === stateKey);
}
