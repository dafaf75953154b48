/** What the page calls events and values, in a few words. */
import { isObject, type JsonObject, type RoomEvent } from "#protocol/events/event";
import { shown } from "#tardis/explain/shown";
import { matter } from "#tardis/explain/wording";
import { writeJson } from "#tardis/model/json";
import type { RowKind } from "./messages.ts";

const KINDS: ReadonlyMap<string, RowKind> = new Map([
  ["m.room.create", "create"],
  ["m.room.member", "member"],
  ["m.room.power_levels", "power"],
  ["m.room.join_rules", "join-rules"],
]);
const VALUE_KEYS: ReadonlyMap<string, string> = new Map([
  ["m.room.member", "membership"],
  ["m.room.join_rules", "join_rule"],
  ["m.room.topic", "topic"],
  ["m.room.name", "name"],
  ["m.room.history_visibility", "history_visibility"],
]);
const MOST_USERS = 6;

export function kindOf({ type, stateKey }: RoomEvent): RowKind {
  return stateKey === undefined ? "message" : (KINDS.get(type) ?? "state");
}

export function labelOf(event: RoomEvent): string {
  const { type, content } = event;
  if (type === "m.room.message" && typeof content.body === "string") return shown(content.body);
  return type === "m.room.power_levels" ? `power levels: ${valueText(event)}` : matter(event);
}

/** The value that an event gives its key. */
export function valueText({ type, content }: RoomEvent): string {
  if (type === "m.room.power_levels") return levelsOf(content);
  const key = VALUE_KEYS.get(type);
  const value = key !== undefined && Object.hasOwn(content, key) ? content[key] : undefined;
  if (typeof value === "string") return shown(value);
  return shown(writeJson(content));
}

function levelsOf({ users }: JsonObject): string {
  const levels = Object.entries(isObject(users) ? users : {});
  if (levels.length === 0) return "nobody named";
  const named = levels
    .slice(0, MOST_USERS)
    .map(([user, level]) => `${shown(user)} ${shown(String(level))}`);
  return levels.length > MOST_USERS
    ? `${named.join(", ")} and ${levels.length - MOST_USERS} more`
    : named.join(", ");
}
