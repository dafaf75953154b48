/** What operations of a plan send, as servers without HTTP tell it: shared by the oracle and by simulated servers. */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { Operation, RoomPlan } from "#scenarios/plan";

export interface Draft {
  readonly type: string;
  readonly sender: string;
  readonly stateKey?: string;
  readonly content: JsonObject;
  /** Event id. */
  readonly redacts?: string;
}

/** Ids of what a plan names. */
export interface Names {
  readonly user: (name: string) => string;
  readonly server: (role: string) => string;
  /** Undefined: it does not exist yet. */
  readonly room: (name: string) => string | undefined;
  /** The event of an operation that has one. */
  readonly event: (operation: string) => string | undefined;
}

/** Content of the state that an author's server has; undefined: there is none. */
export type Look = (type: string, stateKey?: string) => JsonObject | undefined;

const ADMIN = 100;

/** How a room begins, up to its join rules; users come after. */
export function foundingDrafts(
  room: RoomPlan,
  version: RoomVersion,
  names: Names,
  predecessor?: JsonObject,
): readonly Draft[] {
  const sender = names.user(room.creator);
  const state = (type: string, content: JsonObject, stateKey = ""): Draft => ({
    type,
    sender,
    stateKey,
    content,
  });
  const levels = Object.entries(room.levels ?? {})
    .map(([user, level]) => [names.user(user), level] as const)
    .filter(([user]) => user !== sender);
  const allowed = names.room(room.allow ?? "");
  return [
    state("m.room.create", {
      room_version: version.id,
      ...(version.hasImplicitCreator ? {} : { creator: sender }),
      ...(predecessor === undefined ? {} : { predecessor }),
    }),
    state("m.room.member", { membership: "join" }, sender),
    state("m.room.power_levels", {
      users: {
        ...(version.hasPrivilegedCreators ? {} : { [sender]: ADMIN }),
        ...Object.fromEntries(levels),
      },
      ...room.settings,
    }),
    state("m.room.join_rules", joinRules(room.rule ?? "public", allowed)),
    state("m.room.history_visibility", { history_visibility: "shared" }),
  ];
}

/** Undefined for operations that send no event, or none that can be made. */
export function draftOf(operation: Operation, look: Look, names: Names): Draft | undefined {
  const sender = names.user(operation.by);
  const state = (type: string, content: JsonObject, stateKey = ""): Draft => ({
    type,
    sender,
    stateKey,
    content,
  });
  const member = (user: string, membership: string, more: JsonObject = {}) =>
    state("m.room.member", { membership, ...more }, user);
  switch (operation.op) {
    case "message":
      return {
        type: "m.room.message",
        sender,
        content: { msgtype: "m.text", body: operation.text ?? operation.id },
      };
    case "state":
      return state(operation.type, operation.content as JsonObject, operation.stateKey);
    case "join":
      return member(sender, "join");
    case "leave":
    case "reject":
      return member(sender, "leave");
    case "knock":
      return member(sender, "knock");
    case "invite":
      return member(names.user(operation.target), "invite");
    case "kick":
    case "unban":
      return member(names.user(operation.target), "leave");
    case "ban":
      return member(names.user(operation.target), "ban");
    case "levels":
      return state("m.room.power_levels", changedLevels(operation, look, names));
    case "join-rules":
      return state(
        "m.room.join_rules",
        joinRules(operation.rule, names.room(operation.allow ?? "")),
      );
    case "visibility":
      return state("m.room.history_visibility", { history_visibility: operation.visibility });
    case "guests":
      return state("m.room.guest_access", { guest_access: operation.access });
    case "redact": {
      const redacts = names.event(operation.target);
      return redacts === undefined
        ? undefined
        : { type: "m.room.redaction", sender, content: {}, redacts };
    }
    case "canonical-alias":
      return state("m.room.canonical_alias", {
        alias: `#${operation.alias}:${sender.slice(sender.indexOf(":") + 1)}`,
      });
    case "acl":
      return state("m.room.server_acl", {
        allow: ["*"],
        deny: operation.deny.map(names.server),
        allow_ip_literals: true,
      });
    default:
      return undefined;
  }
}

function joinRules(rule: string, allowed: string | undefined): JsonObject {
  if (!rule.endsWith("restricted")) return { join_rule: rule };
  const allow = allowed === undefined ? [] : [{ type: "m.room_membership", room_id: allowed }];
  return { join_rule: rule, allow };
}

function changedLevels(
  { users = {}, settings = {}, events = {} }: Extract<Operation, { op: "levels" }>,
  look: Look,
  names: Names,
): JsonObject {
  const now = look("m.room.power_levels") ?? {};
  const levels: Record<string, JsonValue> = { ...(isObject(now.users) ? now.users : {}) };
  for (const [user, level] of Object.entries(users)) {
    if (level === null) delete levels[names.user(user)];
    else levels[names.user(user)] = level;
  }
  const types = { ...(isObject(now.events) ? now.events : {}), ...events };
  return {
    ...now,
    ...settings,
    users: levels,
    ...(Object.keys(types).length > 0 ? { events: types } : {}),
  };
}
