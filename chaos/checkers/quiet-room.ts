/** One room when all is quiet: what each server has of it, what it should have by the oracle, and what it has not got. */
import type { JournalRoom } from "#chaos/journal/journal-room";
import { membershipOf } from "#chaos/journal/journal-room";
import type { JournalView, RecordOf } from "#chaos/journal/view";
import type { StateIds } from "#harness/replay/record";
import { domainOf } from "#protocol/auth/auth-event";
import type { State } from "#protocol/state/conflicts";
import { isOwed } from "./delivery.ts";
import { mayBeSoftFailed } from "./soft-failure.ts";

export class QuietRoom {
  readonly view: JournalView;
  readonly epoch: number;
  readonly room: JournalRoom;
  /** What each server showed last, by server name. */
  readonly states: ReadonlyMap<string, RecordOf<"state">>;
  #truth: State | undefined;
  readonly #lacks = new Map<string, readonly string[]>();

  constructor(
    view: JournalView,
    epoch: number,
    room: JournalRoom,
    states: readonly RecordOf<"state">[],
  ) {
    this.view = view;
    this.epoch = epoch;
    this.room = room;
    this.states = new Map(states.map((state) => [state.server, state]));
  }

  /** Forward extremities of all servers together; without any, all events that no other one follows. */
  get ends(): readonly string[] {
    const shown = [...this.states.values()].flatMap(({ extremities }) => extremities);
    const known = shown.filter((id) => this.room.get(id) !== undefined);
    return known.length > 0 ? this.room.endsOf(known) : (this.room.history?.extremities ?? []);
  }

  /** By the oracle, over all that any server has. Undefined when there are no events to judge by. */
  get truth(): State | undefined {
    this.#truth ??= this.room.history?.stateAfter(this.ends);
    return this.#truth;
  }

  /** Servers that showed a state and have a joined user by the oracle; without events, all that showed a state. */
  get participants(): readonly string[] {
    const servers = [...this.states.keys()];
    const { truth } = this;
    if (truth === undefined) return servers;
    const joined = this.room.serversIn(truth);
    return servers.filter((server) => joined.has(server));
  }

  /** Servers of which a user has ever joined by an event that the rules allow. */
  get everJoined(): ReadonlySet<string> {
    const joins = (this.room.history?.events ?? []).filter(
      ({ event, rejection }) => rejection === undefined && membershipOf(event) === "join",
    );
    return new Set(joins.map(({ event }) => domainOf(event.stateKey ?? "")));
  }

  /** By the oracle from what the server has; undefined when that is not known. */
  expected(server: string): StateIds | undefined {
    const shown = this.states.get(server);
    return shown && expectedOf(this.room, shown);
  }

  /**
   * Events that others have, that should have come to this server and that it has not: its user was in the room, the
   * rules allow them, and nothing gave it a reason to hide them. Undefined when its forward extremities are not known.
   */
  lacks(server: string): readonly string[] | undefined {
    const { extremities = [] } = this.states.get(server) ?? {};
    if (extremities.length === 0) return undefined;
    const known = this.#lacks.get(server);
    if (known !== undefined) return known;
    if (this.#isRightlyOut(server)) return [];
    const has = this.room.ancestors(extremities);
    const all = this.room.ancestors(this.ends);
    const lacks = [...all].filter((id) => !has.has(id) && isOwed(this.room, id, server));
    this.#lacks.set(server, lacks);
    return lacks;
  }

  /** By what it has, no user of the server is in the room: it takes nothing more of it, whatever others believe. */
  #isRightlyOut(server: string): boolean {
    const expected = this.expected(server);
    if (expected === undefined || (this.seenBy(server)?.has(server) ?? true)) return false;
    return differingKeys(expected, this.states.get(server)?.state ?? {}).length === 0;
  }

  /** Servers that the state of this one shows to be in the room; undefined when it names events that nobody showed. */
  seenBy(server: string): ReadonlySet<string> | undefined {
    const { state = {} } = this.states.get(server) ?? {};
    const joined = new Set<string>();
    for (const [key, id] of Object.entries(state)) {
      if (!key.startsWith("m.room.member|")) continue;
      const event = this.room.get(id)?.event;
      if (event === undefined) return undefined;
      if (membershipOf(event) === "join") joined.add(domainOf(event.stateKey ?? ""));
    }
    return joined;
  }

  /** How the servers were brought to agree. */
  get mode(): "nudged" | "silent" {
    const told = this.view.during("recovery", this.epoch).at(-1)?.mode;
    if (told !== undefined) return told;
    return this.view.during("step", this.epoch).some(({ op }) => op === "nudge")
      ? "nudged"
      : "silent";
  }
}

/**
 * By the oracle from the forward extremities of a state that a server showed; undefined when those, or what is before them,
 * are not known.
 */
export function expectedOf(
  room: JournalRoom,
  { extremities, state, server }: Pick<RecordOf<"state">, "extremities" | "state" | "server">,
): StateIds | undefined {
  if (extremities.length === 0 || !room.areWhole(extremities)) return undefined;
  const expected = room.stateAfter(extremities);
  if (differingKeys(expected, state).length === 0) return expected;
  // What came and was soft-failed replaces nothing: what it follows may be an extremity still, unlike what a client sees.
  const has = room.ancestors(extremities);
  const hidden = (room.history?.events ?? []).filter(
    ({ event }) =>
      !has.has(event.id) && domainOf(event.sender) !== server && mayBeSoftFailed(room, event.id),
  );
  const ids = new Set(hidden.map(({ event }) => event.id));
  const previous = hidden.flatMap(({ event }) => event.prevEvents);
  const kept = previous.filter((id) => !has.has(id) && !ids.has(id));
  if (kept.length === 0) return expected;
  const other = room.stateAfter([...extremities, ...kept]);
  return differingKeys(other, state).length === 0 ? other : expected;
}

const KNOWN = new WeakMap<JournalView, Map<number, readonly QuietRoom[]>>();

/** All rooms of which an epoch has a state when all was quiet. */
export function quietRooms(view: JournalView, epoch: number): readonly QuietRoom[] {
  const ofView = KNOWN.get(view) ?? new Map<number, readonly QuietRoom[]>();
  KNOWN.set(view, ofView);
  const known = ofView.get(epoch);
  if (known !== undefined) return known;
  const quiet = view.during("state", epoch).filter(({ moment }) => moment === "quiescent");
  const rooms = [...view.rooms.values()].flatMap((room) => {
    const states = quiet.filter((state) => state.room === room.id);
    return states.length === 0 ? [] : [new QuietRoom(view, epoch, room, states)];
  });
  ofView.set(epoch, rooms);
  return rooms;
}

/** Keys at which the states differ, sorted. */
export function differingKeys(one: StateIds, other: StateIds): readonly string[] {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].filter((key) => one[key] !== other[key]).sort();
}
