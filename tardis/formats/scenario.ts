/** Format B: scenario files of TARDIS, read by the rules of the original, with time in UTC (docs/dag-format.md). */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import { EDGE_KINDS } from "#tardis/model/graph";
import { withKeys } from "#tardis/model/json";
import { type Place, type Problem, problemOf } from "#tardis/model/problem";
import { itemLines } from "./item-lines.ts";
import { Drafts, type Input, isCreate, type Known, NO_VERSION, type Part } from "./part.ts";

/** 1 January 2024 in UTC, where the clock of a scenario starts. The original starts it at midnight of the reader's zone. */
const START_MS = 1_704_067_200_000;
const STEP_MS = 1_000;
const DEFAULT_VERSION = "10";

export function isScenario(value: unknown): value is JsonObject {
  return isObject(value) && Array.isArray(value.events) && !Array.isArray(value.pdus);
}

export function readScenario({ name, text, value }: Input): Part {
  const scenario = isScenario(value) ? value : {};
  const named = String(scenario.room_version ?? DEFAULT_VERSION);
  const isKnown = roomVersion(named) !== undefined;
  const problem = { file: name, field: "room_version", what: `there is no version ${named}` };
  return {
    format: "scenario",
    isOrdered: true,
    versions: new Map(
      [scenario.room_id, "*"].flatMap((room) =>
        typeof room === "string" && isKnown ? [[room, named] as const] : [],
      ),
    ),
    creates: [],
    problems: isKnown ? [] : [problem],
    tell: (known) => new ScenarioReader(name, text, scenario, known).read(),
  };
}

class ScenarioReader {
  readonly #name: string;
  readonly #scenario: JsonObject;
  readonly #replay: JsonObject;
  readonly #lines: readonly number[];
  readonly #told: Drafts;
  readonly #version: RoomVersion | undefined;
  /** Ids of the events so far, by what the scenario calls them. */
  readonly #ids = new Map<string, string>();
  readonly #names: ReadonlySet<unknown>;
  #createId: string | undefined;
  #clock: number;

  constructor(name: string, text: string, scenario: JsonObject, known: Known) {
    this.#name = name;
    this.#scenario = scenario;
    this.#replay = isObject(scenario.x_replay) ? scenario.x_replay : {};
    this.#lines = itemLines(text, "events");
    this.#told = new Drafts(known);
    this.#version = known.versionOf(scenario);
    this.#clock = typeof this.#replay.base_ts === "number" ? this.#replay.base_ts : START_MS;
    this.#names = new Set(this.#events.map((event) => isObject(event) && event.event_id));
  }

