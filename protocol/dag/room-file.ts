/**
 * Rooms in files: PDUs as NDJSON or as a JSON array, scenario files of TARDIS (JSON5), and replays. They are described in
 * docs/dag-format.md and docs/replay-format.md. What can not be read is told with file, line and field, and never loses the rest.
 */
import JSON5 from "json5";
import { isObject, type JsonObject, type JsonValue, type RoomEvent } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";

export interface RoomFile {
  readonly version: RoomVersion;
  readonly events: readonly RoomEvent[];
  /** The state after an event where the file gives it: event ids by event id. */
  readonly givenStates: ReadonlyMap<string, readonly string[]>;
  /** What the file expects after an event: event id, or null for none, by `type|state_key`. */
  readonly expected: ReadonlyMap<string, Readonly<Record<string, string | null>>>;
  /** What could not be read, one line each, with its place. */
  readonly problems: readonly string[];
}

/** Nothing of the file can be used. */
export class RoomFileError extends Error {
  override readonly name = "RoomFileError";
}

export interface RoomFileOptions {
  /** For messages. */
  readonly name: string;
  /** Instead of what the create event says. */
  readonly version?: RoomVersion | undefined;
}

/** Milliseconds of 1 January 2024, where the clock of a scenario starts, in UTC. */
const SCENARIO_START_MS = 1_704_067_200_000;
const SCENARIO_STEP_MS = 1000;

/** @throws RoomFileError */
export function parseRoomFile(text: string, options: RoomFileOptions): RoomFile {
  const trimmed = text.trimStart();
  if (trimmed.startsWith("[")) return fromValues(parseArray(text, options.name), options);
  const whole = tryJson5(trimmed);
  if (isObject(whole) && Array.isArray(whole.events)) return fromScenario(whole, options);
  return fromLines(text, options);
}

interface Found {
  readonly place: string;
  readonly value: unknown;
}

function fromLines(text: string, options: RoomFileOptions): RoomFile {
  const problems: string[] = [];
  const found: Found[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = `${options.name}:${at + 1}`;
    try {
      found.push({ place, value: JSON.parse(line) });
    } catch (error) {
      problems.push(`${place}: ${error instanceof Error ? error.message : "no JSON"}`);
    }
  }
  if (found.length === 0) {
    throw new RoomFileError(problems[0] ?? `${options.name}: the file is empty`);
  }
  const [first] = found;
  if (isObject(first?.value) && first.value.format === "mx-replay") {
    return fromReplay(found, first.value, options, problems);
  }
  return fromValues(found, options, problems);
}

/** A replay (docs/replay-format.md): its events, and the version that its first record names. */
function fromReplay(
  found: readonly Found[],
  { room_version: named }: JsonObject,
  options: RoomFileOptions,
  problems: string[],
): RoomFile {
  const events = found.flatMap(({ place, value }) =>
    isObject(value) && value.t === "pdu" && isObject(value.pdu)
      ? [{ place, value: { event_id: value.event_id, ...value.pdu } }]
      : [],
  );
  const version = options.version ?? (typeof named === "string" ? roomVersion(named) : undefined);
  return fromValues(events, { ...options, version }, problems);
}

function parseArray(text: string, name: string): Found[] {
  const value = tryJson5(text);
  if (!Array.isArray(value)) throw new RoomFileError(`${name}: the JSON array can not be read`);
  return value.map((item, at) => ({ place: `${name}[${at}]`, value: item }));
}

