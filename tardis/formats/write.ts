/** Runs as text: replays (C), scenarios (B) and rooms (A). */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import { EDGE_KINDS } from "#tardis/model/graph";
import { withKeys, writeJson } from "#tardis/model/json";
import { RunError } from "#tardis/model/problem";
import type { Pdu, Run } from "#tardis/model/run";
import { roomIdFor } from "./scenario.ts";

export type WrittenFormat = "replay" | "scenario" | "room";

/** @throws RunError when the format can not hold the run */
export function writeRun(run: Run, format: WrittenFormat): string {
  switch (format) {
    case "replay":
      return lines(replayOf(run));
    case "room":
      if (run.pdus.length === 0) throw new RunError({ file: "room", what: "there is no event" });
      return lines(
        run.pdus.map(({ eventId, json }) => withKeys(json, { front: { event_id: eventId } })),
      );
    case "scenario":
      return writeScenario(run);
  }
}

/**
 * @param expected what it is to expect after events, by event id; what it expects already unless given
 * @throws RunError for a run of several rooms
 */
export function writeScenario(run: Run, expected?: Run["expected"]): string {
  return `${JSON.stringify(scenarioOf(run, expected), null, 2)}\n`;
}

/** With more said in its meta record; a run without one gets it when it is written. */
export function withMeta(run: Run, more: JsonObject): Run {
  const [first, ...rest] = run.records;
  const meta = { ...run.meta, ...more };
  if (first?.body.t !== "meta") return { ...run, meta };
  const own = withKeys(first.body, { without: Object.keys(more) });
  return { ...run, meta, records: [{ ...first, body: { ...own, ...more } }, ...rest] };
}

function lines(values: readonly JsonObject[]): string {
  return values.map((value) => `${writeJson(value)}\n`).join("");
}

/** The records, with numbers; a run that has none that says what it is gets one. */
function replayOf({ records, rooms, meta }: Run): readonly JsonObject[] {
  const [first] = records;
  const isStarted = first?.body.t === "meta";
  const [{ version } = { version: undefined }] = rooms;
  const start: JsonObject = {
    seq: 0,
    at: first?.at ?? 0,
    t: "meta",
    format: "mx-replay",
    version: 1,
    rooms: rooms.map(({ id }) => id),
    ...(version === undefined ? {} : { room_version: version.id }),
    ...meta,
  };
  const numbered = records.map(({ seq, at, body }) =>
    body.seq === seq && body.at === at ? body : withKeys(body, { front: { seq, at } }),
  );
  return isStarted ? numbered : [start, ...numbered];
}

/** In the names of the scenario that it came from. */
function scenarioOf(run: Run, expected?: Run["expected"]): JsonObject {
  const [room, ...others] = run.rooms;
  if (room === undefined || others.length > 0) {
    const what = `a scenario holds one room, and there are ${run.rooms.length}`;
    throw new RunError({ file: "scenario", what });
  }
  const given = isObject(run.meta.scenario) ? run.meta.scenario : undefined;
  const { x_replay: replay, ...rest }: JsonObject = given ?? {
    tardis_version: 1,
    room_version: room.version.id,
    ...(room.version.isRoomIdHash ? {} : { room_id: room.id }),
    calculate_event_ids: false,
  };
  const base = { ...rest, ...(given === undefined ? {} : { room_version: room.version.id }) };
  const names = new Map(run.pdus.map(({ eventId, name }) => [eventId, name ?? eventId]));
  const create = run.pdus.find(({ event }) => event.type === "m.room.create");
  const extra = {
    ...(isObject(replay) ? replay : serversOf(run)),
    ...recordsOf(run, "arrive", "arrivals", names),
    ...recordsOf(run, "fault", "faults", names),
    ...(expected === undefined ? {} : { expect: expectIn(expected, names) }),
  };
  return {
    ...base,
    events: run.pdus.map((pdu) => {
      const { room_id: roomId, ...without } = pdu.json;
      const isImplied = roomId === roomIdFor(without, base, create?.eventId, room.version);
      return eventOf(pdu, names, isImplied ? ["room_id"] : []);
    }),
    ...(Object.keys(extra).length === 0 ? {} : { x_replay: extra }),
  };
}

function eventOf(
  { eventId, json }: Pdu,
  names: ReadonlyMap<string, string>,
  without: readonly string[],
): JsonObject {
  const front = { event_id: names.get(eventId) ?? eventId };
  const event: Record<string, JsonValue> = { ...withKeys(json, { front, without }) };
  for (const key of Object.values(EDGE_KINDS)) {
    const list = event[key];
    if (!Array.isArray(list)) continue;
    event[key] = list.map((id: JsonValue) => names.get(String(id)) ?? id);
  }
  return event;
}

function expectIn(
  expected: Run["expected"],
  names: ReadonlyMap<string, string>,
): Record<string, JsonObject> {
  const nameOf = (id: string) => names.get(id) ?? id;
  return Object.fromEntries(
    [...expected].map(([after, state]) => [
      nameOf(after),
      Object.fromEntries([...state].map(([key, id]) => [key, id === null ? null : nameOf(id)])),
    ]),
  );
}

function serversOf({ servers }: Run): JsonObject {
  return servers.length === 0 ? {} : { servers: servers.map(({ name }) => name) };
}

function recordsOf(
  { records }: Run,
  kind: string,
  key: string,
  names: ReadonlyMap<string, string>,
): JsonObject {
  const found = records.filter(({ body }) => body.t === kind);
  if (found.length === 0) return {};
  return {
    [key]: found.map(({ at, body }) => {
      const { seq: _, t: __, event_id: id, ...rest } = body;
      return {
        at,
        ...(id === undefined ? {} : { event_id: names.get(String(id)) ?? id }),
        ...rest,
      };
    }),
  };
}
