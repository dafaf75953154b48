/** How events and keys of the state are called in sentences. */
import type { JsonValue, RoomEvent } from "#protocol/events/event";
import { shown } from "./shown.ts";

/** Letters and digits of a hash that tell it from the others, as people read them. */
const SHORT = 7;

export class Wording {
  readonly #eventOf: (id: string) => RoomEvent | undefined;
  readonly #names: ReadonlyMap<string, string>;

  /** @param names what a scenario calls its events, by id */
  constructor(eventOf: (id: string) => RoomEvent | undefined, names: ReadonlyMap<string, string>) {
    this.#eventOf = eventOf;
    this.#names = names;
  }

  /** The name in its scenario, or the beginning of its id. */
  id(id: string): string {
    const name = this.#names.get(id);
    if (name !== undefined) return shown(name);
    return /^\$[\w+/-]{43}$/.test(id) ? id.slice(0, SHORT) : shown(id);
  }

  /** `@ada:one.test's topic "Harbour" ($abcdef)`. */
  event(id: string): string {
    const event = this.#eventOf(id);
    if (event === undefined) return this.id(id);
    return `${shown(event.sender)}'s ${matter(event)} (${this.id(id)})`;
  }

  events(ids: readonly string[]): string {
    if (ids.length === 0) return "none";
    const listed = ids.slice(0, 20).map((id) => this.event(id));
    return ids.length > 20
      ? `${listed.join("; ")}; and ${ids.length - 20} more`
      : listed.join("; ");
  }

  get(id: string): RoomEvent | undefined {
    return this.#eventOf(id);
  }
}

const PLAIN: ReadonlyMap<string, string> = new Map([
  ["m.room.create", "creation of the room"],
  ["m.room.power_levels", "power levels"],
  ["m.room.message", "message"],
  ["m.room.third_party_invite", "third-party invite"],
]);

/** Types whose value can be told in a word, and where it stands. */
const VALUES: ReadonlyMap<string, readonly [what: string, key: string]> = new Map([
  ["m.room.join_rules", ["join rules", "join_rule"]],
  ["m.room.name", ["name", "name"]],
  ["m.room.topic", ["topic", "topic"]],
  ["m.room.history_visibility", ["history visibility", "history_visibility"]],
]);

/** What an event is about, without who sent it. */
export function matter({ type, stateKey, content, sender }: RoomEvent): string {
  if (type === "m.room.member") {
    const about = stateKey === sender ? "" : ` of ${shown(stateKey ?? "nobody")}`;
    return `${value(content.membership)}${about}`;
  }
  const [what, key] = VALUES.get(type) ?? [];
  if (what !== undefined && key !== undefined) return `${what} "${value(content[key])}"`;
  const plain = PLAIN.get(type) ?? shown(type);
  return stateKey === undefined || stateKey === "" ? plain : `${plain} of ${shown(stateKey)}`;
}

function value(found: JsonValue | undefined): string {
  return typeof found === "string" ? shown(found) : "nothing";
}

/** `the join rules`, `the membership of @bob:two.test`. */
export function keyWords(type: string, stateKey: string): string {
  if (type === "m.room.member") return `the membership of ${shown(stateKey)}`;
  const what = VALUES.get(type)?.[0] ?? PLAIN.get(type) ?? shown(type);
  return stateKey === "" ? `the ${what}` : `the ${what} of ${shown(stateKey)}`;
}
