/**
 * Files that hold a small event graph and what its state sets resolve to: format mx-stateres-dag/1, described in
 * docs/dag-format.md. The files lie in scenarios/stories/state-resolution.
 */
import { isObject, type JsonObject, type RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";

export const DAG_FORMAT = "mx-stateres-dag/1";

/** State by `type|state_key`. */
export type NamedState = Readonly<Record<string, string>>;

export interface DagEvent {
  readonly id: string;
  readonly type: string;
  readonly stateKey: string | undefined;
  readonly sender: string;
  readonly content: JsonObject;
  readonly auth: readonly string[];
  readonly prev: readonly string[];
  readonly ts: number;
  readonly isRejected: boolean;
  /** Of a redaction below version 11. */
  readonly redacts?: string;
}

export interface DagFile {
  readonly id: string;
  readonly title: string;
  /** A, B, C, D, E, control, tie or order; see docs/dag-format.md. */
  readonly className: string;
  readonly events: readonly DagEvent[];
  readonly stateSets: readonly NamedState[];
  /** By room version. */
  readonly expected: ReadonlyMap<string, NamedState>;
  readonly fullConflictedSet: ReadonlyMap<string, readonly string[]>;
}

/** What is wrong with a file, and where in it. */
class DagFormatError extends Error {
  override readonly name = "DagFormatError";
  readonly place: string;

  constructor(place: string, what: string) {
    super(`${place}: ${what}`);
    this.place = place;
  }
}

/** @throws DagFormatError */
export function parseDagFile(json: unknown): DagFile {
  const file = object(json, "the file");
  if (file.format !== DAG_FORMAT) throw new DagFormatError("format", `is not "${DAG_FORMAT}"`);
  const events = list(file.events, "events").map(parseEvent);
  const ids = new Set(events.map(({ id }) => id));
  if (ids.size < events.length) throw new DagFormatError("events", "two have the same id");
  const stateSets = list(file.state_sets, "state_sets").map((set, at) =>
    parseState(set, `state_sets[${at}]`, ids),
  );
  if (stateSets.length < 2) throw new DagFormatError("state_sets", "there are less than two");
  const byVersion = <T>(name: string, read: (value: unknown, place: string) => T) =>
    new Map(
      Object.entries(object(file[name] ?? {}, name)).map(([version, value]) => [
        version,
        read(value, `${name}.${version}`),
      ]),
    );
  return {
    id: text(file.id ?? "", "id"),
    title: text(file.title ?? "", "title"),
    className: text(file.class ?? "", "class"),
    events,
    stateSets,
    expected: byVersion("expected", (value, place) => parseState(value, place, ids)),
    fullConflictedSet: byVersion("full_conflicted_set", (value, place) =>
      list(value, place).map((id, at) => text(id, `${place}[${at}]`)),
    ),
  };
}

export interface CompiledDag {
  readonly events: readonly RoomEvent[];
  /** Event ids of each state set. */
  readonly stateSets: readonly (readonly string[])[];
  readonly rejected: ReadonlySet<string>;
}

/** The file's events as a room of this version would have them. */
export function compileDag({ events, stateSets }: DagFile, version: RoomVersion): CompiledDag {
  const create = events.find(({ type, stateKey }) => type === "m.room.create" && stateKey === "");
  if (create === undefined) throw new DagFormatError("events", "there is no create event");
  return {
    events: events.map((event) => compileEvent(event, create, version)),
    stateSets: stateSets.map((set) => Object.values(set).map((id) => `$${id}`)),
    rejected: new Set(events.filter(({ isRejected }) => isRejected).map(({ id }) => `$${id}`)),
  };
}

/** One event of a room of this version; the room is that of the create event. */
export function compileEvent(event: DagEvent, create: DagEvent, version: RoomVersion): RoomEvent {
  return {
    id: `$${event.id}`,
    type: event.type,
    ...(event.stateKey === undefined ? {} : { stateKey: event.stateKey }),
    sender: event.sender,
    roomId: version.isRoomIdHash ? `!${create.id}` : "!room:h1",
    content: contentIn(event, create, version),
    authEvents: [
      ...(event === create || version.isRoomIdHash ? [] : [create.id]),
      ...event.auth,
    ].map((id) => `$${id}`),
    prevEvents: event.prev.map((id) => `$${id}`),
    originServerTs: event.ts,
    depth: event.ts,
    ...(event.redacts === undefined ? {} : { redacts: `$${event.redacts}` }),
  };
}

function contentIn(event: DagEvent, create: DagEvent, version: RoomVersion): JsonObject {
  const { content } = event;
  if (event === create) {
    const creator = version.hasImplicitCreator ? {} : { creator: create.sender };
    return { ...content, room_version: version.id, ...creator };
  }
  const isLevels = event.type === "m.room.power_levels" && !version.hasPrivilegedCreators;
  const users = isObject(content.users) ? content.users : {};
  if (!isLevels || Object.hasOwn(users, create.sender)) return content;
  return { ...content, users: { [create.sender]: 100, ...users } };
}

/** A resolved state with the file's own ids. */
export function namedState(
  ids: readonly string[],
  { events }: Pick<DagFile, "events">,
): NamedState {
  const byId = new Map(events.map((event) => [`$${event.id}`, event]));
  const entries = ids.flatMap((id) => {
    const event = byId.get(id);
    return event === undefined
      ? []
      : [[`${event.type}|${event.stateKey ?? ""}`, event.id] as const];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function parseEvent(value: unknown, at: number): DagEvent {
  const place = `events[${at}]`;
  const event = object(value, place);
  const ids = (name: string) =>
    list(event[name] ?? [], `${place}.${name}`).map((id, index) =>
      text(id, `${place}.${name}[${index}]`),
    );
  if (typeof event.ts !== "number") throw new DagFormatError(`${place}.ts`, "is no number");
  return {
    id: text(event.id, `${place}.id`),
    type: text(event.type, `${place}.type`),
    stateKey:
      event.state_key === undefined ? undefined : text(event.state_key, `${place}.state_key`),
    sender: text(event.sender, `${place}.sender`),
    content: object(event.content, `${place}.content`),
    auth: ids("auth"),
    prev: ids("prev"),
    ts: event.ts,
    isRejected: event.rejected === true,
    ...(event.redacts === undefined ? {} : { redacts: text(event.redacts, `${place}.redacts`) }),
  };
}

function parseState(value: unknown, place: string, ids: ReadonlySet<string>): NamedState {
  const state: Record<string, string> = {};
  for (const [key, id] of Object.entries(object(value, place))) {
    const named = text(id, `${place}["${key}"]`);
    if (!ids.has(named))
      throw new DagFormatError(`${place}["${key}"]`, `there is no event ${named}`);
    state[key] = named;
  }
  return state;
}

function object(value: unknown, place: string): JsonObject {
  if (!isObject(value)) throw new DagFormatError(place, "is no object");
  return value;
}

function list(value: unknown, place: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new DagFormatError(place, "is no array");
  return value;
}

function text(value: unknown, place: string): string {
  if (typeof value !== "string") throw new DagFormatError(place, "is no text");
  return value;
}
