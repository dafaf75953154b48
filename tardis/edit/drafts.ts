/** Events of a run while they are edited. References are to original ids until all edits are done. */
import { describe } from "#harness/errors";
import { AuthEvent } from "#protocol/auth/auth-event";
import { isObject, type JsonObject } from "#protocol/events/event";
import { readEvent } from "#protocol/events/read-event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { withKeys } from "#tardis/model/json";
import { RunError } from "#tardis/model/problem";
import type { Pdu, Run } from "#tardis/model/run";
import { type Edit, namedIn } from "./edits.ts";
import { type EdgeKey, idsAt, idsIn, withReferences } from "./references.ts";

export interface Draft {
  /** Its id in the original; of a copy, the id that its edit gives it. */
  readonly original: string;
  /** That it was, or is a copy of. */
  readonly pdu: Pdu;
  readonly version: RoomVersion;
  readonly json: JsonObject;
  /** Not only what it refers to has changed. */
  readonly isEdited: boolean;
}

export class Drafts {
  /** By original id, copies behind what they are copies of. */
  #drafts: Map<string, Draft>;
  /** What `without` has left out is no news, as against what `drop` has. */
  readonly dropped = new Set<string>();

  constructor({ pdus, rooms }: Run) {
    const versions = new Map(rooms.map(({ id, version }) => [id, version]));
    this.#drafts = new Map(
      pdus.flatMap((pdu) => {
        const version = versions.get(pdu.event.roomId);
        if (version === undefined) return [];
        const { eventId: original, json } = pdu;
        return [[original, { original, pdu, version, json, isEdited: false }] as const];
      }),
    );
  }

  get all(): Iterable<Draft> {
    return this.#drafts.values();
  }

  has(original: string): boolean {
    return this.#drafts.has(original);
  }

  /** Deliveries are not about events, and do nothing here. @throws RunError when it can not be done */
  apply(edit: Edit): void {
    for (const id of namedIn(edit)) if (edit.kind !== "without") this.#get(id);
    switch (edit.kind) {
      case "time":
        this.#change(edit.event, { origin_server_ts: edit.time });
        break;
      case "content":
        this.#change(edit.event, { content: edit.content });
        break;
      case "level":
        this.#setLevel(edit.event, edit.level);
        break;
      case "parents":
        this.#setParents(edit.event, edit.parents);
        break;
      case "copy":
        this.#copy(edit.event, edit.copy);
        break;
      case "drop":
        this.dropped.add(edit.event);
        this.#leaveOut(new Set([edit.event]));
        break;
      case "without":
        this.#leaveOut(new Set(edit.events));
        break;
      case "deliver":
        break;
    }
  }

  #get(original: string): Draft {
    const draft = this.#drafts.get(original);
    if (draft !== undefined) return draft;
    throw refused(`there is no event ${original} to be edited`);
  }

  #change(original: string, front: JsonObject): void {
    const draft = this.#get(original);
    const json = withKeys(draft.json, { front });
    try {
      readEvent(json, draft.version, original);
    } catch (error) {
      throw refused(describe(error));
    }
    this.#drafts.set(original, { ...draft, json, isEdited: true });
  }

  #setLevel(original: string, level: number): void {
    const { json, version } = this.#get(original);
    const sender = String(json.sender);
    const levels = idsAt(json, "auth_events")
      .flatMap((id) => this.#drafts.get(id) ?? [])
      .find((cited) => cited.json.type === "m.room.power_levels" && cited.json.state_key === "");
    if (levels === undefined) throw refused(`${original} cites no power levels`);
    if (version.hasPrivilegedCreators && this.#creators(levels).has(sender)) {
      throw refused(`${sender} made the room, and stands above all levels`);
    }
    const content = levels.json.content as JsonObject;
    const users = isObject(content.users) ? content.users : {};
    this.#change(levels.original, {
      content: withKeys(content, {
        front: { users: withKeys(users, { front: { [sender]: level } }) },
      }),
    });
  }

  #creators({ pdu, version }: Draft): ReadonlySet<string> {
    const create = [...this.#drafts.values()].find(
      (draft) => draft.json.type === "m.room.create" && draft.pdu.event.roomId === pdu.event.roomId,
    );
    return create === undefined
      ? new Set()
      : new AuthEvent(readEvent(create.json, version, create.original), version).creators;
  }

  #setParents(original: string, parents: readonly string[]): void {
    const { json } = this.#get(original);
    for (const id of parents) {
      if (id === original || this.#isAbove(original, id)) {
        throw refused(`${id} comes after ${original}, which can not follow it`);
      }
    }
    const depths = parents.map((id) => Number(this.#get(id).json.depth));
    const depth = 1 + Math.max(0, ...depths.filter(Number.isSafeInteger));
    this.#change(original, {
      prev_events: [...new Set(parents)],
      ...(typeof json.depth === "number" ? { depth } : {}),
    });
  }

  #copy(original: string, copy: string): void {
    if (this.#drafts.has(copy)) throw refused(`there is an event ${copy} already`);
    const draft = this.#get(original);
    if (draft.json.type === "m.room.create") throw refused("a room is made once");
    const { origin_server_ts: time, event_id: id } = draft.json;
    const json = withKeys(draft.json, {
      front: {
        origin_server_ts: (typeof time === "number" ? time : 0) + 1,
        ...(id === undefined ? {} : { event_id: copy }),
      },
    });
    this.#drafts = new Map(
      [...this.#drafts].flatMap(([at, one]) => {
        if (at === original) {
          return [[at, one] as const, [copy, { ...one, original: copy, json, isEdited: true }]];
        }
        const followed = withReferences(one.json, (target, key) =>
          target === original && key === "prev_events" ? [original, copy] : [target],
        );
        return [[at, followed === one.json ? one : { ...one, json: followed }] as const];
      }),
    );
  }

  /** What followed them follows what they followed, and cites what they cited in their place. */
  #leaveOut(out: ReadonlySet<string>): void {
    const stand = new Map<string, readonly string[]>();
    for (const original of out) {
      const draft = this.#drafts.get(original);
      if (draft?.json.type === "m.room.create")
        throw refused("a room without its creation is none");
    }
    const standIn = (id: string, key: EdgeKey): readonly string[] => {
      if (!out.has(id) || !this.#drafts.has(id)) return [id];
      return stand.get(`${key} ${id}`) ?? [];
    };
    for (const draft of sorted(this.#drafts)) {
      const { original, json } = draft;
      if (out.has(original)) {
        for (const key of ["prev_events", "prev_state_events", "prev_auth_events"] as const) {
          const others = idsAt(json, key).flatMap((id) => standIn(id, key));
          stand.set(`${key} ${original}`, [...new Set(others)]);
        }
        const same = idsAt(json, "auth_events")
          .filter((id) => this.#isSameKey(id, json))
          .flatMap((id) => standIn(id, "auth_events"));
        stand.set(`auth_events ${original}`, same);
        continue;
      }
      const others = withReferences(json, standIn);
      if (others !== json) this.#drafts.set(original, { ...draft, json: others });
    }
    const affected = [...this.#drafts.values()].filter(({ original, pdu }) => {
      return !out.has(original) && pdu.event.prevEvents.some((id) => out.has(id));
    });
    for (const original of out) this.#drafts.delete(original);
    for (const { original } of affected) this.#withoutOlder(original);
  }

  /** Nobody follows an event together with one that it is above of. */
  #withoutOlder(original: string): void {
    const draft = this.#get(original);
    const parents = idsAt(draft.json, "prev_events");
    if (parents.length < 2) return;
    const older = new Set(
      parents.filter((id) => parents.some((other) => other !== id && this.#isAbove(id, other))),
    );
    const json = withReferences(draft.json, (id, key) =>
      key === "prev_events" && older.has(id) ? [] : [id],
    );
    this.#drafts.set(original, { ...draft, json });
  }

  #isSameKey(id: string, { type, state_key: key }: JsonObject): boolean {
    const json = this.#drafts.get(id)?.json;
    return key !== undefined && json?.type === type && json?.state_key === key;
  }

  /** Whether an event is above another, by what that follows and cites. */
  #isAbove(ancestor: string, original: string): boolean {
    const seen = new Set<string>();
    const stack = [original];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const json = this.#drafts.get(at)?.json;
      for (const id of json === undefined ? [] : idsIn(json)) {
        if (id === ancestor) return true;
        if (seen.has(id)) continue;
        seen.add(id);
        stack.push(id);
      }
    }
    return false;
  }
}

/** Each after those that it refers to; rings are cut. */
export function sorted(drafts: ReadonlyMap<string, Draft>): readonly Draft[] {
  const done: Draft[] = [];
  const entered = new Set<string>();
  const stack: { draft: Draft; targets: readonly string[]; next: number }[] = [];
  const enter = (draft: Draft) => {
    if (entered.has(draft.original)) return;
    entered.add(draft.original);
    stack.push({ draft, targets: idsIn(draft.json), next: 0 });
  };
  for (const root of drafts.values()) {
    enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const id = top.targets[top.next++];
      if (id === undefined) {
        done.push(top.draft);
        stack.pop();
        continue;
      }
      const target = drafts.get(id);
      if (target !== undefined) enter(target);
    }
  }
  return done;
}

function refused(what: string): RunError {
  return new RunError({ file: "edits", what });
}
