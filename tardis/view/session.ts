/** One run behind the page: loaded, replayed, and asked about. Holds no element of any page, and runs in a worker. */
import type { RoomEvent } from "#protocol/events/event";
import type { RoomHistory } from "#protocol/state/room-history";
import { explainKey } from "#tardis/explain/explain-key";
import type { Explanation } from "#tardis/explain/explanation";
import { shown } from "#tardis/explain/shown";
import { type FileText, loadRun } from "#tardis/formats/load";
import { areWhole, extremitiesIn, knowledgeOf, recordedServers } from "#tardis/model/knowledge";
import { lastLook } from "#tardis/model/last-look";
import { differencesIn, historyOf, replaying } from "#tardis/model/room-of-run";
import type { Room, Run } from "#tardis/model/run";
import { annotationsOf } from "./annotations.ts";
import { eventView } from "./event-view.ts";
import { untilOfRoom } from "./failing-moment.ts";
import { layoutView } from "./layout-view.ts";
import { loadedView } from "./loaded-view.ts";
import {
  CONFLICTS,
  type EventView,
  type JudgedView,
  type LayoutAsk,
  type LayoutView,
  type LoadedView,
  MERGES,
  REJECTED,
  type RunView,
  type StateView,
  UNEXPECTED,
  type Where,
} from "./messages.ts";
import { runView } from "./run-view.ts";
import type { ServersView } from "./servers-messages.ts";
import { serversView } from "./servers-view.ts";
import { shortOf } from "./short.ts";
import { sinceWhen } from "./since.ts";
import { isConflict, type Side, stateRows } from "./state-rows.ts";

/** Of replaying, before others have their turn. */
const SLICE_MS = 30;

export class Session {
  readonly run: Run;
  readonly #names: ReadonlyMap<string, string>;
  readonly #rows: ReadonlyMap<string, number>;
  readonly #histories = new Map<string, RoomHistory>();
  #loaded: LoadedView | undefined;
  #prepared: Promise<void> | undefined;
  #judged: JudgedView | undefined;

