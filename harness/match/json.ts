/** Reading of untyped JSON: each function names the place when something else is there than the text asks for. */
import { CheckFailure } from "#harness/errors";

export type JsonObject = { readonly [key: string]: unknown };
export type Path = readonly (string | number)[];

/** An event as clients get it: the keys that every event has, and what else came. */
export interface MatrixEvent extends JsonObject {
  readonly type: string;
  readonly content: JsonObject;
  readonly sender: string;
  readonly event_id: string;
  readonly origin_server_ts: number;
  readonly state_key?: string;
  readonly unsigned?: JsonObject;
}

/** What is at a path, undefined when nothing is. */
export function at(value: unknown, ...path: Path): unknown {
  let here: unknown = value;
  for (const key of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string | number, unknown>)[key];
  }
  return here;
}

/** @throws CheckFailure unless there is a string. */
export function textAt(value: unknown, ...path: Path): string {
  const found = at(value, ...path);
  if (typeof found !== "string") throw new CheckFailure(`a string at ${name(path)}`, show(found));
  return found;
}

/** @throws CheckFailure unless there is a number. */
export function numberAt(value: unknown, ...path: Path): number {
  const found = at(value, ...path);
  if (typeof found !== "number") throw new CheckFailure(`a number at ${name(path)}`, show(found));
  return found;
}

/** @throws CheckFailure unless there is an object. */
export function objectAt(value: unknown, ...path: Path): JsonObject {
  const found = at(value, ...path);
  if (!isObject(found)) throw new CheckFailure(`an object at ${name(path)}`, show(found));
  return found;
}

/** @throws CheckFailure unless there is an array. */
export function listAt(value: unknown, ...path: Path): readonly unknown[] {
  const found = at(value, ...path);
  if (!Array.isArray(found)) throw new CheckFailure(`an array at ${name(path)}`, show(found));
  return found;
}

/** Events of an array; an absent array is an empty one. @throws CheckFailure for anything that is no event. */
export function eventsAt(value: unknown, ...path: Path): readonly MatrixEvent[] {
  const found = at(value, ...path);
  if (found === undefined) return [];
  return listAt(value, ...path).map((event, index) => {
    textAt(event, "type");
    objectAt(event, "content");
    if (!isObject(event))
      throw new CheckFailure(`an event at ${name([...path, index])}`, show(event));
    return event as MatrixEvent;
  });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as one line for a message, cut to a readable length. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = typeof value === "string" ? JSON.stringify(value) : safeJson(value);
  return text.length <= 600 ? text : `${text.slice(0, 600)}… (${text.length} characters)`;
}

function safeJson(value: unknown): string {
  try {
    return (
      JSON.stringify(value, (_, item) => (item instanceof Set ? [...item] : item)) ?? String(value)
    );
  } catch {
    return String(value);
  }
}

function name(path: Path): string {
  return path.length === 0 ? "the top level" : path.join(" › ");
}
