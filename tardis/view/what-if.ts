/** A run beside itself with edits: what they change, smaller rooms in which they still do, and scenarios of it. */
import { AuthEvent } from "#protocol/auth/auth-event";
import { ROOM_VERSIONS } from "#protocol/rooms/room-version";
import { Editor } from "#tardis/edit/editor";
import { type Edit, readEdits, renamed, writeEdits } from "#tardis/edit/edits";
import { type Kept, Shrinker } from "#tardis/edit/shrink";
import { splitKey } from "#tardis/explain/deciding-event";
import { shown } from "#tardis/explain/shown";
import { keyWords } from "#tardis/explain/wording";
import { writeScenario } from "#tardis/formats/write";
import { writeJson } from "#tardis/model/json";
import { RunError } from "#tardis/model/problem";
import type { ExpectedState, Pdu, Run } from "#tardis/model/run";
import { type Branch, idIn, originalOf, rowOf } from "./branch.ts";
import { editWords } from "./edit-words.ts";
import type {
  EditableView,
  EditedView,
  ShrinkView,
  WhatIfRow,
  WhatIfView,
  Where,
} from "./messages.ts";
import { valueText } from "./row-label.ts";
import { Session } from "./session.ts";
import { shortOf } from "./short.ts";
import { dateText } from "./time-text.ts";

const MOST_LISTED = 300;
const MOST_LETTERS = 70_000;

export class WhatIf {
  readonly #editor: Editor;
  readonly #loaded: Branch;
  /** Without what has been shrunk away. */
  #original: Branch;
  #now: Branch;
  #edits: readonly Edit[] = [];
  #shrinker: { readonly about: string; readonly shrinker: Shrinker } | undefined;

  constructor(session: Session) {
    this.#editor = new Editor(session.run);
    this.#loaded = { session, edited: undefined };
    this.#original = this.#loaded;
    this.#now = this.#loaded;
  }

  /** With all edits. */
  get session(): Session {
    return this.#now.session;
  }

  /**
   * Takes these edits in the place of those before.
   *
   * @throws RunError for edits that can not be done; then those before stay
   */
  edit({ edits: text }: { readonly edits: string }): EditedView {
    const edits = this.#editor.withIds(readEdits(text));
    const without = edits.filter(({ kind }) => kind === "without");
    const now = edits.length === 0 ? this.#loaded : this.#branch(edits);
    const original = without.length === edits.length ? now : this.#branch(without);
    const before = this.#now;
    this.#edits = edits;
    this.#now = now;
    this.#original = original;
    this.#shrinker = undefined;
    const { run } = before.session;
    return {
      loaded: now.session.load(),
      rows: Int32Array.from(run.pdus, ({ eventId }) => rowOf(now, originalOf(before, eventId))),
    };
  }

  /** Replays both sides; `pause` as of Session.prepare. */
  async prepare(pause: () => Promise<void>): Promise<void> {
    await this.#original.session.prepare(pause);
    await this.#now.session.prepare(pause);
  }

  #branch(edits: readonly Edit[]): Branch {
    // What servers told of their states is in no edited run: then it counts on neither side.
    if (edits.length === 0 && this.#loaded.session.run.snapshots.length === 0) return this.#loaded;
    const edited = this.#editor.apply(edits);
    return { session: Session.of(edited.run), edited };
  }