  private constructor(run: Run) {
    this.run = run;
    this.#rows = new Map(run.pdus.map(({ eventId }, row) => [eventId, row]));
    this.#names = new Map(
      run.pdus.flatMap(({ eventId, name }) => (name === undefined ? [] : [[eventId, name]])),
    );
  }

  static of(run: Run): Session {
    return new Session(run);
  }

  /** @throws RunError when nothing can be used, or there is too much */
  static async open(files: readonly FileText[]): Promise<Session> {
    return new Session(await loadRun(files));
  }

  /** -1 for an event that there is not. */
  rowOf(id: string): number {
    return this.#rows.get(id) ?? -1;
  }

  load(): LoadedView {
    this.#loaded ??= loadedView(this.run);
    return this.#loaded;
  }

  layout(ask: LayoutAsk): LayoutView {
    return layoutView(this.run, ask, this.judge().flags, this.load().rows.server);
  }

  knowledge({ row, server }: { readonly row: number; readonly server: number }): Uint8Array {
    return knowledgeOf(this.run, server, untilOfRoom(this.run, row));
  }

  /**
   * Replays every room, which takes its time once.
   *
   * @param pause for others to have their turn
   */
  async prepare(pause: () => Promise<void>): Promise<void> {
    this.#prepared ??= this.#prepare(pause);
    await this.#prepared;
  }

  async #prepare(pause: () => Promise<void>): Promise<void> {
    for (const room of this.run.rooms) {
      if (this.#histories.has(room.id)) continue;
      const replay = replaying(this.run, room);
      for (let until = performance.now() + SLICE_MS; ; ) {
        const { done, value } = replay.next();
        if (done) {
          this.#histories.set(room.id, value);
          break;
        }
        if (performance.now() < until) continue;
        await pause();
        until = performance.now() + SLICE_MS;
      }
    }
  }

  /** What the rules make of each row. */
  judge(): JudgedView {
    this.#judged ??= this.#judge();
    return this.#judged;
  }

  #judge(): JudgedView {
    const { run } = this;
    const flags = new Uint8Array(run.pdus.length);
    let unexpected = 0;
    const mark = (id: string, flag: number) => {
      const row = this.#rows.get(id);
      if (row !== undefined) flags[row] = (flags[row] ?? 0) | flag;
    };
    for (const room of run.rooms) {
      const history = this.historyOf(room);
      for (const { event, rejection } of history.events) {
        if (rejection !== undefined) mark(event.id, REJECTED);
        if (event.prevEvents.length < 2) continue;
        mark(event.id, MERGES);
        if (isConflict(history, event.prevEvents)) mark(event.id, CONFLICTS);
      }
      for (const { after } of differencesIn(run, history)) {
        mark(after, UNEXPECTED);
        unexpected++;
      }
    }
    const expected = [...run.expected.values()].reduce((sum, state) => sum + state.size, 0);
    return { flags, expected, unexpected };
  }

  state(where: Where): StateView {
    const { history, event, ids, side, isSaid } = this.at(where);
    const { base } = where;
    const against: readonly Side[] =
      base === undefined
        ? this.#before(history, where, ids, event)
        : "row" in base
          ? [this.at({ row: base.row, server: undefined, base: undefined }).side]
          : [this.at({ row: where.row, server: base.server, base: undefined }).side];
    const { expected } = this.run;
    const wanted = where.server === undefined ? expected.get(event.id) : undefined;
    const rows = stateRows(this.run, history, side, against, {
      parents: ids.length === 1 ? event.prevEvents : ids,
      rowOf: (id) => this.rowOf(id),
      expected: wanted,
      isTime: base === undefined,
      since: isSaid ? new Map() : sinceWhen(history, ids, side.state),
    });
    return {
      where: side.where,
      against: against.map((one) => one.where).join(" and "),
      rows,
      key: keyToAsk(rows, event),
      caption: annotationsOf(this.run).caption(this.#names.get(event.id) ?? event.id),
    };
  }

  /** As `crucible tardis explain`. */
  explain(where: Where & { readonly key: string }): Explanation {
    const { history, ids } = this.at(where);
    return explainKey({
      history,
      names: this.#names,
      given: new Set([...this.run.givenStates.keys(), ...this.run.cut.before.keys()]),
      at: ids,
      key: where.key,
      recorded: { run: this.run, seq: untilOfRoom(this.run, where.row) },
    });
  }

  event({ row }: { readonly row: number }): EventView {
    const { history } = this.at({ row, server: undefined, base: undefined });
    const rowOf = (id: string) => this.rowOf(id);
    return eventView(this.run, row, history, rowOf, this.#inStates(row));
  }

  /** Whether an event is the value of its key at this moment: as computed, and at each server. */
  #inStates(row: number): EventView["inStates"] {
    return [undefined, ...recordedServers(this.run)].flatMap((server) => {
      const { side, event } = this.at({ row, server, base: undefined });
      if (event.stateKey === undefined) return [];
      const held = side.state.get(`${event.type}|${event.stateKey}`);
      const short = shortOf(this.run, this.rowOf(held ?? ""), held ?? "nothing");
      return [{ whose: side.where, text: held === event.id ? "yes" : `no: ${short} is` }];
    });
  }

  happenings({ row }: { readonly row: number }): RunView {
    return runView(this.run, row, (id) => this.#rows.get(id) ?? -1);
  }

  servers({ row }: { readonly row: number }): ServersView {
    return serversView(this.run, row);
  }

  /** Of one of the run's rooms, by its own rules. */
  historyOf(room: Room): RoomHistory {
    const known = this.#histories.get(room.id);
    if (known !== undefined) return known;
    const history = historyOf(this.run, room);
    this.#histories.set(room.id, history);
    return history;
  }

  /** The room of a row, and the events after which the state is asked for. */
  at({ row, server }: Where) {
    const { pdus, rooms, servers } = this.run;
    const event = pdus[row]?.event;
    const room = rooms.find(({ id }) => id === event?.roomId);
    if (event === undefined || room === undefined) throw new Error(`there is no row ${row}`);
    const history = this.historyOf(room);
    const short = shortOf(this.run, row, event.id);
    if (server === undefined) {
      const side = sideOf(history, `after ${short}`, history.get(event.id)?.after);
      return { room, history, event, ids: [event.id], side, isSaid: false };
    }
    const until = untilOfRoom(this.run, row);
    const known = knowledgeOf(this.run, server, until);
    const ends = extremitiesIn(this.run, known).filter((at) => pdus[at]?.event.roomId === room.id);
    const ids = ends.flatMap((at) => pdus[at]?.eventId ?? []);
    const name = shown(servers[server]?.name ?? "nobody");
    // Without all that it builds on there is no telling what it has; what it said when it was asked is known.
    const said = areWhole(this.run, known, ends)
      ? undefined
      : lastLook(this.run, room.id, until).find((one) => one.server === server);
    const side =
      said === undefined
        ? sideOf(history, `at ${name}`, history.stateAfter(ids))
        : { where: `at ${name}, as it said itself (record ${said.seq})`, state: said.state };
    return { room, history, event, ids, side, isSaid: said !== undefined };
  }

  /** What an event follows; of a server, what it had a row before. */
  #before(
    history: RoomHistory,
    { row, server }: Where,
    ids: readonly string[],
    event: RoomEvent,
  ): readonly Side[] {
    if (server !== undefined) {
      const roomOf = (at: number) => this.run.pdus[at]?.event.roomId;
      const before = [...this.run.pdus.keys()].findLast(
        (at) => at < row && roomOf(at) === event.roomId,
      );
      return before === undefined ? [] : [this.at({ row: before, server, base: undefined }).side];
    }
    return event.prevEvents.flatMap((id) => {
      const replayed = history.get(id);
      if (replayed === undefined || ids.includes(id)) return [];
      const short = shortOf(this.run, this.rowOf(id), id);
      return [sideOf(history, `after ${short}`, replayed.after)];
    });
  }
}

function sideOf(
  history: RoomHistory,
  where: string,
  state: Parameters<RoomHistory["named"]>[0] | undefined,
): Side {
  const named = state === undefined ? {} : history.named(state);
  return { where, state: new Map(Object.entries(named)) };
}

/** What a file expects and is in conflict, else what is, else what was changed, else the first. */
function keyToAsk(rows: StateView["rows"], event: RoomEvent): string | undefined {
  const own = event.stateKey === undefined ? undefined : `${event.type}|${event.stateKey}`;
  const found =
    rows.find(({ expected, isConflicted }) => isConflicted && expected !== undefined) ??
    rows.find(({ isConflicted }) => isConflicted) ??
    rows.find(({ expected }) => expected !== undefined) ??
    rows.find(({ key }) => key === own) ??
    rows[0];
  return found?.key;
}
