/** Runs made of a run and edits of it: as if it had been recorded that way. */
import { isObject, type JsonObject, type JsonValue, type RoomEvent } from "#protocol/events/event";
import { RoomHistory } from "#protocol/state/room-history";
import { buildRun } from "#tardis/model/build";
import { withKeys } from "#tardis/model/json";
import { problemText } from "#tardis/model/problem";
import type { NumberedRecord, Room, Run } from "#tardis/model/run";
import { delivered, type Judgement, judgeArrivals } from "./deliveries.ts";
import { Drafts } from "./drafts.ts";
import { type Edit, renamed } from "./edits.ts";
import { type Rehashed, type Rewritten, rehash } from "./rehash.ts";

export interface Edited {
  readonly run: Run;
  readonly events: readonly Rewritten[];
  /** Ids after all edits, by original ones; what is dropped has none. */
  readonly idOf: ReadonlyMap<string, string>;
  readonly originalOf: ReadonlyMap<string, string>;
  /** Original ids of what was dropped. */
  readonly dropped: ReadonlySet<string>;
}

/** The events alone: what it takes to tell a state. */
export interface EditedEvents extends Rehashed {
  readonly dropped: ReadonlySet<string>;
}

export class Editor {
  readonly #run: Run;
  readonly #idOf: ReadonlyMap<string, string>;
  #judged: readonly (Judgement | undefined)[] | undefined;

  constructor(run: Run) {
    this.#run = run;
    this.#idOf = new Map(
      run.pdus.flatMap(({ name, eventId }) => (name === undefined ? [] : [[name, eventId]])),
    );
  }

  get run(): Run {
    return this.#run;
  }

  /** The same edits with ids where they have the names of a scenario. */
  withIds(edits: readonly Edit[]): readonly Edit[] {
    return edits.map((edit) => renamed(edit, (name) => this.#idOf.get(name) ?? name));
  }

  /** @throws RunError for an edit that can not be done */
  events(edits: readonly Edit[]): EditedEvents {
    const drafts = new Drafts(this.#run);
    for (const edit of this.withIds(edits)) drafts.apply(edit);
    return { ...rehash(drafts.all), dropped: drafts.dropped };
  }

  /** @throws RunError for an edit that can not be done */
  apply(edits: readonly Edit[]): Edited {
    const run = this.#run;
    const { events, rooms, dropped } = this.events(edits);
    const idOf = new Map(events.map(({ draft, id }) => [draft.original, id]));
    const originalOf = new Map([...idOf].map(([original, id]) => [id, original]));
    const versions = new Map(
      run.rooms.map(({ id, version }) => [rooms.get(id) ?? id, version] as const),
    );
    const byId = new Map(events.map((one) => [one.id, one]));
    let records = recordsOf(run, events, idOf, rooms);
    for (const edit of this.withIds(edits)) {
      if (edit.kind !== "deliver") continue;
      const named = {
        server: edit.server,
        event: idOf.get(edit.event) ?? edit.event,
        before: idOf.get(edit.before) ?? edit.before,
      };
      records = delivered(records, named, (id) => byId.get(id)?.event);
    }
    const numbered = renumbered(records);
    const edited = buildRun(this.#judge(events, numbered, idOf, originalOf), run.problems, {
      versionOf: (pdu) => versions.get(roomOf(pdu, byId)),
      isOrdered: true,
      name: "edits",
    });
    const problems = new Map(edited.problems.map((problem) => [problemText(problem), problem]));
    const told = { ...edited, problems: [...problems.values()] };
    return { run: told, events, idOf, originalOf, dropped };
  }

  /** Verdicts of servers are changed where ours are, so that what they did wrong stays wrong. */
  #judge(
    events: readonly Rewritten[],
    records: readonly NumberedRecord[],
    idOf: ReadonlyMap<string, string>,
    originalOf: ReadonlyMap<string, string>,
  ): readonly NumberedRecord[] {
    const run = this.#run;
    this.#judged ??= judgeArrivals(
      run.records,
      historiesOf(
        run.pdus.map(({ event }) => event),
        run.rooms,
        run.givenStates,
      ),
    );
    const before = new Map<string, Judgement>();
    for (const [at, { body }] of run.records.entries()) {
      const judgement = this.#judged[at];
      if (judgement !== undefined) before.set(arrivalKey(body, String(body.event_id)), judgement);
    }
    if (before.size === 0) return records;
    const after = judgeArrivals(
      records,
      historiesOf(
        events.map(({ event }) => event),
        roomsOf(events),
        givenIn(run, idOf),
      ),
    );
    return records.map((record, at) => {
      const judgement = after[at];
      if (judgement === undefined) return record;
      const { body } = record;
      const own = originalOf.get(String(body.event_id)) ?? String(body.event_id);
      const { verdict, reason } = judgement;
      if (before.get(arrivalKey(body, own))?.verdict === verdict) return record;
      const without = withKeys(body, { without: ["verdict", "reason", "deduced"] });
      const told = { verdict, ...(reason === undefined ? {} : { reason }), deduced: true };
      return { ...record, body: { ...without, ...told } };
    });
  }
}

