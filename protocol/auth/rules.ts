/**
 * The authorization rules of room versions 1 to 12 ("Authorization rules" of each room version's page), in the order of
 * the latest. What a version lacks is asked of the table of room versions, not of its number.
 */
import type { RoomEvent } from "#protocol/events/event";
import { ROOM_VERSIONS, type RoomVersion } from "#protocol/rooms/room-version";
import { type AuthEvent, authorisingUser, domainOf } from "./auth-event.ts";
import { CREATOR_LEVEL, level, NAMED_LEVELS, type PowerLevels } from "./levels.ts";
import type { AuthRule, Rejection } from "./rejection.ts";
import { citableState, type Slot } from "./selection.ts";
import { isThirdPartyInviteValid } from "./third-party-invite.ts";

/** The state that decides; what is absent is absent from the room. */
export type AuthState = { readonly [Name in Slot]?: AuthEvent | undefined };

function reject(rule: AuthRule, why: string): Rejection {
  return { rule, why };
}

/** Rules for a create event, which needs no state. */
export function checkCreate(event: RoomEvent, version: RoomVersion): Rejection | undefined {
  const { content, sender, roomId, prevEvents } = event;
  if (prevEvents.length > 0) return reject("create.prev-events", "it has previous events");
  if (!version.isRoomIdHash && domainOf(roomId) !== domainOf(sender)) {
    return reject("create.room-id", `${roomId} is not of the domain of ${sender}`);
  }
  const { room_version: named = "1" } = content;
  if (typeof named !== "string" || !ROOM_VERSIONS.has(named)) {
    return reject("create.version", `room version ${JSON.stringify(named)} is not known`);
  }
  if (!version.hasImplicitCreator && !Object.hasOwn(content, "creator")) {
    return reject("create.creator", "it names no creator");
  }
  const { additional_creators: additional } = content;
  if (version.hasPrivilegedCreators && additional !== undefined && !areUserIds(additional)) {
    return reject("create.additional-creators", "additional_creators is no list of user ids");
  }
  return undefined;
}

/** An event that another one cites, and whether it was refused when it came. */
export interface Cited {
  readonly event: RoomEvent;
  readonly isRejected: boolean;
}

/**
 * The rules about `auth_events`, which do not depend on the state of the room.
 *
 * @param cited by id; undefined for one that is not known
 */
export function checkAuthEvents(
  event: RoomEvent,
  cited: (id: string) => Cited | undefined,
  version: RoomVersion,
): Rejection | undefined {
  if (event.type === "m.room.create") return undefined;
  const allowed = citableState(event, version);
  const seen = new Set<string>();
  let hasCreate = false;
  for (const id of event.authEvents) {
    const found = cited(id);
    if (found === undefined) return reject("auth-events.missing", `${id} is not known`);
    const { type, stateKey, roomId } = found.event;
    if (roomId !== event.roomId) return reject("auth-events.other-room", `${id} is of ${roomId}`);
    const key = JSON.stringify([type, stateKey]);
    if (seen.has(key)) return reject("auth-events.duplicate", `two events for ${key}`);
    seen.add(key);
    const isAllowed = allowed.some((item) => item.type === type && item.stateKey === stateKey);
    if (!isAllowed) return reject("auth-events.unexpected", `${id} for ${key} has no part in it`);
    if (found.isRejected) return reject("auth-events.rejected", `${id} was rejected`);
    hasCreate ||= type === "m.room.create";
  }
  if (!hasCreate && !version.isRoomIdHash) {
    return reject("auth-events.no-create", "the create event is not cited");
  }
  return undefined;
}

/** The rules that depend on the state of the room. Undefined: the event is allowed. */
export function checkState(
  subject: AuthEvent,
  state: AuthState,
  version: RoomVersion,
): Rejection | undefined {
  const { event } = subject;
  if (event.type === "m.room.create") return undefined;
  const { create } = state;
  if (create === undefined) return reject("room.unknown", "the room has no create event");
  if (
    create.event.content["m.federate"] === false &&
    domainOf(create.event.sender) !== domainOf(event.sender)
  ) {
    return reject("federate", `the room is only for ${domainOf(create.event.sender)}`);
  }
  if (version.hasAliasesRule && event.type === "m.room.aliases") {
    if (event.stateKey === domainOf(event.sender)) return undefined;
    return reject("aliases.state-key", `the state key is not ${domainOf(event.sender)}`);
  }
  const room = new Room(create, state, version);
  if (event.type === "m.room.member") return checkMember(subject, room);
  if (room.membershipOf("sender") !== "join") {
    return reject("sender.not-joined", `${event.sender} is not joined`);
  }
  const own = room.levelOf(event.sender);
  if (event.type === "m.room.third_party_invite") {
    const needed = room.named("invite");
    if (own >= needed) return undefined;
    return reject("third-party-invite.level", `${show(own)} of the ${needed} that inviting needs`);
  }
  const needed = room.required(event);
  if (own < needed) {
    return reject("event.level", `${event.sender} has ${show(own)} of the ${needed} that it needs`);
  }
  if (event.stateKey?.startsWith("@") && event.stateKey !== event.sender) {
    return reject("event.state-key", `the state key is another user's, ${event.stateKey}`);
  }
  if (event.type === "m.room.power_levels") return checkPowerLevels(subject, room, own);
  if (event.type === "m.room.redaction" && version.eventIds === "given") {
    if (own >= room.named("redact")) return undefined;
    if (event.redacts !== undefined && domainOf(event.id) === domainOf(event.redacts)) {
      return undefined;
    }
    return reject("redaction.domain", "the event to redact is of another server");
  }
  return undefined;
}

