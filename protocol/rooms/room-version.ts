/** Room versions 1 to 12 as data: what each changed (specification, "Room Versions"). */

export interface RoomVersion {
  readonly id: string;
  /** `given`: the sender names it. `base64`, `base64url`: `$` and the reference hash. */
  readonly eventIds: "given" | "base64" | "base64url";
  readonly stateResolution: "v1" | "v2" | "v2.1";
  /** Signing keys must be valid at the event's origin_server_ts. */
  readonly hasKeyValidity: boolean;
  /** m.room.aliases is authorised by its state key, and keeps its aliases in a redaction. */
  readonly hasAliasesRule: boolean;
  /** Numbers of events are integers within ±(2^53 - 1). */
  readonly isCanonicalJsonStrict: boolean;
  /** Changes of power levels include `notifications`. */
  readonly limitsNotificationLevels: boolean;
  readonly hasKnocking: boolean;
  /** Join rule `restricted`; redactions keep `allow`. */
  readonly hasRestrictedJoins: boolean;
  /** Redactions keep join_authorised_via_users_server. */
  readonly keepsAuthorisingUser: boolean;
  /** Join rule `knock_restricted`. */
  readonly hasKnockRestricted: boolean;
  /** Power levels must be integers, never strings. */
  readonly hasIntegerLevels: boolean;
  /** The sender of the create event is the creator; there is no content.creator. */
  readonly hasImplicitCreator: boolean;
  /** The redaction rules of version 11 (MSC2174, MSC2176, MSC3820, MSC3821). */
  readonly hasRedactionsOf11: boolean;
  /** Creators stand above all levels and in none (MSC4289). */
  readonly hasPrivilegedCreators: boolean;
  /** The room id is the create event's hash, which no event cites (MSC4291). */
  readonly isRoomIdHash: boolean;
}

const V1: RoomVersion = {
  id: "1",
  eventIds: "given",
  stateResolution: "v1",
  hasKeyValidity: false,
  hasAliasesRule: true,
  isCanonicalJsonStrict: false,
  limitsNotificationLevels: false,
  hasKnocking: false,
  hasRestrictedJoins: false,
  keepsAuthorisingUser: false,
  hasKnockRestricted: false,
  hasIntegerLevels: false,
  hasImplicitCreator: false,
  hasRedactionsOf11: false,
  hasPrivilegedCreators: false,
  isRoomIdHash: false,
};
const V2: RoomVersion = { ...V1, id: "2", stateResolution: "v2" };
const V3: RoomVersion = { ...V2, id: "3", eventIds: "base64" };
const V4: RoomVersion = { ...V3, id: "4", eventIds: "base64url" };
const V5: RoomVersion = { ...V4, id: "5", hasKeyValidity: true };
const V6: RoomVersion = {
  ...V5,
  id: "6",
  hasAliasesRule: false,
  isCanonicalJsonStrict: true,
  limitsNotificationLevels: true,
};
const V7: RoomVersion = { ...V6, id: "7", hasKnocking: true };
const V8: RoomVersion = { ...V7, id: "8", hasRestrictedJoins: true };
const V9: RoomVersion = { ...V8, id: "9", keepsAuthorisingUser: true };
const V10: RoomVersion = { ...V9, id: "10", hasKnockRestricted: true, hasIntegerLevels: true };
const V11: RoomVersion = { ...V10, id: "11", hasImplicitCreator: true, hasRedactionsOf11: true };
const V12: RoomVersion = {
  ...V11,
  id: "12",
  stateResolution: "v2.1",
  hasPrivilegedCreators: true,
  isRoomIdHash: true,
};

const ALL = [V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12] as const;

export const ROOM_VERSIONS: ReadonlyMap<string, RoomVersion> = new Map(
  ALL.map((version) => [version.id, version]),
);

/** Undefined for an id that is not one of `1` to `12`. */
export function roomVersion(id: string): RoomVersion | undefined {
  return ROOM_VERSIONS.get(id);
}
