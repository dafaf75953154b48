/** Canonical JSON (specification, appendices §Canonical JSON): the one encoding that is hashed and signed. */

export type CanonicalJsonErrorCode =
  | "NOT_JSON"
  | "NOT_INTEGER"
  | "OUT_OF_RANGE"
  | "LONE_SURROGATE"
  | "TOO_DEEP";

/** The value has no canonical form. */
export class CanonicalJsonError extends Error {
  override readonly name = "CanonicalJsonError";
  readonly code: CanonicalJsonErrorCode;
  /** Where, as a JSONPath: `$.content.users["@alice:hs1"]`. */
  readonly place: string;

  constructor(code: CanonicalJsonErrorCode, place: string, what: string) {
    super(`${what} at ${place}`);
    this.code = code;
    this.place = place;
  }
}

export interface CanonicalJsonOptions {
  /** Only integers within ±(2^53 - 1), as room versions from 6 on ask. */
  readonly strict: boolean;
}

/** Deeper values are refused, cycles among them: no event of use comes near, and every engine has the stack for it. */
export const MAX_NESTING = 500;

const PLACE_LENGTH = 200;
const PLAIN = /^[ !#-[\]-~]*$/;
const SURROGATE = /[\ud800-\udfff]/;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/**
 * The canonical form of a value as JSON.parse gives it; as UTF-8 it is what is hashed.
 *
 * Negative zero becomes 0, as in the specification's example. Not strict, it writes what Python's canonicaljson writes,
 * as far as a JS number can tell: a whole number with all its digits, others as `repr` does (`1e-05`). What JSON.parse
 * has lost is lost: `1.0` comes out as 1, and integers beyond 2^53 as their nearest double.
 *
 * @throws CanonicalJsonError for the first thing that can not be encoded
 */
export function canonicalJson(value: unknown, { strict }: CanonicalJsonOptions): string {
  return encode(value, strict, [], 0);
}

/** @param path keys down to the value, of which the first `depth` count */
function encode(value: unknown, strict: boolean, path: (string | number)[], depth: number): string {
  switch (typeof value) {
    case "string":
      return PLAIN.test(value) ? `"${value}"` : quote(value, path, depth);
    case "number":
      return Number.isSafeInteger(value) ? `${value}` : number(value, strict, path, depth);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth >= MAX_NESTING) {
        throw error("TOO_DEEP", `more than ${MAX_NESTING} levels`, path, depth);
      }
      return Array.isArray(value)
        ? array(value, strict, path, depth)
        : object(value, strict, path, depth);
    default:
      throw error("NOT_JSON", `${typeof value} is not a JSON value`, path, depth);
  }
}

function array(
  values: readonly unknown[],
  strict: boolean,
  path: (string | number)[],
  depth: number,
): string {
  let text = "[";
  for (let index = 0; index < values.length; index++) {
    path[depth] = index;
    if (index > 0) text += ",";
    text += encode(values[index], strict, path, depth + 1);
  }
  return `${text}]`;
}

function object(value: object, strict: boolean, path: (string | number)[], depth: number): string {
  let text = "{";
  for (const key of sortedKeys(value)) {
    path[depth] = key;
    if (text.length > 1) text += ",";
    text += PLAIN.test(key) ? `"${key}":` : `${quote(key, path, depth + 1)}:`;
    text += encode((value as Record<string, unknown>)[key], strict, path, depth + 1);
  }
  return `${text}}`;
}

/** By code point. The order of UTF-16 units is another one only where there are surrogates. */
function sortedKeys(value: object): string[] {
  const keys = Object.keys(value);
  if (keys.length < 2) return keys;
  return keys.some((key) => SURROGATE.test(key)) ? keys.sort(byCodePoint) : keys.sort();
}

function byCodePoint(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const difference = rank(left.charCodeAt(index)) - rank(right.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Surrogates stand for what lies beyond U+FFFF. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** JSON.stringify has the escapes of the specification, except that it escapes lone surrogates, which UTF-8 lacks. */
function quote(text: string, path: readonly (string | number)[], depth: number): string {
  if (!text.isWellFormed()) {
    throw error("LONE_SURROGATE", "half of a surrogate pair", path, depth);
  }
  return JSON.stringify(text);
}

function number(
  value: number,
  strict: boolean,
  path: readonly (string | number)[],
  depth: number,
): string {
  if (!Number.isFinite(value)) throw error("NOT_JSON", `${value} is not JSON`, path, depth);
  if (strict) {
    throw Number.isInteger(value)
      ? error("OUT_OF_RANGE", `${value} is beyond ±(2^53 - 1)`, path, depth)
      : error("NOT_INTEGER", `${value} is no integer`, path, depth);
  }
  if (Number.isInteger(value)) return BigInt(value).toString();
  if (Math.abs(value) >= 1e-4) return `${value}`;
  return value.toExponential().replace(/e-(\d)$/, "e-0$1");
}

function error(
  code: CanonicalJsonErrorCode,
  what: string,
  path: readonly (string | number)[],
  depth: number,
): CanonicalJsonError {
  return new CanonicalJsonError(code, placeOf(path.slice(0, depth)), what);
}

/** A JSONPath, cut where it grows beyond what a reader wants. */
export function placeOf(path: readonly (string | number)[]): string {
  let place = "$";
  for (const key of path) {
    if (typeof key === "string" && IDENTIFIER.test(key)) place += `.${key}`;
    else place += `[${JSON.stringify(key)}]`;
    if (place.length > PLACE_LENGTH) return `${place.slice(0, PLACE_LENGTH)}…`;
  }
  return place;
}
