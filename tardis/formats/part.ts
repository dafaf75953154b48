/** What a reader of one format makes of one file. */
import { isObject, type JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import { withKeys } from "#tardis/model/json";
import { type Place, type Problem, problemOf } from "#tardis/model/problem";

/** In the order of the table in docs/replay-format.md. */
export type Format =
  | "room"
  | "scenario"
  | "replay"
  | "har"
  | "chaos-stream"
  | "chaos-log"
  | "test-log"
  | "synapse-export"
  | "answers"
  | "dag";

/** A record that has no number yet. */
export interface Draft {
  readonly place: Place;
  /** Milliseconds since 1970 by the recorder's clock; undefined where only the order is known. */
  readonly at: number | undefined;
  /** With `t`, as the replay format has it; of a replay also `seq` and `at`. */
  readonly body: JsonObject;
}

export interface Part {
  readonly format: Format;
  /** The order of its events is one in which they came or are to be processed. */
  readonly isOrdered: boolean;
  /** Room versions that the file names, by room id; those of every room under `*`. */
  readonly versions: ReadonlyMap<string, string>;
  /** Events in which versions can be found: those that create rooms. */
  readonly creates: readonly JsonObject[];
  readonly problems: readonly Problem[];
  /** The records, once versions of rooms are known. */
  tell(known: Known): { readonly drafts: readonly Draft[]; readonly problems: readonly Problem[] };
}

/** One value of a file that holds many, and where it stands. */
export interface Item {
  readonly place: Place;
  readonly value: unknown;
}

/** A file as its reader gets it. */
export interface Input {
  readonly name: string;
  readonly text: string;
  /** Lines of NDJSON, or entries of a JSON array. */
  readonly items: readonly Item[];
  /** The whole, where it is one JSON value. */
  readonly value: unknown;
  /** Lines that could not be read. */
  readonly problems: readonly Problem[];
}

export function isCreate(pdu: unknown): pdu is JsonObject {
  return isObject(pdu) && pdu.type === "m.room.create" && pdu.state_key === "";
}

/** What all files together say of room versions, and which ids follow from it. */
export class Known {
  readonly #fallback: RoomVersion | undefined;
  readonly #versions = new Map<string, RoomVersion>();
  readonly #ids = new WeakMap<JsonObject, string>();

  /** @param fallback of rooms whose version nothing tells */
  constructor(parts: readonly Part[], fallback: RoomVersion | undefined) {
    this.#fallback = fallback;
    const claims = parts.flatMap(({ versions }) => [...versions]);
    const isTold = claims.some(([room]) => room === "*");
    for (const create of parts.flatMap(({ creates }) => creates)) {
      const named = isObject(create.content) ? create.content.room_version : undefined;
      if (named === undefined && isTold) continue;
      // A create event without one is of version 1 (client-server API, m.room.create).
      const version = roomVersion(typeof named === "string" ? named : "1");
      if (version !== undefined) this.#versions.set(this.#roomOf(create, version), version);
    }
    for (const [room, id] of claims) {
      const version = roomVersion(id);
      if (version !== undefined) this.#versions.set(room, version);
    }
  }

  versionOf(pdu: JsonObject): RoomVersion | undefined {
    const { room_id: room, content } = pdu;
    const own = typeof room === "string" ? this.#versions.get(room) : undefined;
    const every = own ?? this.#versions.get("*");
    if (every !== undefined) return every;
    // Only creators of rooms have no room id, in version 12.
    return room === undefined && isObject(content) && typeof content.room_version === "string"
      ? (roomVersion(content.room_version) ?? this.#fallback)
      : this.#fallback;
  }

  /**
   * The id that the event has, or that follows from its content.
   *
   * @throws Error when it has none and its version is not known; CanonicalJsonError
   */
  idOf(pdu: JsonObject): string {
    if (typeof pdu.event_id === "string" && pdu.event_id !== "") return pdu.event_id;
    const before = this.#ids.get(pdu);
    if (before !== undefined) return before;
    const version = this.versionOf(pdu);
    if (version === undefined) throw new Error(NO_VERSION);
    const id = eventId(pdu, version);
    this.#ids.set(pdu, id);
    return id;
  }

  #roomOf(create: JsonObject, version: RoomVersion): string {
    if (typeof create.room_id === "string") return create.room_id;
    try {
      const id = typeof create.event_id === "string" ? create.event_id : eventId(create, version);
      return `!${id.slice(1)}`;
    } catch {
      return "";
    }
  }
}

export const NO_VERSION =
  "no m.room.create event names a known room version, which tells ids and rules";

/** Collects records; what can not be told becomes a problem. */
export class Drafts {
  readonly drafts: Draft[] = [];
  readonly problems: Problem[] = [];
  readonly #known: Known;
  readonly #told = new Set<string>();
  readonly #arrived = new Set<string>();

  constructor(known: Known) {
    this.#known = known;
  }

  add(place: Place, at: number | undefined, body: JsonObject): void {
    this.drafts.push({ place, at, body });
  }

  /** An event, told once. Its id; undefined when it has none. */
  pdu(place: Place, at: number | undefined, pdu: JsonObject): string | undefined {
    try {
      const id = this.#known.idOf(pdu);
      if (this.#told.has(id)) return id;
      this.#told.add(id);
      const { event_id: given } = pdu;
      const isPart = this.#known.versionOf(pdu)?.eventIds === "given";
      this.add(place, at, {
        t: "pdu",
        event_id: id,
        pdu: isPart || given === undefined ? pdu : withKeys(pdu, { without: ["event_id"] }),
        ...(given === undefined ? { id_source: "calculated" } : {}),
      });
      return id;
    } catch (error) {
      this.problems.push(problemOf(place, error));
      return undefined;
    }
  }

  /** The first arrival of an event at a server in this file, unless it came there another way. */
  arrive(place: Place, at: number | undefined, arrival: JsonObject): void {
    const key = `${String(arrival.server)} ${String(arrival.event_id)} ${String(arrival.verdict)}`;
    if (this.#arrived.has(key)) return;
    this.#arrived.add(key);
    this.add(place, at, { t: "arrive", ...arrival });
  }
}
