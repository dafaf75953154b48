/** Applies a rewrite rule to the text of a message body. */
import type { JsonValue, Rewrite } from "./rule.ts";

/** The changed body; text that is no JSON is left alone by `set` and `remove`. */
export function rewriteBody(text: string, rewrite: Rewrite): string {
  let changed = text;
  if (rewrite.body !== undefined) changed = JSON.stringify(rewrite.body);
  const { set, remove, reverse } = rewrite;
  if (set !== undefined || remove !== undefined || reverse !== undefined) {
    changed = rewriteJson(changed, rewrite);
  }
  for (const [pattern, replacement] of rewrite.replace ?? []) {
    changed = changed.replaceAll(pattern, replacement);
  }
  changed = rewrite.text ?? changed;
  return rewrite.keep === undefined
    ? changed
    : changed.slice(0, Math.floor(changed.length * rewrite.keep));
}

function rewriteJson(text: string, { set = {}, remove = [], reverse = [] }: Rewrite): string {
  let root: unknown;
  try {
    root = JSON.parse(text === "" ? "{}" : text);
  } catch {
    return text;
  }
  for (const pointer of remove) {
    for (const { parent, key } of resolve(root, pointer)) {
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
    }
  }
  for (const pointer of reverse) {
    for (const { parent, key } of resolve(root, pointer)) {
      const list = child(parent, key);
      if (Array.isArray(list)) list.reverse();
    }
  }
  for (const [pointer, value] of Object.entries(set)) {
    if (pointer === "") {
      root = value;
      continue;
    }
    for (const { parent, key } of resolve(root, pointer)) assign(parent, key, value);
  }
  return JSON.stringify(root);
}

type Container = unknown[] | Record<string, unknown>;

function assign(parent: Container, key: string, value: JsonValue): void {
  if (!Array.isArray(parent)) parent[key] = value;
  else if (key === "-") parent.push(value);
  else parent[Number(key)] = value;
}

/** Last parents and keys that a pointer names, children before earlier siblings so that removal keeps indexes true. */
function resolve(root: unknown, pointer: string): { parent: Container; key: string }[] {
  const segments = pointer
    .split("/")
    .slice(1)
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
  let places: unknown[] = [root];
  for (const segment of segments.slice(0, -1)) {
    places = places.flatMap((place) =>
      isContainer(place) ? keysOf(place, segment).map((key) => child(place, key)) : [],
    );
  }
  const last = segments.at(-1) ?? "";
  return places.flatMap((parent) =>
    isContainer(parent)
      ? keysOf(parent, last)
          .reverse()
          .map((key) => ({ parent, key }))
      : [],
  );
}

function keysOf(container: Container, segment: string): string[] {
  if (segment === "*") return Object.keys(container);
  if (Array.isArray(container) && segment === "-1") {
    return container.length === 0 ? [] : [String(container.length - 1)];
  }
  return [segment];
}

function child(container: Container, key: string): unknown {
  return Array.isArray(container) ? container[Number(key)] : container[key];
}

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null;
}
