/** What can be laid side by side: a state by the rules of a version, what a server told, and what ours is of the same moment. */
import { ROOM_VERSIONS, type RoomVersion } from "#protocol/rooms/room-version";
import { RoomHistory } from "#protocol/state/room-history";
import { givenIn } from "#tardis/edit/editor";
import { reversioned } from "#tardis/edit/reversion";
import { shown } from "#tardis/explain/shown";
import { lastLook } from "#tardis/model/last-look";
import { historyOf } from "#tardis/model/room-of-run";
import type { Snapshot } from "#tardis/model/run";
import { untilOfRoom } from "./failing-moment.ts";
import type { Session } from "./session.ts";
import { shortOf } from "./short.ts";

/** Where our own answer came from, to be explained. */
export interface Computed {
  readonly history: RoomHistory;
  /** Events after which the state is. */
  readonly at: readonly string[];
}

export interface Side {
  /** As an address has it. */
  readonly name: string;
  readonly title: string;
  /** Ids that the run has, by `type|state_key`. */
  readonly state: ReadonlyMap<string, string>;
  readonly computed: Computed | undefined;
  readonly originalOf: (id: string) => string;
}

/** Behind a version: ids are calculated anew. */
const NEW_IDS = "*";
const TOLD = "told:";
const OURS = "ours:";

/** One version for each algorithm. */
const ALGORITHMS = ["1", "11", "12"] as const;

export class Sides {
  readonly #session: Session;
  readonly #row: number;
  readonly #look: readonly Snapshot[];

  constructor(session: Session, row: number) {
    this.#session = session;
    this.#row = row;
    const { room } = session.at({ row, server: undefined, base: undefined });
    this.#look = lastLook(session.run, room.id, untilOfRoom(session.run, row));
  }

  /** What servers told, and ours of the moment of the first; or the room's version and one of each algorithm. */
  get usual(): readonly string[] {
    const [first] = this.#look;
    if (first === undefined) return this.#versions;
    const told = this.#look.map(({ server }) => `${TOLD}${this.#serverName(server)}`);
    return [...told, `${OURS}${this.#serverName(first.server)}`];
  }

  get #versions(): readonly string[] {
    const { id } = this.#version;
    return [id, ...ALGORITHMS.filter((one) => one !== id)];
  }

  /** All that there are. */
  get all(): readonly { readonly name: string; readonly title: string }[] {
    const versions = [...ROOM_VERSIONS.values()].flatMap((version) => [
      { name: version.id, title: versionTitle(version, false) },
      { name: `${version.id}${NEW_IDS}`, title: versionTitle(version, true) },
    ]);
    const servers = this.#look.flatMap((snapshot) => {
      const name = this.#serverName(snapshot.server);
      return [
        { name: `${TOLD}${name}`, title: toldTitle(name, snapshot) },
        { name: `${OURS}${name}`, title: oursTitle(name, snapshot) },
      ];
    });
    return [...servers, ...versions];
  }

  /** Undefined for a name that says nothing here. */
  get(name: string): Side | undefined {
    const server = /^(?:told|ours):(.*)$/s.exec(name)?.[1];
    if (server !== undefined) {
      const snapshot = this.#look.find((one) => this.#serverName(one.server) === server);
      if (snapshot === undefined) return undefined;
      return name.startsWith(TOLD)
        ? told(name, server, snapshot)
        : this.#ours(name, server, snapshot);
    }
    const hasNewIds = name.endsWith(NEW_IDS);
    const version = ROOM_VERSIONS.get(hasNewIds ? name.slice(0, -NEW_IDS.length) : name);
    return version === undefined ? undefined : this.#byVersion(name, version, hasNewIds);
  }

  get #version(): RoomVersion {
    return this.#session.at({ row: this.#row, server: undefined, base: undefined }).room.version;
  }

  #byVersion(name: string, version: RoomVersion, hasNewIds: boolean): Side {
    const { run } = this.#session;
    const { room, event, history } = this.#session.at({
      row: this.#row,
      server: undefined,
      base: undefined,
    });
    const title = versionTitle(version, hasNewIds);
    if (!hasNewIds) {
      const own = version === room.version ? history : historyOf(run, room, version);
      return computed(name, title, { history: own, at: [event.id] }, same);
    }
    const { events, originalOf, idOf } = reversioned(run, room, version);
    const own = new RoomHistory(events, version, { givenStates: givenIn(run, idOf) });
    const at = [idOf.get(event.id) ?? event.id];
    return computed(name, title, { history: own, at }, (id) => originalOf.get(id) ?? id);
  }

  /** Of the moment of which a server told. */
  #ours(name: string, server: string, snapshot: Snapshot): Side {
    const { history } = this.#session.at({ row: this.#row, server: undefined, base: undefined });
    const { atEvent, source, extremities } = snapshot;
    const known = extremities.filter((id) => history.get(id) !== undefined);
    const event = atEvent === undefined ? undefined : history.get(atEvent);
    // The state of /state_ids is that before its event.
    const at =
      source === "state_ids" && event !== undefined
        ? event.event.prevEvents
        : known.length > 0
          ? known
          : event !== undefined
            ? [event.event.id]
            : this.#session.at({ row: this.#row, server: snapshot.server, base: undefined }).ids;
    return computed(name, oursTitle(server, snapshot), { history, at }, same);
  }

  #serverName(server: number): string {
    return this.#session.run.servers[server]?.name ?? "";
  }

  /** What an event is called, by its id in the run. */
  shortOf(id: string): string {
    return shortOf(this.#session.run, this.#session.rowOf(id), id);
  }
}

const same = (id: string) => id;

function computed(
  name: string,
  title: string,
  { history, at }: Computed,
  originalOf: (id: string) => string,
): Side {
  const named = Object.entries(history.named(history.stateAfter(at)));
  const state = new Map(named.map(([key, id]) => [key, originalOf(id)]));
  return { name, title, state, computed: { history, at }, originalOf };
}

function told(name: string, server: string, snapshot: Snapshot): Side {
  const { state } = snapshot;
  return { name, title: toldTitle(server, snapshot), state, computed: undefined, originalOf: same };
}

function versionTitle({ id, stateResolution }: RoomVersion, hasNewIds: boolean): string {
  return `version ${id} (${stateResolution})${hasNewIds ? ", new ids" : ""}`;
}

function toldTitle(server: string, { source, seq }: Snapshot): string {
  return `${shown(server)} told (${shown(source)}, record ${seq})`;
}

function oursTitle(server: string, { seq }: Snapshot): string {
  return `ours, where ${shown(server)} told (record ${seq})`;
}
