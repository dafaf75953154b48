/**
 * JSON whose numbers keep all their digits: values are those of JSON.parse, and numbers that a double does not hold are
 * remembered as they were written, beside the object that has them.
 */
import { MAX_NESTING } from "#protocol/events/canonical-json";
import type { JsonObject, JsonValue } from "#protocol/events/event";

/** Text of numbers by key, for objects and arrays that have such. */
const written = new WeakMap<object, Map<string, string>>();

/** Could a number lose something: many digits, a fraction, an exponent. */
const RISKY = /[:,[]\s*-?\d+(?:\d{15}|\.\d|[eE])/;

type Reviver = (this: object, key: string, value: unknown, context: { source?: string }) => unknown;
/** The second argument of revivers, and rawJSON: ECMAScript proposal "JSON.parse source text access". */
const json = JSON as unknown as {
  parse(text: string, reviver: Reviver): unknown;
  rawJSON(text: string): unknown;
};

/** @throws SyntaxError, RangeError for what is nested too deeply */
export function parseJson(text: string): unknown {
  // First without, which is fast, and ends early for what is no JSON.
  const value: unknown = JSON.parse(text);
  if (!RISKY.test(text)) return value;
  return json.parse(text, function (key, value, { source }) {
    if (typeof value === "number" && source !== undefined && source !== String(value)) {
      const texts = written.get(this) ?? new Map<string, string>();
      written.set(this, texts.set(key, source));
    }
    return value;
  });
}

/** As JSON.stringify without spaces, with the digits that parseJson read. */
export function writeJson(value: unknown): string {
  return JSON.stringify(value, function (this: object, key, inner: unknown) {
    const text = typeof inner === "number" ? written.get(this)?.get(key) : undefined;
    return text === undefined ? inner : json.rawJSON(text);
  });
}

/** Whether the numbers in it are what was written. */
export function isExact(value: JsonValue): boolean {
  const stack: JsonValue[] = [value];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (typeof top !== "object" || top === null) continue;
    if (written.has(top)) return false;
    for (const inner of Object.values(top)) stack.push(inner);
  }
  return true;
}

/** Whether it has more levels than anything of use has, and than engines have the stack to write. */
export function isDeep(value: JsonValue, levels = MAX_NESTING): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  // Lists of the keys or values would be as many as there are objects.
  if (Array.isArray(value)) return value.some((inner) => isDeep(inner, levels - 1));
  const object = value as JsonObject;
  for (const key in object) {
    if (Object.hasOwn(object, key) && isDeep(object[key] ?? null, levels - 1)) return true;
  }
  return false;
}

/** A copy without some keys, and with others in front of the rest. */
export function withKeys(
  value: JsonObject,
  { without = [], front = {} }: { without?: readonly string[]; front?: JsonObject },
): JsonObject {
  const texts = [...(written.get(value) ?? [])].filter(([key]) => !Object.hasOwn(front, key));
  const [only, ...others] = without;
  if (only !== undefined && others.length === 0 && Object.keys(front).length === 0) {
    // As events are copied by the hundred thousand.
    const { [only]: _, ...rest } = value;
    if (texts.length > 0) written.set(rest, new Map(texts));
    return rest;
  }
  const copy: Record<string, JsonValue> = { ...front };
  for (const [key, inner] of Object.entries(value)) {
    if (!without.includes(key) && !Object.hasOwn(front, key)) define(copy, key, inner);
  }
  if (texts.length > 0) written.set(copy, new Map(texts));
  return copy;
}

/** Assigning would take `__proto__` for something else than a key. */
function define(object: Record<string, JsonValue>, key: string, value: JsonValue): void {
  if (key !== "__proto__") object[key] = value;
  else
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
}
