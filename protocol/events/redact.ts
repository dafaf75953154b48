/** The redaction algorithm of room versions 1 to 12 ("Redactions" of each room version's page), as data. */
import type { RoomVersion } from "#protocol/rooms/room-version";
import { isObject, type JsonObject, type JsonValue } from "./event.ts";

/** The flag of a room version that a rule depends on. */
type Flag = {
  [Name in keyof RoomVersion]: RoomVersion[Name] extends boolean ? Name : never;
}[keyof RoomVersion];

interface Kept {
  readonly keys: readonly string[];
  readonly since?: Flag;
  readonly until?: Flag;
}

const TOP_LEVEL: readonly Kept[] = [
  {
    keys: [
      "event_id",
      "type",
      "room_id",
      "sender",
      "state_key",
      "content",
      "hashes",
      "signatures",
      "depth",
      "prev_events",
      "auth_events",
      "origin_server_ts",
    ],
  },
  { keys: ["prev_state", "origin", "membership"], until: "hasRedactionsOf11" },
];

/** Stands for all keys of the content. */
const ALL = "*";

const CONTENT: ReadonlyMap<string, readonly Kept[]> = new Map<string, readonly Kept[]>([
  [
    "m.room.member",
    [
      { keys: ["membership"] },
      { keys: ["join_authorised_via_users_server"], since: "keepsAuthorisingUser" },
      { keys: ["third_party_invite"], since: "hasRedactionsOf11" },
    ],
  ],
  [
    "m.room.create",
    [
      { keys: ["creator"], until: "hasRedactionsOf11" },
      { keys: [ALL], since: "hasRedactionsOf11" },
    ],
  ],
  [
    "m.room.join_rules",
    [{ keys: ["join_rule"] }, { keys: ["allow"], since: "hasRestrictedJoins" }],
  ],
  [
    "m.room.power_levels",
    [
      {
        keys: [
          "ban",
          "events",
          "events_default",
          "kick",
          "redact",
          "state_default",
          "users",
          "users_default",
        ],
      },
      { keys: ["invite"], since: "hasRedactionsOf11" },
    ],
  ],
  ["m.room.aliases", [{ keys: ["aliases"], since: "hasAliasesRule" }]],
  ["m.room.history_visibility", [{ keys: ["history_visibility"] }]],
  ["m.room.redaction", [{ keys: ["redacts"], since: "hasRedactionsOf11" }]],
]);

/** Of what is kept, the objects of which only some keys are. */
const NESTED: ReadonlyMap<string, readonly string[]> = new Map([
  ["third_party_invite", ["signed"]],
]);

const EMPTY: JsonObject = {};

/**
 * A copy without what redaction removes, `unsigned` among it; signatures and hashes stay. The values are shared with the
 * event. Content that is no object becomes an empty one.
 *
 * An object in third_party_invite without `signed` stays as an empty object, as in Synapse; the specification leaves it
 * open.
 */
export function redact(pdu: JsonObject, version: RoomVersion): JsonObject {
  const redacted: Record<string, JsonValue> = {};
  for (const key of keysOf(TOP_LEVEL, version)) copy(pdu, key, redacted);
  redacted.content = redactContent(pdu, version);
  return redacted;
}

function redactContent({ type, content }: JsonObject, version: RoomVersion): JsonObject {
  const rules = typeof type === "string" ? CONTENT.get(type) : undefined;
  if (rules === undefined || !isObject(content)) return EMPTY;
  const kept: Record<string, JsonValue> = {};
  for (const key of keysOf(rules, version)) {
    if (key === ALL) return content;
    const inner = NESTED.get(key);
    if (inner === undefined) copy(content, key, kept);
    else if (isObject(content[key])) kept[key] = pick(content[key], inner);
  }
  return kept;
}

function pick(value: JsonObject, keys: readonly string[]): JsonObject {
  const picked: Record<string, JsonValue> = {};
  for (const key of keys) copy(value, key, picked);
  return picked;
}

function copy(from: JsonObject, key: string, to: Record<string, JsonValue>): void {
  const value = from[key];
  if (value !== undefined && Object.hasOwn(from, key)) to[key] = value;
}

function* keysOf(rules: readonly Kept[], version: RoomVersion): Iterable<string> {
  for (const { keys, since, until } of rules) {
    if (since !== undefined && !version[since]) continue;
    if (until !== undefined && version[until]) continue;
    yield* keys;
  }
}
