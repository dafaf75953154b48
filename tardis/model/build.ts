/** Makes a run of records in their order. */
import { canonicalJson, MAX_NESTING } from "#protocol/events/canonical-json";
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import { readEvent } from "#protocol/events/read-event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { cutFactsOf } from "./cut.ts";
import { EDGE_KINDS, type EdgeKind, type Edges, topologicalOrder } from "./graph.ts";
import { Interner } from "./interner.ts";
import { isDeep, withKeys } from "./json.ts";
import { type Problem, problemOf, RunError } from "./problem.ts";
import { Recording } from "./recording.ts";
import type { Gap, NumberedRecord, Pdu, Room, Run } from "./run.ts";
import { scenarioOf } from "./scenario.ts";

/** More is refused: the machine of a reader has to hold it. */
const MAX_EVENTS = 250_000;
export const MAX_EDGES = 1_000_000;

export interface BuildOptions {
  readonly versionOf: (pdu: JsonObject) => RoomVersion | undefined;
  /** The order of records is an order of events; otherwise depth, time and id decide. */
  readonly isOrdered: boolean;
  /** For messages about all of it. */
  readonly name: string;
}

/** @throws RunError for what is too large, or when there is nothing */
export function buildRun(
  records: readonly NumberedRecord[],
  earlier: readonly Problem[],
  options: BuildOptions,
): Run {
  const problems = [...earlier];
  const kept: NumberedRecord[] = [];
  const drafts = new Map<string, Pdu>();
  const rooms = new Map<string, Room>();
  for (const record of records) {
    if (isDeep(record.body)) {
      problems.push({ ...record.place, what: `more than ${MAX_NESTING} levels` });
      continue;
    }
    if (record.body.t !== "pdu") {
      kept.push(record);
      continue;
    }
    try {
      const pdu = readPdu(record, options.versionOf);
      const { eventId, event } = pdu;
      const before = drafts.get(eventId);
      if (before !== undefined) {
        if (!isSame(before.json, pdu.json)) {
          const what = `${eventId} is another event in ${before.place.file}, which counts`;
          problems.push({ ...record.place, what });
        }
        continue;
      }
      drafts.set(eventId, pdu);
      kept.push(record);
      const version = options.versionOf(pdu.json);
      if (version !== undefined) rooms.set(event.roomId, { id: event.roomId, version });
    } catch (error) {
      problems.push(problemOf(record.place, error));
    }
    if (drafts.size > MAX_EVENTS) {
      throw new RunError({ file: options.name, what: `there are more than ${MAX_EVENTS} events` });
    }
  }
  if (kept.length === 0) {
    const [first] = problems;
    throw new RunError(first ?? { file: options.name, what: "there is nothing in it" });
  }
  const { pdus: ordered, ...graph } = sorted([...drafts.values()], problems, options);
  const { pdus, records: told } = options.isOrdered
    ? { pdus: ordered, records: kept }
    : inOrderOf(ordered, kept);
  const recording = new Recording(new Map(pdus.map(({ eventId }, row) => [eventId, row])));
  for (const record of told) {
    const problem = recording.read(record);
    if (problem !== undefined) problems.push({ ...record.place, ...problem });
  }
  return {
    ...recording.parts(),
    ...scenarioOf(recording.meta, pdus),
    cut: cutFactsOf(recording.meta),
    rooms: [...rooms.values()],
    pdus,
    ...graph,
    records: told,
    problems,
  };
}

/** The events' records in the order of the events: that of the file says nothing. */
function inOrderOf(
  ordered: readonly Pdu[],
  records: readonly NumberedRecord[],
): { readonly pdus: readonly Pdu[]; readonly records: readonly NumberedRecord[] } {
  const byId = new Map(
    records.flatMap((record) =>
      record.body.t === "pdu" ? [[record.body.event_id, record] as const] : [],
    ),
  );
  const pdus: Pdu[] = [];
  const told = records.map((record) => {
    const pdu = record.body.t === "pdu" ? ordered[pdus.length] : undefined;
    if (pdu === undefined) return record;
    const { seq } = record;
    pdus.push(pdu.seq === seq ? pdu : { ...pdu, seq });
    const own = byId.get(pdu.eventId) ?? record;
    return own.seq === seq ? own : { ...own, seq };
  });
  return { pdus, records: told };
}

const HASH_ID = /^\$[\w+/-]{43}$/;

function readPdu({ body, seq, place }: NumberedRecord, versionOf: BuildOptions["versionOf"]): Pdu {
  const { event_id: eventId, pdu: json, name, id_source: source } = body;
  if (typeof eventId !== "string" || eventId === "") throw new Error("no text at $.event_id");
  if (!isObject(json)) throw new Error("no object at $.pdu");
  const version = versionOf(json);
  if (version === undefined) {
    const isRoomTold = typeof json.room_id === "string";
    throw new Error(isRoomTold ? "its room's version is not known" : "no text at $.room_id");
  }
  const event = readEvent(json, version, eventId);
  const isName = version.eventIds !== "given" && !HASH_ID.test(eventId);
  return {
    eventId,
    idSource: source === "calculated" ? "calculated" : isName ? "placeholder" : "given",
    name: typeof name === "string" && name !== eventId ? name : undefined,
    json,
    event,
    seq,
    place,
  };
}

