/** Power levels (client-server API, m.room.power_levels), with the defaults and the leniency of each room version. */
import { isObject, type JsonObject } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";

/** Levels of their own name, and what holds when the event does not give them. */
const DEFAULTS = {
  users_default: 0,
  events_default: 0,
  state_default: 50,
  ban: 50,
  kick: 50,
  redact: 50,
  invite: 0,
} as const;

export type NamedLevel = keyof typeof DEFAULTS;
export const NAMED_LEVELS = Object.keys(DEFAULTS) as readonly NamedLevel[];

/** A creator of version 12: above every level that can be written down (MSC4289). */
export const CREATOR_LEVEL = Number.POSITIVE_INFINITY;

const NONE: JsonObject = {};

export class PowerLevels {
  readonly content: JsonObject;
  readonly users: JsonObject;
  readonly events: JsonObject;
  readonly notifications: JsonObject;
  #problem: string | null | undefined;

  constructor(content: JsonObject) {
    this.content = content;
    this.users = objectOf(content.users);
    this.events = objectOf(content.events);
    this.notifications = objectOf(content.notifications);
  }

  user(userId: string): number {
    return level(this.users, userId) ?? this.named("users_default");
  }

  named(name: NamedLevel): number {
    return level(this.content, name) ?? DEFAULTS[name];
  }

  /** What sending an event of this type asks for. */
  required(type: string, isState: boolean): number {
    return level(this.events, type) ?? this.named(isState ? "state_default" : "events_default");
  }

  /** Why the content can not be power levels in this version; the same for every state that it is checked against. */
  problem(version: RoomVersion): string | undefined {
    if (this.#problem === undefined) this.#problem = findProblem(this.content, version) ?? null;
    return this.#problem ?? undefined;
  }
}

/** The level at a key, undefined when there is none that can be read. */
export function level(levels: JsonObject, key: string): number | undefined {
  if (!Object.hasOwn(levels, key)) return undefined;
  const value = levels[key];
  if (typeof value === "number") return Math.trunc(value);
  // Before version 10 servers took strings, and rooms exist that depend on it (rooms/v1 §Power level string values).
  return typeof value === "string" && INTEGER_TEXT.test(value) ? Number(value.trim()) : undefined;
}

const INTEGER_TEXT = /^\s*[+-]?\d+\s*$/;
const USER_ID = /^@[^:]*:./s;

function findProblem(content: JsonObject, version: RoomVersion): string | undefined {
  const isStrict = version.hasIntegerLevels;
  for (const name of NAMED_LEVELS) {
    if (Object.hasOwn(content, name) && !isLevel(content[name], isStrict)) {
      return `${name} is no integer`;
    }
  }
  for (const name of ["users", "events", "notifications"] as const) {
    if (!Object.hasOwn(content, name)) continue;
    const levels = content[name];
    if (!isObject(levels)) {
      if (isStrict || name === "users") return `${name} is no object`;
      continue;
    }
    for (const key in levels) {
      if (name === "users" && !USER_ID.test(key)) return `users names ${key}, which is no user id`;
      if ((isStrict || name !== "notifications") && !isLevel(levels[key], isStrict)) {
        return `${name} has a level that is no integer`;
      }
    }
  }
  return undefined;
}

function isLevel(value: unknown, isStrict: boolean): boolean {
  if (typeof value === "number") return !isStrict || Number.isInteger(value);
  return !isStrict && typeof value === "string" && INTEGER_TEXT.test(value);
}

function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : NONE;
}