function fromValues(
  found: readonly Found[],
  { name, version: given }: RoomFileOptions,
  problems: string[] = [],
): RoomFile {
  const version = given ?? versionOf(found.map(({ value }) => value));
  if (version === undefined) {
    throw new RoomFileError(`${name}: no m.room.create event names a known room version`);
  }
  const events: RoomEvent[] = [];
  for (const { place, value } of found) {
    try {
      events.push(readEvent(value, version));
    } catch (error) {
      problems.push(`${place}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (events.length === 0) throw new RoomFileError(problems[0] ?? `${name}: there is no event`);
  return { version, events, givenStates: new Map(), expected: new Map(), problems };
}

function fromScenario(scenario: JsonObject, options: RoomFileOptions): RoomFile {
  const { room_version: named = "10", room_id: roomId, calculate_event_ids: calculates } = scenario;
  const version = options.version ?? roomVersion(String(named));
  if (version === undefined) {
    throw new RoomFileError(`${options.name}: room_version: there is no version ${String(named)}`);
  }
  const replay = isObject(scenario.x_replay) ? scenario.x_replay : {};
  const problems: string[] = [];
  const events: RoomEvent[] = [];
  const ids = new Map<string, string>();
  let clock = typeof replay.base_ts === "number" ? replay.base_ts : SCENARIO_START_MS;
  const list = Array.isArray(scenario.events) ? scenario.events : [];
  for (const [at, item] of list.entries()) {
    if (!isObject(item)) {
      problems.push(`${options.name}: events[${at}] is no object`);
      continue;
    }
    const { origin_server_ts: ts } = item;
    const time = typeof ts === "number" && ts !== 0 ? ts : clock;
    clock = time + SCENARIO_STEP_MS;
    const placeholder = String(item.event_id);
    const isCreate = item.type === "m.room.create";
    const inRoom =
      roomId === undefined || item.room_id !== undefined || (isCreate && version.isRoomIdHash)
        ? {}
        : { room_id: roomId };
    const pdu = translate({ ...inRoom, ...item, origin_server_ts: time }, ids);
    if (!isObject(pdu)) continue;
    const { event_id: _, signatures: __, unsigned: ___, ...hashed } = pdu;
    const id =
      calculates === true && version.eventIds !== "given" ? eventId(hashed, version) : placeholder;
    ids.set(placeholder, id);
    try {
      events.push(readEvent({ ...pdu, event_id: id }, version));
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      problems.push(`${options.name}: events[${at}]: ${what}`);
    }
  }
  const idOf = (id: unknown) => ids.get(String(id)) ?? String(id);
  return {
    version,
    events,
    problems,
    givenStates: new Map(
      entriesOf(scenario.precalculated_state_after).map(([id, state]) => [
        idOf(id),
        (Array.isArray(state) ? state : []).map(idOf),
      ]),
    ),
    expected: new Map(
      entriesOf(replay.expect).map(([id, state]) => [
        idOf(id),
        Object.fromEntries(
          entriesOf(state).map(([key, event]) => [key, event === null ? null : idOf(event)]),
        ),
      ]),
    ),
  };
}

/** An event of a file: as in the federation format, but without demands on hashes, signatures and the form of ids. */
export function readEvent(value: unknown, version: RoomVersion): RoomEvent {
  if (!isObject(value)) throw new Error("it is no object");
  const text = (name: string) => {
    const found = value[name];
    if (typeof found !== "string") throw new Error(`${name} is no text`);
    return found;
  };
  const cited = (name: string) => {
    const found = value[name] ?? [];
    if (!Array.isArray(found)) throw new Error(`${name} is no list`);
    // Versions 1 and 2 write a pair of id and hashes.
    return found.map((entry) => String(Array.isArray(entry) ? entry[0] : entry));
  };
  const { content, state_key: stateKey, event_id: given, redacts } = value;
  if (!isObject(content)) throw new Error("content is no object");
  if (stateKey !== undefined && typeof stateKey !== "string")
    throw new Error("state_key is no text");
  const id = typeof given === "string" ? given : eventId(value, version);
  const type = text("type");
  const isRoot = version.isRoomIdHash && type === "m.room.create" && value.room_id === undefined;
  return {
    id,
    type,
    ...(stateKey === undefined ? {} : { stateKey }),
    sender: text("sender"),
    roomId: isRoot ? `!${id.slice(1)}` : text("room_id"),
    content,
    authEvents: cited("auth_events"),
    prevEvents: cited("prev_events"),
    originServerTs: typeof value.origin_server_ts === "number" ? value.origin_server_ts : 0,
    depth: typeof value.depth === "number" ? value.depth : 0,
    ...(typeof redacts === "string" ? { redacts } : {}),
  };
}

function versionOf(values: readonly unknown[]): RoomVersion | undefined {
  const create = values.find((value) => isObject(value) && value.type === "m.room.create");
  if (!isObject(create)) return undefined;
  // A create event without one is of version 1 (client-server API, m.room.create).
  const named = isObject(create.content) ? (create.content.room_version ?? "1") : "1";
  return typeof named === "string" ? roomVersion(named) : undefined;
}

/** Every text that is a placeholder, replaced by its id, keys included. */
function translate(value: JsonValue, ids: ReadonlyMap<string, string>): JsonValue {
  if (typeof value === "string") return ids.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item) => translate(item, ids));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, translate(item, ids)]),
  );
}

function entriesOf(value: unknown): readonly [string, JsonValue][] {
  return isObject(value) ? Object.entries(value) : [];
}

function tryJson5(text: string): unknown {
  try {
    return JSON5.parse(text);
  } catch {
    return undefined;
  }
}