/** Several arrivals of one event at one server are judged alike. */
function arrivalKey({ server }: JsonObject, original: string): string {
  return JSON.stringify([server, original]);
}

function roomsOf(events: readonly Rewritten[]): readonly Room[] {
  const rooms = new Map(
    events.map(({ event, draft }) => [event.roomId, { id: event.roomId, version: draft.version }]),
  );
  return [...rooms.values()];
}

/** States that a file gives, by the ids after all edits. */
export function givenIn(
  { givenStates }: Run,
  idOf: ReadonlyMap<string, string>,
): ReadonlyMap<string, readonly string[]> {
  return new Map(
    [...givenStates].flatMap(([id, state]) => {
      const now = idOf.get(id);
      return now === undefined ? [] : [[now, state.flatMap((one) => idOf.get(one) ?? [])]];
    }),
  );
}

function historiesOf(
  events: readonly RoomEvent[],
  rooms: readonly Room[],
  givenStates: ReadonlyMap<string, readonly string[]>,
): (eventId: string) => RoomHistory | undefined {
  const histories = new Map(
    rooms.map(({ id, version }) => [
      id,
      new RoomHistory(
        events.filter(({ roomId }) => roomId === id),
        version,
        { givenStates },
      ),
    ]),
  );
  const byEvent = new Map(events.map((event) => [event.id, histories.get(event.roomId)]));
  return (id) => byEvent.get(id);
}

function roomOf(pdu: JsonObject, byId: ReadonlyMap<string, Rewritten>): string {
  if (typeof pdu.room_id === "string") return pdu.room_id;
  for (const { json, event } of byId.values()) if (json === pdu) return event.roomId;
  return "";
}

/**
 * The records of the original with the events as they are now. What servers told of their states is left out: they told it
 * of what has happened.
 */
