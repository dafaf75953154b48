/** Leaves events out for as long as something stays as it is. */
import type { JsonObject } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { RoomHistory } from "#protocol/state/room-history";
import { originOf, valueAfter } from "#tardis/explain/deciding-event";
import { recast } from "#tardis/model/recast";
import { type Editor, givenIn } from "./editor.ts";
import { type Edit, namedIn } from "./edits.ts";
import { idsIn } from "./references.ts";

/** Original ids. */
export interface Subject {
  /** The event after which the state is looked at. */
  readonly after: string;
  /** `type|state_key`. */
  readonly key: string;
}

/** What stays: the values of a key in all of these. */
export type Kept =
  /** Without edits and with them. */
  | { readonly kind: "edits"; readonly edits: readonly Edit[] }
  /** By the rules of several room versions, with the ids that events have. */
  | { readonly kind: "versions"; readonly versions: readonly RoomVersion[] }
  /** Which events were in conflict there, and which one won. */
  | { readonly kind: "winner" };

export interface Shrunk {
  /** How many smaller rooms were looked at. */
  readonly tried: number;
  /** Original ids of what is left out. */
  readonly out: readonly string[];
  /** How many events are left. */
  readonly left: number;
  /** No single event can be left out any more. */
  readonly isDone: boolean;
}

export class Shrinker {
  readonly #outcome: (out: ReadonlySet<string>) => string | undefined;
  readonly #attempts: Iterator<void>;
  readonly #ids: readonly string[];
  readonly #fixed: ReadonlySet<string>;
  readonly #json: ReadonlyMap<string, JsonObject>;
  readonly #after: string;
  #out: ReadonlySet<string>;
  #tried = 0;
  #isDone = false;

  /** @param out what is left out already */
  constructor(editor: Editor, subject: Subject, kept: Kept, out: readonly string[] = []) {
    const { run } = editor;
    this.#outcome = outcomeOf(editor, subject, kept);
    this.#ids = run.pdus.map(({ eventId }) => eventId);
    this.#json = new Map(run.pdus.map(({ eventId, json }) => [eventId, json]));
    this.#after = subject.after;
    const edits = kept.kind === "edits" ? kept.edits.flatMap(namedIn) : [];
    const creates = run.pdus.filter(({ event }) => event.type === "m.room.create");
    this.#fixed = new Set([subject.after, ...edits, ...creates.map(({ eventId }) => eventId)]);
    this.#out = new Set(out);
    this.#attempts = this.#attempt();
  }

  get result(): Shrunk {
    const out = this.#ids.filter((id) => this.#out.has(id));
    return {
      tried: this.#tried,
      out,
      left: this.#ids.length - out.length,
      isDone: this.#isDone,
    };
  }

  /** Tries smaller rooms until the time is up, at least one. `now` in milliseconds. */
  work(budgetMs: number, now: () => number): Shrunk {
    const until = now() + budgetMs;
    do {
      if (this.#attempts.next().done === true) this.#isDone = true;
    } while (!this.#isDone && now() < until);
    return this.result;
  }

  /** First what the event does not build on, then ever smaller parts of the rest, the newest first, until none can go. */
  *#attempt(): Generator<void> {
    const target = this.#outcome(this.#out);
    yield;
    const isKept = (out: ReadonlySet<string>) => {
      this.#tried++;
      const isSame = this.#outcome(out) === target;
      if (isSame) this.#out = out;
      return isSame;
    };
    const above = this.#ancestors();
    isKept(new Set([...this.#out, ...this.#removable().filter((id) => !above.has(id))]));
    yield;
    let size = Math.ceil(this.#removable().length / 2);
    while (size > 0) {
      let isSmaller = false;
      const candidates = this.#removable().toReversed();
      for (let at = 0; at < candidates.length; at += size) {
        const part = candidates.slice(at, at + size);
        if (isKept(new Set([...this.#out, ...part]))) isSmaller = true;
        yield;
      }
      // What could not go may go once others have.
      if (size > 1) size = Math.ceil(size / 2);
      else if (!isSmaller) return;
    }
  }

  #removable(): readonly string[] {
    return this.#ids.filter((id) => !this.#fixed.has(id) && !this.#out.has(id));
  }

  #ancestors(): ReadonlySet<string> {
    const found = new Set([this.#after]);
    for (const id of found) {
      const json = this.#json.get(id);
      for (const one of json === undefined ? [] : idsIn(json)) found.add(one);
    }
    return found;
  }
}

/** What stays, as a text; undefined where the room is none any more. */
function outcomeOf(
  editor: Editor,
  { after, key }: Subject,
  kept: Kept,
): (out: ReadonlySet<string>) => string | undefined {
  const look = (edits: readonly Edit[], version?: RoomVersion) =>
    valuesIn(editor, edits, { after, key }, version, kept.kind === "winner");
  return (out) => {
    const without: readonly Edit[] = out.size === 0 ? [] : [{ kind: "without", events: [...out] }];
    try {
      switch (kept.kind) {
        case "edits":
          return JSON.stringify([look(without), look([...without, ...kept.edits])]);
        case "versions":
          return JSON.stringify(kept.versions.map((version) => look(without, version)));
        case "winner":
          return JSON.stringify(look(without));
      }
    } catch {
      return undefined;
    }
  };
}

/** The original id of the value of a key; with others, also of those that were in conflict with it. */
function valuesIn(
  editor: Editor,
  edits: readonly Edit[],
  { after, key }: Subject,
  version: RoomVersion | undefined,
  isWithOthers: boolean,
): readonly (string | null)[] {
  const { events } = editor.events(edits);
  const idOf = new Map(events.map(({ draft, id }) => [draft.original, id]));
  const originalOf = new Map(events.map(({ draft, id }) => [id, draft.original]));
  const one = events.find(({ draft }) => draft.original === after);
  if (one === undefined) throw new Error("the event is gone");
  const own = events.filter(({ event }) => event.roomId === one.event.roomId);
  const from = one.draft.version;
  const to = version ?? from;
  const given = givenIn(editor.run, idOf);
  const history = new RoomHistory(
    recast(
      own.map(({ event }) => event),
      from,
      to,
    ),
    to,
    { givenStates: given },
  );
  const originals = (ids: readonly (string | null)[]) =>
    ids.map((id) => (id === null ? null : (originalOf.get(id) ?? null)));
  const value = valueAfter(history, one.id, key);
  if (!isWithOthers) return originals([value]);
  const origin = originOf(history, [one.id], key, new Set(given.keys()));
  const met = origin.kind === "resolved" ? origin.of.map((id) => valueAfter(history, id, key)) : [];
  return [...originals([value]), ...[...new Set(originals(met))].sort()];
}
