/**
 * Reads a chaos journal from its text. Whatever stands in it: a journal may end in the middle of a line, as after a kill of
 * the harness, and hold what a hostile server said.
 */
import { z } from "zod";
import { isObject, type JsonObject } from "#protocol/events/event";
import type { JournalRecord } from "./record.ts";

export interface ReadJournal {
  /** In the order of the file. */
  readonly records: readonly JournalRecord[];
  /** What was left out, one line each, with its place. Unknown types of records are no problem: they are ignored. */
  readonly problems: readonly string[];
}

const texts = z.array(z.string());
const named = z.record(z.string(), z.string());
const observed = { server: z.string(), user: z.string() };
const inRoom = { ...observed, room: z.string() };
const epoch = z.number();

/** What checkers read of each record; further keys are kept as they are. */
const SHAPES: Readonly<Record<JournalRecord["t"], z.ZodType>> = {
  meta: z.looseObject({ format: z.string(), run: z.string() }),
  server: z.looseObject({ name: z.string() }),
  plan: z.looseObject({ plan: z.looseObject({ steps: z.array(z.unknown()) }) }),
  "by-hand": z.looseObject({ before: z.number(), steps: z.array(z.looseObject({})) }),
  cast: z.looseObject({ servers: named, users: named, rooms: named, versions: named }),
  pdu: z.looseObject({ event_id: z.string(), pdu: z.looseObject({}) }),
  arrive: z.looseObject({
    server: z.string(),
    event_id: z.string(),
    via: z.string(),
    verdict: z.string(),
  }),
  http: z.looseObject({ from: z.string(), to: z.string(), ms: z.number(), events: texts }),
  note: z.looseObject({ text: z.string() }),
  step: z.looseObject({
    step: z.string(),
    op: z.string(),
    by: z.string(),
    server: z.string(),
    room: z.string().optional(),
    outcome: z.enum(["ok", "fail", "unknown"]),
    began: z.number(),
    txn: z.string().optional(),
    events: texts.optional(),
    answers: texts.optional(),
  }),
  fault: z.looseObject({ id: z.string(), kind: z.string(), servers: texts.optional() }),
  state: z.looseObject({
    room: z.string(),
    server: z.string(),
    moment: z.string(),
    state: named,
    extremities: texts,
  }),
  event: z.looseObject({ ...inRoom, epoch, event_id: z.string(), status: z.number() }),
  members: z.looseObject({ ...inRoom, epoch, members: named, joined: texts.optional() }),
  sync: z.looseObject({
    ...inRoom,
    section: z.string(),
    timeline: z.array(z.looseObject({ event_id: z.string(), key: z.string().optional() })),
    limited: z.boolean(),
    state: named,
    is_state_after: z.boolean(),
  }),
  view: z.looseObject({
    ...inRoom,
    epoch,
    source: z.string(),
    state: named,
    keys: texts.optional(),
  }),
  "to-device": z.looseObject({
    ...observed,
    device: z.string(),
    sender: z.string(),
    content: z.string(),
  }),
  sessions: z.looseObject({
    ...observed,
    epoch,
    devices: texts.optional(),
    sessions: texts.optional(),
    held: z.array(z.looseObject({ operation: z.string(), device: z.string(), state: z.string() })),
  }),
  "device-lists": z.looseObject({ ...observed, changed: texts, left: texts }),
  "device-update": z.looseObject({ from: z.string(), server: z.string(), users: texts }),
  decryption: z.looseObject({
    ...inRoom,
    epoch,
    device: z.string(),
    event_id: z.string(),
    isReadable: z.boolean(),
    root: z.string().optional(),
  }),
  parcel: z.looseObject({
    id: z.string(),
    event_id: z.string(),
    from: z.string(),
    to: z.string(),
    root: z.string(),
    hops: z.array(z.looseObject({ outcome: z.string() })),
  }),
  recovery: z.looseObject({
    epoch,
    mode: z.enum(["nudged", "silent"]),
    ms: z.number().nullable(),
    limit_ms: z.number(),
    missing: texts,
  }),
  verdict: z.looseObject({ epoch, checker: z.string(), outcome: z.string() }),
};

/** Never throws. @param name of the file, for problems */
export function readJournal(text: string, name = "journal"): ReadJournal {
  const records: JournalRecord[] = [];
  const problems: string[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = `${name}:${at + 1}`;
    const value = parsed(line);
    if (value === undefined) problems.push(`${place}: is no whole JSON object`);
    else {
      const problem = problemOf(value);
      if (problem === undefined) records.push(value as unknown as JournalRecord);
      else if (problem !== "") problems.push(`${place}: ${problem}`);
    }
  }
  return { records, problems };
}

/** Undefined for a record that can be used; empty for one of an unknown type. */
function problemOf(value: JsonObject): string | undefined {
  const { t, seq, at } = value;
  if (typeof t !== "string" || typeof seq !== "number" || typeof at !== "number") {
    return "has no t, seq or at";
  }
  if (!Object.hasOwn(SHAPES, t)) return "";
  const { error } = SHAPES[t as JournalRecord["t"]].safeParse(value);
  const [issue] = error?.issues ?? [];
  return issue === undefined ? undefined : `${t}.${issue.path.join(".")}: ${issue.message}`;
}

function parsed(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