function isSame(one: JsonObject, other: JsonObject): boolean {
  if (one === other) return true;
  const text = (pdu: JsonObject) => {
    try {
      return canonicalJson(withKeys(pdu, { without: ["unsigned", "event_id"] }), { strict: false });
    } catch {
      return undefined;
    }
  };
  return text(one) === text(other);
}

/** Rows in order, and their edges. */
function sorted(
  pdus: readonly Pdu[],
  problems: Problem[],
  options: BuildOptions,
): Pick<Run, "pdus" | "graph" | "gaps"> {
  const ids = new Interner();
  for (const { eventId } of pdus) ids.intern(eventId);
  const cited = citedBy(pdus, ids, options.name);
  const order = topologicalOrder(
    knownOf([...cited.values()], pdus.length),
    ranksOf(pdus, options.isOrdered),
  );
  const rowOf = new Int32Array(pdus.length);
  for (const [row, node] of order.entries()) rowOf[node] = row;
  const gaps: { eventId: string; citedBy: number[] }[] = ids.texts
    .slice(pdus.length)
    .map((eventId) => ({ eventId, citedBy: [] }));
  const ringed = new Set<number>();
  const edges = [...cited].map(([kind, { offsets, targets }]) => {
    const rows = {
      offsets: new Uint32Array(pdus.length + 1),
      targets: new Int32Array(targets.length),
    };
    let count = 0;
    for (const [row, node] of order.entries()) {
      for (let edge = offsets[node] ?? 0; edge < (offsets[node + 1] ?? 0); edge++) {
        const id = targets[edge] ?? 0;
        const gap = id - pdus.length;
        if (gap >= 0) gaps[gap]?.citedBy.push(row);
        const to = gap >= 0 ? -1 - gap : (rowOf[id] ?? 0);
        // What is not above closes a ring.
        if (to >= row) ringed.add(row);
        else rows.targets[count++] = to;
      }
      rows.offsets[row + 1] = count;
    }
    return [kind, { ...rows, targets: rows.targets.slice(0, count) }];
  });
  const rows = Array.from(order, (node) => pdus[node]).filter((pdu) => pdu !== undefined);
  for (const row of ringed) {
    const pdu = rows[row];
    if (pdu === undefined) continue;
    problems.push({
      ...pdu.place,
      what: `${pdu.eventId} refers to itself, by way of others or not`,
    });
  }
  return {
    pdus: rows,
    graph: { size: pdus.length, edges: Object.fromEntries(edges) as Run["graph"]["edges"] },
    gaps: gaps satisfies readonly Gap[],
  };
}

/** By kind, what each event refers to, by the numbers of ids: those from the count of events on are of none. */
function citedBy(pdus: readonly Pdu[], ids: Interner, name: string): ReadonlyMap<EdgeKind, Edges> {
  const kinds = Object.keys(EDGE_KINDS) as EdgeKind[];
  const lists = kinds.map((kind) => ({
    kind,
    offsets: new Uint32Array(pdus.length + 1),
    targets: [] as number[],
  }));
  for (const [node, pdu] of pdus.entries()) {
    let count = 0;
    for (const { kind, offsets, targets } of lists) {
      for (const id of referencesOf(pdu, kind)) targets.push(ids.intern(id));
      offsets[node + 1] = targets.length;
      count += targets.length;
    }
    if (count > MAX_EDGES) {
      throw new RunError({ file: name, what: `there are more than ${MAX_EDGES} edges` });
    }
  }
  return new Map(
    lists.map(({ kind, offsets, targets }) => [
      kind,
      { offsets, targets: new Int32Array(targets) },
    ]),
  );
}

/** All kinds in one, without what refers to no event that there is. */
function knownOf(kinds: readonly Edges[], size: number): Edges {
  const offsets = new Uint32Array(size + 1);
  const targets = new Int32Array(kinds.reduce((sum, one) => sum + one.targets.length, 0));
  let count = 0;
  for (let node = 0; node < size; node++) {
    for (const one of kinds) {
      for (let edge = one.offsets[node] ?? 0; edge < (one.offsets[node + 1] ?? 0); edge++) {
        const target = one.targets[edge] ?? 0;
        targets[count++] = target < size ? target : -1;
      }
    }
    offsets[node + 1] = count;
  }
  return { offsets, targets };
}

function referencesOf({ event, json }: Pdu, kind: EdgeKind): readonly string[] {
  if (kind === "prev") return event.prevEvents;
  if (kind === "auth") return event.authEvents;
  const key = EDGE_KINDS[kind];
  const list: JsonValue = Object.hasOwn(json, key) ? (json[key] ?? null) : null;
  return Array.isArray(list) ? list.filter((id): id is string => typeof id === "string") : [];
}

function ranksOf(pdus: readonly Pdu[], isOrdered: boolean): Float64Array {
  if (isOrdered) return Float64Array.from(pdus, ({ seq }) => seq);
  const order = pdus
    .map((_, at) => at)
    .sort((a, b) => {
      const [one, other] = [pdus[a]?.event, pdus[b]?.event];
      if (one === undefined || other === undefined) return 0;
      return (
        one.depth - other.depth ||
        one.originServerTs - other.originServerTs ||
        (one.id < other.id ? -1 : 1)
      );
    });
  const ranks = new Float64Array(pdus.length);
  for (const [rank, at] of order.entries()) ranks[at] = rank;
  return ranks;
}
