/** What events refer to, in their JSON. Versions 1 and 2 write pairs of id and hashes. */
import type { JsonObject, JsonValue } from "#protocol/events/event";
import { isObject } from "#protocol/events/event";
import { EDGE_KINDS } from "#tardis/model/graph";
import { withKeys } from "#tardis/model/json";

export type EdgeKey = (typeof EDGE_KINDS)[keyof typeof EDGE_KINDS];
const EDGE_KEYS: readonly EdgeKey[] = Object.values(EDGE_KINDS);

/** Ids at one key, in order. */
export function idsAt(json: JsonObject, key: EdgeKey): readonly string[] {
  return listAt(json, key).flatMap((entry) => idOf(entry) ?? []);
}

/** Ids at all keys. */
export function idsIn(json: JsonObject): readonly string[] {
  return EDGE_KEYS.flatMap((key) => idsAt(json, key));
}

/**
 * A copy that refers to others in their stead, each id once; the same object when nothing changes.
 *
 * @param others what stands for an id at a key; the id itself where it stays
 */
export function withReferences(
  json: JsonObject,
  others: (id: string, key: EdgeKey) => readonly string[],
): JsonObject {
  const front: Record<string, JsonValue> = {};
  for (const key of EDGE_KEYS) {
    const list = listAt(json, key);
    const kept = new Map<string, JsonValue>();
    let isChanged = false;
    for (const entry of list) {
      const id = idOf(entry);
      if (id === undefined) continue;
      const stand = others(id, key);
      const [only] = stand;
      if (stand.length !== 1 || only !== id) isChanged = true;
      for (const one of stand) if (!kept.has(one)) kept.set(one, one === id ? entry : one);
    }
    if (isChanged) front[key] = [...kept.values()];
  }
  return Object.keys(front).length === 0 ? json : withKeys(json, { front });
}

/** What a redaction redacts, where it stands in the room's version, as another event. */
export function withRedacted(
  json: JsonObject,
  otherOf: (id: string) => string | undefined,
): JsonObject {
  const { redacts, content, type } = json;
  const other = typeof redacts === "string" ? otherOf(redacts) : undefined;
  const outer = other === undefined ? json : withKeys(json, { front: { redacts: other } });
  if (type !== "m.room.redaction" || !isObject(content)) return outer;
  const inner = typeof content.redacts === "string" ? otherOf(content.redacts) : undefined;
  if (inner === undefined) return outer;
  return withKeys(outer, {
    front: { content: withKeys(content, { front: { redacts: inner } }) },
  });
}

function listAt(json: JsonObject, key: EdgeKey): readonly JsonValue[] {
  const list = Object.hasOwn(json, key) ? json[key] : undefined;
  return Array.isArray(list) ? list : [];
}

function idOf(entry: JsonValue): string | undefined {
  const id = Array.isArray(entry) ? (entry as readonly JsonValue[])[0] : entry;
  return typeof id === "string" ? id : undefined;
}
