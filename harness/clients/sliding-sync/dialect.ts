/**
 * The two ways in which servers speak simplified sliding sync: the merged text, and the unstable endpoint that is deployed.
 * Requests are translated; answers are brought into the form of the stable dialect, as far as the other one says so much.
 */
import type { Query } from "#harness/http/client";
import { isObject, type JsonObject } from "#harness/match/json";
import type { Filters, ListConfig, RequiredState, RoomConfig, SlidingRequest } from "./request.ts";

export interface Call {
  readonly path: string;
  readonly query: Query;
  readonly body: JsonObject;
}

/** What is not part of the rules of a request. */
export interface CallOptions {
  readonly pos?: string | undefined;
  /** Milliseconds; absent: the parameter is left out. */
  readonly timeoutMs?: number | undefined;
  readonly connId?: string | undefined;
  /** Stable dialect only. */
  readonly setPresence?: string | undefined;
}

export interface Dialect {
  readonly name: "stable" | "unstable";
  /** Feature of a deployment that offers it. */
  readonly feature: string;
  readonly path: string;
  encode(request: SlidingRequest, options: CallOptions): Call;
  /** A room result in the terms of the stable dialect. */
  decodeRoom(room: JsonObject): JsonObject;
  /** Keys of extensions. */
  readonly extensions: {
    readonly typing: string;
  };
}

export const STABLE_PATH = "/_matrix/client/v4/sync";
export const UNSTABLE_PATH = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";

/** In the unstable features of servers that offer the unstable endpoint. */
export const SLIDING_SYNC_FLAG = "org.matrix.simplified_msc3575";

/** MSC4186 as merged. */
export const STABLE: Dialect = {
  name: "stable",
  feature: "sliding-sync:stable",
  path: STABLE_PATH,
  extensions: { typing: "org.matrix.msc4508.typing" },
  encode: (request, { pos, timeoutMs, connId, setPresence }) => ({
    path: STABLE_PATH,
    query: {},
    body: compact({
      pos,
      timeout: timeoutMs,
      set_presence: setPresence,
      conn_id: connId,
      lists: mapValues(request.lists, (list) => ({
        ...stableConfig(list),
        ...compact({ range: list.range, filters: filters(list.filters, "is_invited") }),
      })),
      room_subscriptions: mapValues(request.subscriptions, stableConfig),
      extensions: request.extensions,
    }),
  }),
  decodeRoom: (room) => room,
};

/** The endpoint of the MSC's unstable prefix. */
export const UNSTABLE: Dialect = {
  name: "unstable",
  feature: "sliding-sync:unstable",
  path: UNSTABLE_PATH,
  extensions: { typing: "typing" },
  encode: (request, { pos, timeoutMs, connId }) => ({
    path: UNSTABLE_PATH,
    query: { pos, timeout: timeoutMs },
    body: compact({
      conn_id: connId,
      lists: mapValues(request.lists, (list: ListConfig) => ({
        ...unstableConfig(list),
        ...compact({
          ranges: list.range === undefined ? undefined : [list.range],
          filters: filters(list.filters, "is_invite"),
        }),
      })),
      room_subscriptions: mapValues(request.subscriptions, unstableConfig),
      extensions: request.extensions,
    }),
  }),
  decodeRoom: ({ invite_state: stripped, unstable_expanded_timeline: expanded, ...room }) => ({
    ...room,
    ...compact({ stripped_state: stripped, expanded_timeline: expanded }),
  }),
};

export const DIALECTS: readonly Dialect[] = [STABLE, UNSTABLE];

function stableConfig({ timelineLimit, requiredState = {} }: RoomConfig): JsonObject {
  const elements = (list: RequiredState["include"]) =>
    list?.map(({ type, stateKey }) => compact({ type, state_key: stateKey }));
  return {
    timeline_limit: timelineLimit,
    required_state: compact({
      include: elements(requiredState.include),
      exclude: elements(requiredState.exclude),
      lazy_members: requiredState.lazyMembers,
    }),
  };
}

function unstableConfig({ timelineLimit, requiredState = {} }: RoomConfig): JsonObject {
  const { include = [], lazyMembers = false } = requiredState;
  return {
    timeline_limit: timelineLimit,
    required_state: [
      ...include.map(({ type = "*", stateKey = "*" }) => [type, stateKey]),
      ...(lazyMembers ? [["m.room.member", "$LAZY"]] : []),
    ],
  };
}

function filters(given: Filters | undefined, isInvited: string): JsonObject | undefined {
  if (given === undefined) return undefined;
  return compact({
    is_dm: given.isDm,
    is_encrypted: given.isEncrypted,
    [isInvited]: given.isInvited,
    room_types: given.roomTypes,
    not_room_types: given.notRoomTypes,
    tags: given.tags,
    not_tags: given.notTags,
    spaces: given.spaces,
  });
}

function mapValues<Value>(
  record: Readonly<Record<string, Value>> | undefined,
  map: (value: Value) => unknown,
): JsonObject | undefined {
  if (record === undefined) return undefined;
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

/** Without the keys that have no value. */
function compact(record: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

/** Room results of an answer, in the terms of the stable dialect. */
export function decodeRooms(dialect: Dialect, body: unknown): Readonly<Record<string, JsonObject>> {
  const rooms = isObject(body) ? body.rooms : undefined;
  if (!isObject(rooms)) return {};
  return Object.fromEntries(
    Object.entries(rooms).flatMap(([id, room]) =>
      isObject(room) ? [[id, dialect.decodeRoom(room)]] : [],
    ),
  );
}