/** The state, as the rules ask it. */
class Room {
  readonly create: AuthEvent;
  readonly state: AuthState;
  readonly version: RoomVersion;
  readonly levels: PowerLevels | undefined;

  constructor(create: AuthEvent, state: AuthState, version: RoomVersion) {
    this.create = create;
    this.state = state;
    this.version = version;
    this.levels = state.powerLevels?.levels;
  }

  membershipOf(slot: "sender" | "target" | "authoriser"): string | undefined {
    return this.state[slot]?.membership;
  }

  levelOf(userId: string): number {
    return userLevel(userId, this.create, this.levels);
  }

  named(name: "ban" | "kick" | "redact" | "invite"): number {
    if (this.levels !== undefined) return this.levels.named(name);
    return name === "invite" ? 0 : 50;
  }

  required({ type, stateKey }: RoomEvent): number {
    const isState = stateKey !== undefined;
    return this.levels?.required(type, isState) ?? (isState ? 50 : 0);
  }

  get joinRule(): unknown {
    // Null is a rule that nobody can join under, and not the absence of one.
    const { join_rule: rule = "invite" } = this.state.joinRules?.event.content ?? {};
    return rule;
  }
}

/** A user's level under these power levels; without any, 100 for the creator. */
export function userLevel(
  userId: string,
  create: AuthEvent,
  levels: PowerLevels | undefined,
): number {
  if (create.version.hasPrivilegedCreators && create.creators.has(userId)) return CREATOR_LEVEL;
  if (levels !== undefined) return levels.user(userId);
  return create.creators.has(userId) ? 100 : 0;
}

function checkMember(subject: AuthEvent, room: Room): Rejection | undefined {
  const { event, membership } = subject;
  if (event.stateKey === undefined || membership === undefined) {
    return reject("member.malformed", "it has no state key or no membership");
  }
  switch (membership) {
    case "join":
      return checkJoin(event, event.stateKey, room);
    case "invite":
      return checkInvite(event, event.stateKey, room);
    case "leave":
      return checkLeave(event, event.stateKey, room);
    case "ban":
      return checkBan(event, event.stateKey, room);
    case "knock":
      if (room.version.hasKnocking) return checkKnock(event, event.stateKey, room);
  }
  return reject("member.unknown-membership", `there is no membership ${membership}`);
}

function checkJoin(event: RoomEvent, target: string, room: Room): Rejection | undefined {
  const { create, version, joinRule } = room;
  const [only, ...others] = event.prevEvents;
  if (others.length === 0 && only === create.event.id && isFounder(create, target)) {
    return undefined;
  }
  if (event.sender !== target) return reject("join.other-user", `${target} can only join himself`);
  const membership = room.membershipOf("sender");
  if (membership === "ban") return reject("join.banned", `${target} is banned`);
  if (joinRule === "public") return undefined;
  const isIn = membership === "join" || membership === "invite";
  const isRestricted =
    (joinRule === "restricted" && version.hasRestrictedJoins) ||
    (joinRule === "knock_restricted" && version.hasKnockRestricted);
  if (isRestricted) {
    if (isIn) return undefined;
    const authoriser = authorisingUser(event);
    if (authoriser === undefined) {
      return reject("join.not-authorised", "no user of the room vouches for the join");
    }
    if (room.membershipOf("authoriser") !== "join") {
      return reject("join.not-authorised", `${authoriser}, who vouches for it, is not joined`);
    }
    if (room.levelOf(authoriser) < room.named("invite")) {
      return reject("join.not-authorised", `${authoriser}, who vouches for it, may not invite`);
    }
    return undefined;
  }
  if (joinRule === "invite" || (joinRule === "knock" && version.hasKnocking)) {
    return isIn ? undefined : reject("join.not-invited", `${target} is not invited`);
  }
  return reject("join.rule", `nobody can join under the rule ${JSON.stringify(joinRule)}`);
}

/** The user who may join with nothing but the create event before him. */
function isFounder({ event, version }: AuthEvent, userId: string): boolean {
  return userId === (version.hasImplicitCreator ? event.sender : event.content.creator);
}

function checkInvite(event: RoomEvent, target: string, room: Room): Rejection | undefined {
  const membership = room.membershipOf("target");
  if (Object.hasOwn(event.content, "third_party_invite")) {
    if (membership === "ban") return reject("invite.third-party", `${target} is banned`);
    if (isThirdPartyInviteValid(event, room.state.thirdPartyInvite?.event)) return undefined;
    return reject("invite.third-party", "no third-party invite of the room matches it");
  }
  if (room.membershipOf("sender") !== "join") {
    return reject("invite.not-joined", `${event.sender} is not joined`);
  }
  if (membership === "join" || membership === "ban") {
    return reject("invite.target", `the membership of ${target} is ${membership}`);
  }
  const own = room.levelOf(event.sender);
  const needed = room.named("invite");
  if (own >= needed) return undefined;
  return reject("invite.level", `${event.sender} has ${show(own)} of the ${needed} for an invite`);
}

