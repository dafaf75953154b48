/** Answers of sliding sync, strictly typed: one field of a wrong type makes strict clients drop the whole (MSC4186 §Response Body). */
import { z } from "zod";
import { isObject, type JsonObject } from "#harness/match/json";
import { type Dialect, decodeRooms } from "./dialect.ts";

const integer = z.number().int().max(Number.MAX_SAFE_INTEGER).min(Number.MIN_SAFE_INTEGER);
const count = integer.min(0);

const event = z.looseObject({
  type: z.string(),
  content: z.looseObject({}),
  sender: z.string(),
  event_id: z.string(),
  origin_server_ts: z.number().int(),
  state_key: z.string().optional(),
  unsigned: z.looseObject({}).optional(),
});

/** A full event, or what is left of a deleted entry (MSC4186 §StateStub). */
const stateEntry = z.union([
  event.extend({ state_key: z.string() }),
  z.strictObject({ type: z.string(), state_key: z.string() }),
]);

const hero = z.looseObject({
  user_id: z.string(),
  displayname: z.string().nullable().optional(),
  avatar_url: z.string().nullable().optional(),
});

const stripped = z.looseObject({
  type: z.string(),
  state_key: z.string(),
  sender: z.string(),
  content: z.looseObject({}),
});

const roomSchema = z.looseObject({
  initial: z.boolean().optional(),
  membership: z.enum(["join", "invite", "knock", "leave", "ban"]).optional(),
  lists: z.array(z.string()).optional(),
  bump_stamp: integer.optional(),
  name: z.string().nullable().optional(),
  avatar: z.string().nullable().optional(),
  heroes: z.array(hero).optional(),
  is_dm: z.boolean().optional(),
  joined_count: count.optional(),
  invited_count: count.optional(),
  required_state: z.array(stateEntry).optional(),
  timeline: z.array(event).optional(),
  limited: z.boolean().optional(),
  prev_batch: z.string().optional(),
  num_live: count.optional(),
  expanded_timeline: z.boolean().optional(),
  stripped_state: z.array(stripped).optional(),
});

const responseSchema = z.looseObject({
  pos: z.string().min(1),
  lists: z.record(z.string(), z.looseObject({ count })).optional(),
  rooms: z.record(z.string(), z.looseObject({})).optional(),
  extensions: z.looseObject({}).optional(),
});

export type SyncEvent = z.infer<typeof event>;
export type StateEntry = z.infer<typeof stateEntry>;
export type RoomResult = z.infer<typeof roomSchema>;

export interface SlidingResponse {
  readonly pos: string;
  /** Rooms that match, by list. */
  readonly counts: Readonly<Record<string, number>>;
  readonly rooms: Readonly<Record<string, RoomResult>>;
  readonly extensions: JsonObject;
}

/** An answer that is not as the text has it: what is wrong, and where. */
export class ResponseFormatError extends Error {
  override readonly name = "ResponseFormatError";
}

/** @throws ResponseFormatError */
export function parseResponse(dialect: Dialect, body: unknown): SlidingResponse {
  const { pos, lists = {}, extensions = {} } = parsed(responseSchema, body, []);
  const rooms = Object.entries(decodeRooms(dialect, body)).map(
    ([id, room]) => [id, parsed(roomSchema, room, ["rooms", id])] as const,
  );
  return {
    pos,
    counts: Object.fromEntries(Object.entries(lists).map(([key, list]) => [key, list.count])),
    rooms: Object.fromEntries(rooms),
    extensions: isObject(extensions) ? extensions : {},
  };
}

function parsed<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  place: readonly string[],
): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = [...place, ...(issue?.path ?? [])].join(".");
  throw new ResponseFormatError(`${path === "" ? "the answer" : path}: ${issue?.message ?? "?"}`);
}

export function isStub(entry: StateEntry): boolean {
  return !("event_id" in entry);
}