function recordsOf(
  run: Run,
  events: readonly Rewritten[],
  idOf: ReadonlyMap<string, string>,
  rooms: ReadonlyMap<string, string>,
): readonly NumberedRecord[] {
  const copies = Map.groupBy(
    events.filter(({ draft }) => draft.original !== draft.pdu.eventId),
    ({ draft }) => draft.pdu.eventId,
  );
  const byOriginal = new Map(events.map((one) => [one.draft.original, one]));
  const known = new Set(run.pdus.map(({ eventId }) => eventId));
  return run.records.flatMap((record): readonly NumberedRecord[] => {
    const { body } = record;
    const { t, event_id: id } = body;
    if (t === "state") return [];
    if (t === "meta") return [{ ...record, body: metaOf(body, run, idOf, rooms) }];
    const own = typeof id === "string" ? byOriginal.get(id) : undefined;
    const others = typeof id === "string" ? (copies.get(id) ?? []) : [];
    if (t === "pdu") {
      return [...(own === undefined ? [] : [own]), ...others].map((one) => pduRecord(record, one));
    }
    const isGone = typeof id === "string" && own === undefined && known.has(id);
    if (t === "arrive") {
      const targets = isGone
        ? others.map((one) => one.id)
        : [own?.id, ...others.map((one) => one.id)];
      return targets.map((target) =>
        target === undefined || target === id
          ? record
          : { ...record, body: { ...body, event_id: target } },
      );
    }
    const list = Array.isArray(body.events) ? body.events : undefined;
    const told = list?.map((one: JsonValue) => idOf.get(String(one)) ?? one);
    const front = {
      ...(own !== undefined && own.id !== id ? { event_id: own.id } : {}),
      ...(told?.some((one, at) => one !== list?.[at]) ? { events: told } : {}),
    };
    return [Object.keys(front).length === 0 ? record : { ...record, body: { ...body, ...front } }];
  });
}

function pduRecord(record: NumberedRecord, { draft, id, json }: Rewritten): NumberedRecord {
  const { pdu, original } = draft;
  if (json === pdu.json && id === pdu.eventId) return record;
  const name = original === pdu.eventId ? undefined : pdu.name === undefined ? undefined : original;
  return {
    ...record,
    body: {
      ...record.body,
      event_id: id,
      pdu: json,
      ...(name === undefined ? {} : { name }),
    },
  };
}

/** Rising numbers: their own where they rise. */
function renumbered(records: readonly NumberedRecord[]): readonly NumberedRecord[] {
  const isRising = records.every(({ seq }, at) => at === 0 || seq > (records[at - 1]?.seq ?? 0));
  return isRising ? records : records.map((record, at) => ({ ...record, seq: at + 1 }));
}

/** What a scenario says of events by their ids goes with them. */
function metaOf(
  meta: JsonObject,
  run: Run,
  idOf: ReadonlyMap<string, string>,
  rooms: ReadonlyMap<string, string>,
): JsonObject {
  const { scenario, rooms: named } = meta;
  const ids = new Map(run.pdus.map(({ name, eventId }) => [name ?? eventId, eventId]));
  const nameOf = (name: string): string | undefined => {
    const original = ids.get(name);
    if (original === undefined) return name;
    const id = idOf.get(original);
    return id === undefined ? undefined : name === original ? id : name;
  };
  const keyed = (value: JsonValue | undefined, inner: (value: JsonValue) => JsonValue) =>
    isObject(value)
      ? Object.fromEntries(
          Object.entries(value).flatMap(([key, one]) => {
            const name = nameOf(key);
            return name === undefined ? [] : [[name, inner(one)]];
          }),
        )
      : undefined;
  const listed = (value: JsonValue): JsonValue =>
    Array.isArray(value) ? value.flatMap((one: JsonValue) => nameOf(String(one)) ?? []) : value;
  const expectedIn = (value: JsonValue): JsonValue =>
    isObject(value)
      ? Object.fromEntries(
          Object.entries(value).map(([key, one]) => [
            key,
            typeof one === "string" ? (nameOf(one) ?? null) : one,
          ]),
        )
      : value;
  const front: Record<string, JsonValue> = {};
  if (Array.isArray(named))
    front.rooms = named.map((one: JsonValue) => rooms.get(String(one)) ?? one);
  if (isObject(scenario)) {
    const given = keyed(scenario.precalculated_state_after, listed);
    const replay = isObject(scenario.x_replay) ? scenario.x_replay : undefined;
    const expect = keyed(replay?.expect, expectedIn);
    front.scenario = {
      ...scenario,
      ...(given === undefined ? {} : { precalculated_state_after: given }),
      ...(expect === undefined ? {} : { x_replay: { ...replay, expect } }),
    };
  }
  return Object.keys(front).length === 0 ? meta : { ...meta, ...front };
}