function checkLeave(event: RoomEvent, target: string, room: Room): Rejection | undefined {
  const membership = room.membershipOf("sender");
  if (event.sender === target) {
    if (membership === "join" || membership === "invite") return undefined;
    if (membership === "knock" && room.version.hasKnocking) return undefined;
    return reject("leave.not-in-room", `the membership of ${target} is ${membership ?? "nothing"}`);
  }
  if (membership !== "join") return reject("leave.not-joined", `${event.sender} is not joined`);
  const own = room.levelOf(event.sender);
  if (room.membershipOf("target") === "ban" && own < room.named("ban")) {
    return reject("leave.unban-level", `${show(own)} of the ${room.named("ban")} for an unban`);
  }
  const theirs = room.levelOf(target);
  if (own >= room.named("kick") && theirs < own) return undefined;
  return reject(
    "leave.kick-level",
    `${show(own)} of the ${room.named("kick")} for a kick, and ${target} has ${show(theirs)}`,
  );
}

function checkBan(event: RoomEvent, target: string, room: Room): Rejection | undefined {
  if (room.membershipOf("sender") !== "join") {
    return reject("ban.not-joined", `${event.sender} is not joined`);
  }
  const own = room.levelOf(event.sender);
  const theirs = room.levelOf(target);
  if (own >= room.named("ban") && theirs < own) return undefined;
  return reject(
    "ban.level",
    `${show(own)} of the ${room.named("ban")} for a ban, and ${target} has ${show(theirs)}`,
  );
}

function checkKnock(event: RoomEvent, target: string, room: Room): Rejection | undefined {
  const { joinRule, version } = room;
  const canKnock =
    joinRule === "knock" || (joinRule === "knock_restricted" && version.hasKnockRestricted);
  if (!canKnock) {
    return reject("knock.rule", `nobody can knock under the rule ${JSON.stringify(joinRule)}`);
  }
  if (event.sender !== target) {
    return reject("knock.other-user", `${target} can only knock himself`);
  }
  const membership = room.membershipOf("sender");
  if (membership === "ban" || membership === "invite" || membership === "join") {
    return reject("knock.membership", `the membership of ${target} is ${membership}`);
  }
  return undefined;
}

function checkPowerLevels(subject: AuthEvent, room: Room, own: number): Rejection | undefined {
  const { levels: next, event } = subject;
  const problem = next.problem(room.version);
  if (problem !== undefined) return reject("power-levels.malformed", problem);
  if (room.version.hasPrivilegedCreators) {
    for (const creator of room.create.creators) {
      if (Object.hasOwn(next.users, creator)) {
        return reject("power-levels.creator", `users names ${creator}, a creator`);
      }
    }
  }
  const { levels: current } = room;
  if (current === undefined) return undefined;
  const above = (name: string, from: number | undefined, to: number | undefined) =>
    reject(
      "power-levels.above-own",
      `${name} goes from ${from ?? "nothing"} to ${to ?? "nothing"}, and ${event.sender} has ${show(own)}`,
    );
  for (const name of NAMED_LEVELS) {
    const from = level(current.content, name);
    const to = level(next.content, name);
    if (from !== to && isAbove(from, to, own)) return above(name, from, to);
  }
  const maps = room.version.limitsNotificationLevels
    ? (["events", "notifications"] as const)
    : (["events"] as const);
  for (const map of maps) {
    for (const [key, from, to] of changes(current[map], next[map])) {
      if (isAbove(from, to, own)) return above(`${map} › ${key}`, from, to);
    }
  }
  for (const [user, from, to] of changes(current.users, next.users)) {
    if (user !== event.sender && from !== undefined && from >= own) {
      return reject(
        "power-levels.equal-user",
        `${user} has ${from}, and ${event.sender} has ${show(own)}`,
      );
    }
    if (isAbove(from, to, own)) return above(`users › ${user}`, from, to);
  }
  return undefined;
}

function isAbove(from: number | undefined, to: number | undefined, own: number): boolean {
  return (from !== undefined && from > own) || (to !== undefined && to > own);
}

type Change = readonly [key: string, from: number | undefined, to: number | undefined];
type Levels = PowerLevels["users"];

function changes(current: Levels, next: Levels): readonly Change[] {
  const found: Change[] = [];
  for (const key in current) {
    const from = level(current, key);
    const to = level(next, key);
    if (from !== to) found.push([key, from, to]);
  }
  for (const key in next) {
    if (!Object.hasOwn(current, key)) found.push([key, undefined, level(next, key)]);
  }
  return found;
}

function areUserIds(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((user) => typeof user === "string" && /^@[^:]*:./s.test(user))
  );
}

function show(value: number): string {
  return value === CREATOR_LEVEL ? "a creator's level" : String(value);
}
