/** An event with what the rules ask of it, read once. */
import { isObject, type RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { PowerLevels } from "./levels.ts";

export class AuthEvent {
  readonly event: RoomEvent;
  readonly version: RoomVersion;
  /** `content.membership` of m.room.member. */
  readonly membership: string | undefined;
  #levels: PowerLevels | undefined;
  #creators: ReadonlySet<string> | undefined;

  constructor(event: RoomEvent, version: RoomVersion) {
    this.event = event;
    this.version = version;
    const { membership } = event.content;
    this.membership =
      event.type === "m.room.member" && typeof membership === "string" ? membership : undefined;
  }

  /** Of m.room.power_levels. */
  get levels(): PowerLevels {
    this.#levels ??= new PowerLevels(this.event.content);
    return this.#levels;
  }

  /**
   * Of m.room.create: who holds level 100 where there are no power levels, and in version 12 who stands above all (its
   * sender and additional_creators).
   */
  get creators(): ReadonlySet<string> {
    this.#creators ??= creatorsOf(this.event, this.version);
    return this.#creators;
  }
}

function creatorsOf({ sender, content }: RoomEvent, version: RoomVersion): ReadonlySet<string> {
  const { creator, additional_creators: additional } = content;
  if (!version.hasImplicitCreator) return new Set(typeof creator === "string" ? [creator] : []);
  if (!version.hasPrivilegedCreators || !Array.isArray(additional)) return new Set([sender]);
  return new Set([sender, ...additional.filter((user) => typeof user === "string")]);
}

/** The domain of a user id, room id or event id: all after the first colon; empty without one. */
export function domainOf(id: string): string {
  const at = id.indexOf(":");
  return at < 0 ? "" : id.slice(at + 1);
}

/** The user whose server vouches for a restricted join. */
export function authorisingUser({ content }: RoomEvent): string | undefined {
  const user = content.join_authorised_via_users_server;
  return typeof user === "string" ? user : undefined;
}

/** The token of the invite by third-party identifier that an invite answers. */
export function thirdPartyToken({ content }: RoomEvent): string | undefined {
  const invite = content.third_party_invite;
  if (!isObject(invite) || !isObject(invite.signed)) return undefined;
  const { token } = invite.signed;
  return typeof token === "string" ? token : undefined;
}