  read(): Drafts {
    const told = this.#told;
    const file = { file: this.#name };
    if (this.#version === undefined) {
      told.problems.push({ ...file, what: NO_VERSION });
      return told;
    }
    const { events: _, x_replay: __, ...rest } = this.#scenario;
    const { arrivals, faults, ...replay } = this.#replay;
    told.add(file, undefined, {
      t: "meta",
      format: "mx-replay",
      version: 1,
      rooms: typeof rest.room_id === "string" ? [rest.room_id] : [],
      room_version: this.#version.id,
      scenario: { ...rest, ...(Object.keys(replay).length === 0 ? {} : { x_replay: replay }) },
    });
    for (const server of listOf(replay.servers)) {
      const body = typeof server === "string" ? { name: server } : server;
      if (isObject(body)) told.add(file, undefined, { ...body, t: "server" });
    }
    for (const [at, event] of this.#events.entries()) this.#tell(event, at);
    for (const [t, list] of [
      ["arrive", arrivals],
      ["fault", faults],
    ] as const) {
      for (const record of listOf(list)) if (isObject(record)) this.#tellRecord(t, record);
    }
    return told;
  }

  get #events(): readonly JsonValue[] {
    return listOf(this.#scenario.events);
  }

  #tellRecord(t: string, record: JsonObject): void {
    const { event_id: id, at } = record;
    const translated = typeof id === "string" ? { event_id: this.#ids.get(id) ?? id } : {};
    const when = typeof at === "number" ? at : undefined;
    this.#told.add({ file: this.#name }, when, { ...record, ...translated, t });
  }

  #tell(event: JsonValue, at: number): void {
    const place: Place = { file: this.#name, line: this.#lines[at], field: `events[${at}]` };
    const problem = this.#problemOf(event);
    if (problem !== undefined || !isObject(event)) {
      const { field, what } = problem ?? { field: undefined, what: "no object" };
      this.#told.problems.push({ ...place, field: fieldIn(place, field), what });
      return;
    }
    try {
      const name = String(event.event_id);
      const pdu = this.#translated(this.#completed(event), name, place);
      const isCalculated =
        this.#scenario.calculate_event_ids === true && this.#version?.eventIds !== "given";
      const id =
        isCalculated && this.#version !== undefined
          ? eventId(withKeys(pdu, { without: ["event_id"] }), this.#version)
          : name;
      this.#ids.set(name, id);
      if (isCreate(pdu)) this.#createId ??= id;
      const isPart = this.#version?.eventIds === "given";
      this.#told.add(place, undefined, {
        t: "pdu",
        event_id: id,
        ...(id === name ? {} : { name }),
        pdu: isPart ? pdu : withKeys(pdu, { without: ["event_id"] }),
        ...(isCalculated ? { id_source: "calculated" } : {}),
      });
    } catch (error) {
      this.#told.problems.push(problemOf(place, error));
    }
  }

  #problemOf(event: JsonValue): Pick<Problem, "what" | "field"> | undefined {
    if (!isObject(event)) return { what: "no object" };
    for (const field of ["event_id", "type"]) {
      if (typeof event[field] !== "string" || event[field] === "")
        return { field, what: "no text" };
    }
    const id = String(event.event_id);
    return this.#ids.has(id) ? { field: "event_id", what: `${id} was there before` } : undefined;
  }

  /** With the defaults of the original for what it leaves out. */
  #completed(event: JsonObject): JsonObject {
    const { origin_server_ts: stamp } = event;
    const ts = typeof stamp === "number" && stamp !== 0 ? stamp : this.#clock;
    this.#clock = ts + STEP_MS;
    const room = roomIdFor(event, this.#scenario, this.#createId, this.#version);
    return {
      ...withKeys(event, { without: room === undefined ? [] : ["room_id"] }),
      ...(room === undefined ? {} : { room_id: room }),
      ...(ts === stamp ? {} : { origin_server_ts: ts }),
    };
  }

  /** References, by ids; what refers to a later event, or to itself, is told. */
  #translated(event: JsonObject, name: string, place: Place): JsonObject {
    const translated: Record<string, JsonValue> = {};
    for (const key of Object.values(EDGE_KINDS)) {
      const { [key]: list } = event;
      if (!Array.isArray(list)) continue;
      translated[key] = list.map((id, at) => {
        const known = typeof id === "string" ? this.#ids.get(id) : undefined;
        if (known === undefined && this.#names.has(id)) {
          const what =
            id === name ? "is the event itself" : `${String(id)} comes later in the file`;
          this.#told.problems.push({ ...place, field: fieldIn(place, `${key}[${at}]`), what });
        }
        return known ?? id;
      });
    }
    const copy = withKeys(event, {});
    for (const [key, list] of Object.entries(translated))
      (copy as Record<string, JsonValue>)[key] = list;
    return copy;
  }
}

/** The room id that an event gets from its scenario: none when it has its own. */
export function roomIdFor(
  event: JsonObject,
  { room_id: every, calculate_event_ids: calculates }: JsonObject,
  createId: string | undefined,
  version: RoomVersion | undefined,
): string | undefined {
  const { room_id: own } = event;
  if (version?.isRoomIdHash) {
    if (isCreate(event) || createId === undefined) return undefined;
    // The id of the room is that of its create event, whatever the file calls it.
    if (own !== undefined && (own !== every || calculates !== true)) return undefined;
    return `!${createId.slice(1)}`;
  }
  return own === undefined && typeof every === "string" ? every : undefined;
}

function fieldIn({ field }: Place, inner: string | undefined): string | undefined {
  return inner === undefined ? field : `${field}.${inner}`;
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