  /** What the edits change, in the state that is asked for and in all events. */
  "what-if"(where: Where): WhatIfView {
    const now = this.#now;
    const pdu = now.session.run.pdus[where.row];
    if (pdu === undefined) throw new Error(`there is no row ${where.row}`);
    const changes = now.edited?.events.filter(({ draft, id }) => id !== draft.original) ?? [];
    const ids = changes.filter(({ draft, id }) => idIn(this.#original, draft.original) !== id);
    const events = now.edited?.events ?? [];
    const rows = this.#states(where);
    return {
      event: this.#editable(pdu, where.row),
      edits: this.#edits.map((edit) => editWords(edit, (id) => this.#nameOf(id))),
      where: now.session.at(where).side.where,
      rows: rows.filter(({ isSame }) => !isSame).map(({ row }) => row),
      same: rows.filter(({ isSame }) => isSame).length,
      ids: ids.slice(0, MOST_LISTED).map(({ draft, id }) => ({
        row: now.session.rowOf(id),
        name: this.#nameOf(draft.original),
        was: shown(idIn(this.#original, draft.original) ?? "none"),
        is: shown(id),
        why: draft.isEdited ? "edited" : "refers to an event with another id",
      })),
      idCount: ids.length,
      invalid: events
        .filter(({ invalid }) => invalid.length > 0)
        .slice(0, MOST_LISTED)
        .map(({ draft, invalid }) => ({
          name: this.#nameOf(draft.original),
          servers: invalid.map(shown),
        })),
      verdicts: this.#verdicts(),
      dropped: [...(now.edited?.dropped ?? [])].map((id) => this.#nameOf(id)),
    };
  }

  /**
   * Makes the room smaller, a little at a time: asked again, it goes on.
   *
   * @param ask `versions`: ids of room versions, whose difference stays; else that of the edits, else who wins
   */
  shrink(ask: {
    readonly row: number;
    readonly key: string;
    readonly ms: number;
    readonly versions?: readonly string[] | undefined;
  }): ShrinkView {
    const { row, key, ms, versions } = ask;
    const after = originalOf(this.#now, this.#now.session.run.pdus[row]?.eventId ?? "");
    const about = JSON.stringify([after, key, versions]);
    const edits = this.#edits.filter(({ kind }) => kind !== "without");
    const out = this.#edits.flatMap((edit) => (edit.kind === "without" ? edit.events : []));
    if (this.#shrinker?.about !== about) {
      this.#refuseSame({ row, server: undefined, base: undefined }, key, edits);
      const kept = keptBy(edits, versions);
      const shrinker = new Shrinker(this.#editor, { after, key }, kept, out);
      this.#shrinker = { about, shrinker };
    }
    const {
      tried,
      left,
      isDone,
      out: gone,
    } = this.#shrinker.shrinker.work(ms, () => performance.now());
    const all: readonly Edit[] =
      gone.length === 0 ? edits : [{ kind: "without", events: gone }, ...edits];
    return { tried, left, isDone, edits: this.#write(all) };
  }

  #refuseSame(where: Where, key: string, edits: readonly Edit[]): void {
    if (edits.length === 0) return;
    const row = this.#states(where).find((one) => one.row.key === key);
    if (row !== undefined && !row.isSame) return;
    throw new RunError({
      file: "shrink",
      what: `the edits change nothing of ${keyText(key)} here`,
    });
  }

  /** Expects what it comes to: of what the file expects, and of what differs after this event. */
  scenario({ row, key }: { readonly row: number; readonly key: string | undefined }): {
    readonly text: string;
  } {
    const { session } = this.#now;
    const { run } = session;
    const wanted = new Map<string, Set<string>>();
    const want = (id: string, one: string) => {
      const keys = wanted.get(id) ?? new Set();
      wanted.set(id, keys.add(one));
    };
    for (const [id, state] of run.expected) for (const one of state.keys()) want(id, one);
    const at = run.pdus[row]?.eventId ?? "";
    for (const one of this.#states({ row, server: undefined, base: undefined })) {
      if (!one.isSame) want(at, one.row.key);
    }
    if (key !== undefined) want(at, key);
    const expected = new Map<string, ExpectedState>(
      [...wanted].map(([id, keys]) => {
        const state = stateAfter(session, id);
        return [id, new Map([...keys].map((one) => [one, state.get(one) ?? null]))];
      }),
    );
    return { text: writeScenario(run, expected) };
  }

  /** By key, what it is and what it was, known by original ids. */
  #states(where: Where): readonly { readonly row: WhatIfRow; readonly isSame: boolean }[] {
    const [now, original] = [this.#now, this.#original];
    const { side, event } = now.session.at(where);
    const is = side.state;
    const back = rowOf(original, originalOf(now, event.id));
    const was =
      back < 0
        ? new Map<string, string>()
        : original.session.at({ ...where, row: back }).side.state;
    const keys = [...new Set([...is.keys(), ...was.keys()])].sort();
    return keys.map((key) => {
      const [one, other] = [is.get(key), was.get(key)];
      const isSame =
        (one === undefined ? undefined : originalOf(now, one)) ===
          (other === undefined ? undefined : originalOf(original, other)) &&
        this.#value(now, one) === this.#value(original, other);
      const row: WhatIfRow = {
        key,
        what: keyText(key),
        was: this.#value(original, other),
        is: this.#value(now, one),
        row: one === undefined ? -1 : now.session.rowOf(one),
      };
      return { row, isSame };
    });
  }

  #value(branch: Branch, id: string | undefined): string {
    const row = id === undefined ? -1 : branch.session.rowOf(id);
    const pdu = branch.session.run.pdus[row];
    if (pdu === undefined) return "none";
    return `${valueText(pdu.event)} (${this.#nameOf(originalOf(branch, pdu.eventId))})`;
  }

  /** What the rules make of an event now, where it is something else than before. */
  #verdicts(): readonly string[] {
    const [now, original] = [this.#now, this.#original];
    if (now === original) return [];
    const told: string[] = [];
    for (const { eventId, event } of now.session.run.pdus) {
      const name = originalOf(now, eventId);
      const is = rejectionOf(now.session, eventId, event.roomId);
      const before = original.session.run.pdus[rowOf(original, name)];
      if (before === undefined || told.length >= MOST_LISTED) continue;
      const was = rejectionOf(original.session, before.eventId, before.event.roomId);
      if ((is === undefined) === (was === undefined)) continue;
      told.push(
        is === undefined
          ? `${this.#nameOf(name)} is allowed now`
          : `${this.#nameOf(name)} is rejected now: ${shown(is)}`,
      );
    }
    return told;
  }

  #editable({ eventId, json, event }: Pdu, row: number): EditableView {
    const { session } = this.#now;
    const { run } = session;
    const name = originalOf(this.#now, eventId);
    const content = writeJson(json.content ?? {});
    const nameIn = (id: string) => this.#textOf(originalOf(this.#now, id));
    const arrivals = run.servers.flatMap(({ name: server }, number) => {
      const own = run.arrivals.filter((arrival) => arrival.server === number);
      const at = own.findIndex((arrival) => arrival.row === row);
      if (at < 1) return [];
      const before = own
        .slice(Math.max(0, at - MOST_LISTED), at)
        .flatMap(({ row: one }) => one ?? []);
      return [
        {
          server,
          before: [...new Set(before)].toReversed().map((one) => ({
            id: nameIn(run.pdus[one]?.eventId ?? ""),
            text: this.#nameOf(originalOf(this.#now, run.pdus[one]?.eventId ?? "")),
          })),
        },
      ];
    });
    return {
      id: this.#textOf(name),
      text: this.#nameOf(name),
      time: event.originServerTs,
      date: dateText(event.originServerTs),
      sender: shown(event.sender),
      level: levelOf(run, event),
      content: content.length > MOST_LETTERS ? undefined : content,
      parents: event.prevEvents.map(nameIn),
      isCreate: event.type === "m.room.create",
      arrivals,
    };
  }

  /** As an edit names it: by its name where it has one. */
  #textOf(original: string): string {
    const { run } = this.#loaded.session;
    return run.pdus[this.#loaded.session.rowOf(original)]?.name ?? original;
  }

  #nameOf(original: string): string {
    const { session } = this.#loaded;
    return shortOf(session.run, session.rowOf(original), original);
  }

  #write(edits: readonly Edit[]): string {
    return writeEdits(edits.map((edit) => renamed(edit, (id) => this.#textOf(id))));
  }
}

function keptBy(edits: readonly Edit[], versions: readonly string[] | undefined): Kept {
  if (versions !== undefined) {
    return { kind: "versions", versions: versions.flatMap((id) => ROOM_VERSIONS.get(id) ?? []) };
  }
  return edits.length === 0 ? { kind: "winner" } : { kind: "edits", edits };
}

function stateAfter(session: Session, id: string): ReadonlyMap<string, string> {
  const row = session.rowOf(id);
  return row < 0 ? new Map() : session.at({ row, server: undefined, base: undefined }).side.state;
}

function rejectionOf(session: Session, id: string, roomId: string): string | undefined {
  const room = session.run.rooms.find((one) => one.id === roomId);
  return room === undefined ? undefined : session.historyOf(room).get(id)?.rejection?.why;
}

/** By the power levels that it cites; undefined without such, and for those who stand above all levels. */
function levelOf({ pdus, rooms }: Run, event: Pdu["event"]): number | undefined {
  const cited = new Set(event.authEvents);
  const levels = pdus.find(
    ({ eventId, event: one }) =>
      cited.has(eventId) && one.type === "m.room.power_levels" && one.stateKey === "",
  );
  const version = rooms.find(({ id }) => id === event.roomId)?.version;
  if (levels === undefined || version === undefined) return undefined;
  const create = pdus.find(
    ({ event: one }) => one.type === "m.room.create" && one.roomId === event.roomId,
  );
  const isCreator =
    version.hasPrivilegedCreators &&
    create !== undefined &&
    new AuthEvent(create.event, version).creators.has(event.sender);
  return isCreator ? undefined : new AuthEvent(levels.event, version).levels.user(event.sender);
}

function keyText(key: string): string {
  return keyWords(...splitKey(key)).replace(/^the /, "");
}
