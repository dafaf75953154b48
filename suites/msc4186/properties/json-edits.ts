/** JSON made otherwise, or smaller, at any spot; pure. */
import { isObject, type JsonObject } from "#harness/match/json";

/** Keys and indexes from the root. */
export type Spot = readonly (string | number)[];

/** All but the root, the outer ones first. */
export function spotsIn(value: unknown, at: Spot = []): readonly Spot[] {
  const inner = entriesOf(value).map(([key, child]) => [[...at, key], child] as const);
  return [
    ...inner.map(([spot]) => spot),
    ...inner.flatMap(([spot, child]) => spotsIn(child, spot)),
  ];
}

function entriesOf(value: unknown): readonly (readonly [string | number, unknown])[] {
  if (Array.isArray(value)) return [...value.entries()];
  return isObject(value) ? Object.entries(value) : [];
}

/** @param change gives what comes in place of a value; undefined: nothing */
export function edited(
  value: JsonObject,
  spot: Spot,
  change: (value: unknown) => unknown,
): JsonObject {
  return editedAt(value, spot, change) as JsonObject;
}

function editedAt(value: unknown, spot: Spot, change: (value: unknown) => unknown): unknown {
  const [key, ...rest] = spot;
  if (key === undefined) return change(value);
  const entries = entriesOf(value).flatMap(([name, child]) => {
    if (name !== key) return [[name, child] as const];
    const next = editedAt(child, rest, change);
    return next === undefined ? [] : [[name, next] as const];
  });
  return Array.isArray(value) ? entries.map(([, child]) => child) : Object.fromEntries(entries);
}

/** Stands for any text in a pattern. */
const ANY = "x";

/** The same with one thing less: something left out, emptied, or made the plainest of its kind. */
export function* smaller(value: JsonObject): Iterable<JsonObject> {
  for (const spot of spotsIn(value)) yield edited(value, spot, () => undefined);
  for (const spot of spotsIn(value)) {
    let isPlain = false;
    const plainer = edited(value, spot, (old) => {
      const plain = plainestOf(old);
      isPlain = JSON.stringify(plain) === JSON.stringify(old);
      return plain;
    });
    if (!isPlain) yield plainer;
  }
}

function plainestOf(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  if (isObject(value)) return {};
  if (typeof value === "string") return ANY;
  return typeof value === "number" ? 0 : value;
}

/**
 * All that the pattern has is in the value: keys, elements in their order, and plain values of the same kind. Under the
 * keys that `named` has, names are free.
 */
export function includes(value: unknown, pattern: unknown, named: readonly string[]): boolean {
  return has(value, pattern, undefined, named);
}

function has(
  value: unknown,
  pattern: unknown,
  key: string | undefined,
  named: readonly string[],
): boolean {
  if (Array.isArray(pattern)) {
    if (!Array.isArray(value)) return false;
    let from = 0;
    return pattern.every((part) => {
      const index = value.findIndex((item, at) => at >= from && has(item, part, undefined, named));
      from = index + 1;
      return index >= 0;
    });
  }
  if (isObject(pattern)) {
    if (!isObject(value)) return false;
    const isNamed = key !== undefined && named.includes(key);
    return Object.entries(pattern).every(([name, part]) =>
      isNamed
        ? Object.values(value).some((child) => has(child, part, undefined, named))
        : Object.hasOwn(value, name) && has(value[name], part, name, named),
    );
  }
  if (pattern === ANY) return typeof value === "string";
  return typeof pattern === "number" ? typeof value === "number" : value === pattern;
}
