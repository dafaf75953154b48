/** The ids that drafts have when all that they say is hashed anew. */
import { isObject, type JsonObject, type RoomEvent } from "#protocol/events/event";
import { contentHash, eventId, hasValidHash, referenceHash } from "#protocol/events/hashes";
import { readEvent } from "#protocol/events/read-event";
import { withKeys } from "#tardis/model/json";
import { type Problem, problemOf, RunError } from "#tardis/model/problem";
import { type Draft, sorted } from "./drafts.ts";
import { idsIn, withRedacted, withReferences } from "./references.ts";

/** An event of the edited run. */
export interface Rewritten {
  readonly draft: Draft;
  readonly id: string;
  /** The same object as in the original where nothing of it has changed. */
  readonly json: JsonObject;
  readonly event: RoomEvent;
  /** Servers whose signatures are of another event than this one. */
  readonly invalid: readonly string[];
}

export interface Rehashed {
  readonly events: readonly Rewritten[];
  /** Rooms that have another id, since their creation has. */
  readonly rooms: ReadonlyMap<string, string>;
}

/**
 * Events whose content or references have changed get new ids, where ids are hashes and not names that people gave. Content
 * hashes that were right are made right again; signatures of what an event no longer is are taken off: nobody here can make them.
 *
 * @throws RunError when two events become one, or one can not be read any more
 */
export function rehash(drafts: Iterable<Draft>): Rehashed {
  const ids = new Map<string, string>();
  const taken = new Map<string, string>();
  const rooms = new Map<string, string>();
  const byId = new Map([...drafts].map((draft) => [draft.original, draft]));
  const order = sorted(byId);
  // Before all others of its room, which it names in version 12.
  const isRoot = ({ json }: Draft) => json.type === "m.room.create" && idsIn(json).length === 0;
  const inOrder = [...order.filter(isRoot), ...order.filter((draft) => !isRoot(draft))];
  const events = inOrder.map((draft): Rewritten => {
    const { original, pdu } = draft;
    const json = translated(draft.json, ids, rooms);
    const isSame = json === pdu.json && !draft.isEdited;
    const rewritten: Rewritten = isSame
      ? { draft, id: original, json, event: pdu.event, invalid: [] }
      : readAnew(draft, json);
    const { id, event } = rewritten;
    const other = taken.get(id);
    if (other !== undefined) {
      throw new RunError({ file: "edits", what: `${other} and ${original} are one event now` });
    }
    taken.set(id, original);
    if (id !== original) ids.set(original, id);
    if (event.roomId !== pdu.event.roomId) rooms.set(pdu.event.roomId, event.roomId);
    return rewritten;
  });
  return { events, rooms };
}

function readAnew(draft: Draft, translated: JsonObject): Rewritten {
  const { original, pdu, version } = draft;
  try {
    const hashed = hasValidHash(pdu.json) ? withHash(translated) : translated;
    // Signatures are of what the reference hash is of.
    const isSigned = referenceHash(hashed, version) === referenceHash(pdu.json, version);
    const { signatures } = hashed;
    const invalid = isObject(signatures) && !isSigned ? Object.keys(signatures) : [];
    const json = invalid.length === 0 ? hashed : withKeys(hashed, { without: ["signatures"] });
    const isHash = version.eventIds !== "given" && pdu.idSource !== "placeholder";
    const id = isHash ? eventId(json, version) : original;
    return { draft, id, json, event: readEvent(json, version, id), invalid };
  } catch (error) {
    const problem: Problem = problemOf({ file: "edits", field: original }, error);
    throw new RunError(problem);
  }
}

function withHash(json: JsonObject): JsonObject {
  const hashes = isObject(json.hashes) ? json.hashes : {};
  return withKeys(json, { front: { hashes: { ...hashes, sha256: contentHash(json) } } });
}

function translated(
  json: JsonObject,
  ids: ReadonlyMap<string, string>,
  rooms: ReadonlyMap<string, string>,
): JsonObject {
  const referred = withReferences(json, (id) => [ids.get(id) ?? id]);
  const redacted = withRedacted(referred, (id) => ids.get(id));
  const room = typeof json.room_id === "string" ? rooms.get(json.room_id) : undefined;
  return room === undefined ? redacted : withKeys(redacted, { front: { room_id: room } });
}
