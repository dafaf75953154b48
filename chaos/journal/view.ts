/** A journal, by what checkers ask of it. Records of kinds or rooms that nobody asks for cost nothing but a place in a list. */
import type { JsonObject } from "#protocol/events/event";
import { JournalRoom } from "./journal-room.ts";
import type { JournalRecord } from "./record.ts";

export type RecordOf<T extends JournalRecord["t"]> = Extract<JournalRecord, { readonly t: T }>;

interface Span {
  readonly first: number;
  readonly last: number;
}

export class JournalView {
  readonly records: readonly JournalRecord[];
  /** Server names by role. */
  readonly servers: ReadonlyMap<string, string>;
  /** User ids by name. */
  readonly users: ReadonlyMap<string, string>;
  readonly rooms: ReadonlyMap<string, JournalRoom>;
  readonly #byType = new Map<string, JournalRecord[]>();
  readonly #spans = new Map<number, Span>();
  readonly #roles: ReadonlyMap<string, string>;
  #areEndsFound = false;

  constructor(records: readonly JournalRecord[]) {
    this.records = records;
    for (const record of records) {
      const same = this.#byType.get(record.t);
      if (same === undefined) this.#byType.set(record.t, [record]);
      else same.push(record);
    }
    const casts = this.all("cast");
    const merged = (pick: (cast: RecordOf<"cast">) => Readonly<Record<string, string>>) =>
      new Map(casts.flatMap((cast) => Object.entries(pick(cast))));
    this.servers = merged(({ servers }) => servers);
    this.users = merged(({ users }) => users);
    this.#roles = new Map([...this.servers].map(([role, name]) => [name, role]));
    this.rooms = this.#findRooms(
      merged(({ rooms }) => rooms),
      merged(({ versions }) => versions),
    );
  }

  /**
   * In the order of the journal. Extremities of states are without those that another one follows: who wrote it down may
   * not have known yet what an event follows.
   */
  all<T extends JournalRecord["t"]>(t: T): readonly RecordOf<T>[] {
    if (t === "state" && !this.#areEndsFound) this.#findEnds();
    const same: readonly unknown[] = this.#byType.get(t) ?? [];
    return same as readonly RecordOf<T>[];
  }

  /** All up to the end of an epoch. */
  until<T extends JournalRecord["t"]>(t: T, epoch: number): readonly RecordOf<T>[] {
    const { last } = this.span(epoch);
    return this.all(t).filter(({ seq }) => seq <= last);
  }

  /** Those of one epoch: since the verdicts of the one before. */
  during<T extends JournalRecord["t"]>(t: T, epoch: number): readonly RecordOf<T>[] {
    const { first, last } = this.span(epoch);
    return this.all(t).filter(({ seq }) => seq >= first && seq <= last);
  }

  /**
   * First and last `seq` of an epoch: what comes after all that is of earlier epochs, up to the last record that is of it;
   * the newest one goes on to the end.
   */
  span(epoch: number): Span {
    const span = this.#spans.get(epoch) ?? this.#findSpan(epoch);
    this.#spans.set(epoch, span);
    return span;
  }

  #findSpan(epoch: number): Span {
    let before = Number.NEGATIVE_INFINITY;
    let own = Number.NEGATIVE_INFINITY;
    let isOver = false;
    for (const record of this.records) {
      if (!("epoch" in record)) continue;
      if (record.epoch < epoch) before = Math.max(before, record.seq);
      else if (record.epoch === epoch) own = Math.max(own, record.seq);
      else isOver = true;
    }
    return { first: before + 1, last: isOver ? own : Number.POSITIVE_INFINITY };
  }

  /** `hs1` where the journal says who that is, else its name. */
  label(server: string): string {
    return this.#roles.get(server) ?? server;
  }

  #findEnds(): void {
    this.#areEndsFound = true;
    const states = this.#byType.get("state") ?? [];
    for (const [at, one] of states.entries()) {
      const room = one.t === "state" ? this.rooms.get(one.room) : undefined;
      if (one.t !== "state" || room === undefined) continue;
      states[at] = { ...one, extremities: room.endsOf(one.extremities) };
    }
  }

  #findRooms(
    names: ReadonlyMap<string, string>,
    versions: ReadonlyMap<string, string>,
  ): ReadonlyMap<string, JournalRoom> {
    const pdus = new Map<string, Map<string, JsonObject>>();
    for (const { event_id: id, pdu } of this.all("pdu")) {
      // In version 12 the create event makes the room's id.
      const roomId = typeof pdu.room_id === "string" ? pdu.room_id : `!${id.slice(1)}`;
      const ofRoom = pdus.get(roomId) ?? new Map<string, JsonObject>();
      if (!ofRoom.has(id)) ofRoom.set(id, pdu);
      pdus.set(roomId, ofRoom);
    }
    const named = new Map([...names].map(([name, id]) => [id, name]));
    const ids = new Set([
      ...named.keys(),
      ...pdus.keys(),
      ...(this.#byType.get("state") ?? []).flatMap((one) => (one.t === "state" ? one.room : [])),
    ]);
    return new Map(
      [...ids].map((id) => [
        id,
        new JournalRoom(id, named.get(id) ?? id, versions.get(id), pdus.get(id) ?? new Map()),
      ]),
    );
  }
}
