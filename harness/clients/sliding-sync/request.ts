/** What a client asks for, in the terms of MSC4186; a dialect writes it as a server reads it. */
import type { JsonObject } from "#harness/match/json";

/** A part that is absent stands for any. */
export interface StateElement {
  readonly type?: string;
  readonly stateKey?: string;
}

/** MSC4186 §RequiredStateRequest. */
export interface RequiredState {
  readonly include?: readonly StateElement[];
  /** Stable dialect only. */
  readonly exclude?: readonly StateElement[];
  readonly lazyMembers?: boolean;
}

/** What rules have in common: MSC4186 §RoomSubscription. */
export interface RoomConfig {
  readonly timelineLimit: number;
  readonly requiredState?: RequiredState;
}

/** MSC4186 §SlidingRoomFilter. */
export interface Filters {
  readonly isDm?: boolean;
  readonly isEncrypted?: boolean;
  readonly isInvited?: boolean;
  readonly roomTypes?: readonly (string | null)[];
  readonly notRoomTypes?: readonly (string | null)[];
  readonly tags?: readonly string[];
  readonly notTags?: readonly string[];
  readonly spaces?: readonly string[];
}

/** MSC4186 §SyncListConfig. */
export interface ListConfig extends RoomConfig {
  /** Inclusive, zero based; absent: all rooms. */
  readonly range?: readonly [number, number];
  readonly filters?: Filters;
}

export interface SlidingRequest {
  readonly lists?: Readonly<Record<string, ListConfig>>;
  readonly subscriptions?: Readonly<Record<string, RoomConfig>>;
  /** By key of the dialect, as sent. */
  readonly extensions?: JsonObject;
}

/** A list of all rooms. */
export function allRooms(config: RoomConfig & { readonly filters?: Filters }): SlidingRequest {
  return { lists: { all: { range: [0, 99], ...config } } };
}

/** State by type with the empty key. */
export function stateOf(...types: readonly string[]): RequiredState {
  return { include: types.map((type) => ({ type, stateKey: "" })) };
}

/** Everything that the state has. */
export const ALL_STATE: RequiredState = { include: [{}] };

/** Max of the limits, union of the states (MSC4186 §Combining room configs). */
export function combine(rules: readonly RoomConfig[]): RoomConfig {
  const states = rules.flatMap(({ requiredState }) => requiredState ?? []);
  const include = states.flatMap((state) => state.include ?? []);
  const wantsAllMembers = states.some(
    (state) => state.lazyMembers !== true && (state.include ?? []).some(coversAllMembers),
  );
  return {
    timelineLimit: Math.max(0, ...rules.map(({ timelineLimit }) => timelineLimit)),
    requiredState: {
      include,
      lazyMembers: !wantsAllMembers && states.some(({ lazyMembers }) => lazyMembers === true),
    },
  };
}

function coversAllMembers({ type, stateKey }: StateElement): boolean {
  return (type === undefined || type === "m.room.member") && stateKey === undefined;
}
