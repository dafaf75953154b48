/** One room of an oracle: one history of all events, and what of it each server has. */
import type { Draft } from "#chaos/events/drafts";
import { domainOf } from "#protocol/auth/auth-event";
import { selectAuthState } from "#protocol/auth/selection";
import { type DagEvent, type DagFile, type NamedState, namedState } from "#protocol/dag/dag-file";
import { isObject, type JsonObject, type RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { State } from "#protocol/state/conflicts";
import { NONE } from "#protocol/state/event-graph";
import { RoomHistory } from "#protocol/state/room-history";

interface View {
  readonly known: Set<string>;
  extremities: readonly string[];
}

const NOTHING: State = new Int32Array(0);

export class OracleRoom {
  readonly name: string;
  readonly version: RoomVersion;
  readonly history: RoomHistory;
  readonly #seed: number;
  readonly #views: ReadonlyMap<string, View>;
  readonly #merged = new Map<string, State>();
  readonly #participants = new WeakMap<State, readonly string[]>();
  /** Events by `from>to` that could not be delivered. */
  readonly #kept = new Map<string, string[]>();
  #count = 0;
  roomId = "";
  /** The state when the story began, event ids by `type|state_key`. */
  first: NamedState = {};

  constructor(name: string, version: RoomVersion, seed: number, roles: readonly string[]) {
    this.name = name;
    this.version = version;
    this.#seed = seed;
    this.history = new RoomHistory([], version);
    this.#views = new Map(roles.map((role) => [role, { known: new Set(), extremities: [] }]));
  }

  /** The state that a server has. */
  state(role: string): State {
    return this.stateAfter(this.#views.get(role)?.extremities ?? []);
  }

  stateAfter(extremities: readonly string[]): State {
    const [only] = extremities;
    if (extremities.length === 1 && only !== undefined)
      return this.history.get(only)?.after ?? NOTHING;
    const key = [...extremities].sort().join();
    let state = this.#merged.get(key);
    if (state === undefined) {
      state = this.history.stateAfter(extremities);
      this.#merged.set(key, state);
    }
    return state;
  }

  content(role: string, type: string, stateKey = ""): JsonObject | undefined {
    return this.history.at(this.state(role), type, stateKey)?.content;
  }

  /** Roles of servers with a joined user, as this one sees it. */
  participants(role: string): readonly string[] {
    const state = this.state(role);
    let found = this.#participants.get(state);
    if (found === undefined) {
      const { graph } = this.history;
      const domains = new Set<string>();
      for (const index of state) {
        const node = index === NONE ? undefined : graph.node(index);
        if (node?.membership === "join") domains.add(domainOf(node.event.stateKey ?? ""));
      }
      found = [...this.#views.keys()].filter((one) => domains.has(`${one}.test`));
      this.#participants.set(state, found);
    }
    return found;
  }

  /** Servers that are in the room by their own state. */
  hosts(): readonly string[] {
    return [...this.#views.keys()].filter((role) => this.participants(role).includes(role));
  }

  /** A new event on top of what a server has; undefined: the rules refuse it. */
  author(
    role: string,
    { type, sender, stateKey, content, redacts }: Draft,
    ts: number,
  ): RoomEvent | undefined {
    const prevEvents = this.#views.get(role)?.extremities ?? [];
    const state = this.state(role);
    const id = this.#nextId(sender);
    if (type === "m.room.create")
      this.roomId = this.version.isRoomIdHash
        ? `!${id.slice(1)}`
        : `!${this.name}${sender.slice(sender.indexOf(":"))}`;
    const bare: RoomEvent = {
      id,
      type,
      ...(stateKey === undefined ? {} : { stateKey }),
      sender,
      roomId: this.roomId,
      content,
      authEvents: [],
      prevEvents,
      originServerTs: ts,
      depth: this.#count,
      ...(redacts === undefined ? {} : { redacts }),
    };
    const cited = selectAuthState(bare, this.version)
      .filter(({ slot }) => slot !== "create" || !this.version.isRoomIdHash)
      .flatMap((one) => this.history.at(state, one.type, one.stateKey)?.id ?? []);
    const event = { ...bare, authEvents: [...new Set(cited)] };
    if (this.history.refusal(event, state) !== undefined) return undefined;
    this.history.add(event);
    return event;
  }

  /** A server gets an event and all that is before it; what its state refuses follows nothing. */
  take(role: string, id: string): void {
    const view = this.#views.get(role);
    if (view === undefined || view.known.has(id)) return;
    const { event } = this.history.get(id) ?? {};
    if (event === undefined) return;
    const isNew = view.known.size === 0 || !this.participants(role).includes(role);
    if (isNew) {
      for (const prev of event.prevEvents) this.#knowAll(view, prev);
      view.extremities = [...event.prevEvents];
    }
    for (const prev of event.prevEvents) this.take(role, prev);
    view.known.add(id);
    const isOnTop = sameIds(event.prevEvents, view.extremities);
    if (!isOnTop && this.history.refusal(event, this.state(role)) !== undefined) return;
    view.extremities = [...view.extremities.filter((one) => !event.prevEvents.includes(one)), id];
  }

  keep(from: string, to: string, id: string): void {
    const link = `${from}>${to}`;
    const kept = this.#kept.get(link);
    if (kept === undefined) this.#kept.set(link, [id]);
    else kept.push(id);
  }

  flush(canReach: (from: string, to: string) => boolean): void {
    for (const [link, ids] of this.#kept) {
      const [from = "", to = ""] = link.split(">");
      if (!canReach(from, to)) continue;
      this.#kept.delete(link);
      // Who is out of the room by his own state takes nothing of it.
      for (const id of ids) if (this.participants(to).includes(to)) this.take(to, id);
    }
  }

  /** Extremities by role. */
  views(): ReadonlyMap<string, readonly string[]> {
    return new Map([...this.#views].map(([role, { extremities }]) => [role, extremities]));
  }

  /** What had to be merged since then; undefined: nothing. */
  meeting(before: ReadonlyMap<string, readonly string[]>) {
    const sides = new Map<string, { servers: string[]; extremities: readonly string[] }>();
    for (const [role, extremities] of before) {
      if (extremities.length === 0) continue;
      const key = [...extremities].sort().join();
      const side = sides.get(key) ?? { servers: [], extremities };
      sides.set(key, side);
      side.servers.push(role);
    }
    const changed = [...this.#views].filter(
      ([role, { extremities }]) => !sameIds(extremities, before.get(role) ?? []),
    );
    const [first] = changed;
    if (sides.size < 2 || first === undefined) return undefined;
    return { sides: [...sides.values()], extremities: first[1].extremities };
  }

  /** A restricted join names a user of this server who may invite. */
  authorised(role: string, draft: Draft, rooms: ReadonlyMap<string, OracleRoom>): Draft {
    const rules = this.content(role, "m.room.join_rules");
    if (draft.content.membership !== "join" || !String(rules?.join_rule).endsWith("restricted"))
      return draft;
    const allow = Array.isArray(rules?.allow) ? rules.allow.filter(isObject) : [];
    const isMember = [...rooms.values()].some(
      (room) =>
        allow.some(({ room_id: id }) => id === room.roomId) &&
        room.content(role, "m.room.member", draft.sender)?.membership === "join",
    );
    const { graph } = this.history;
    const voucher = [...this.state(role)]
      .flatMap((index) => (index === NONE ? [] : [graph.node(index)]))
      .find(
        (node) =>
          node.membership === "join" && domainOf(node.event.stateKey ?? "") === `${role}.test`,
      );
    if (!isMember || voucher === undefined) return draft;
    const by = voucher.event.stateKey ?? "";
    return { ...draft, content: { ...draft.content, join_authorised_via_users_server: by } };
  }

  /** A DAG file of these states, and what they resolve to. */
  toDagFile(id: string, title: string, sides: readonly (readonly string[])[]): DagFile {
    const events = this.history.events.map(
      ({ event, rejection }): DagEvent => ({
        id: event.id.slice(1),
        type: event.type,
        stateKey: event.stateKey,
        sender: event.sender,
        content: event.content,
        auth: event.authEvents
          .filter((one) => this.history.get(one)?.event.type !== "m.room.create")
          .map((one) => one.slice(1)),
        prev: event.prevEvents.map((one) => one.slice(1)),
        ts: event.originServerTs,
        isRejected: rejection !== undefined,
        ...(event.redacts === undefined ? {} : { redacts: event.redacts.slice(1) }),
      }),
    );
    const idsOf = (state: State) => Object.values(this.history.named(state));
    const named = (state: State) => namedState(idsOf(state), { events });
    return {
      id,
      title,
      className: "control",
      events,
      stateSets: sides.map((extremities) => named(this.stateAfter(extremities))),
      expected: new Map([[this.version.id, named(this.stateAfter(sides.flat()))]]),
      fullConflictedSet: new Map(),
    };
  }

  #knowAll(view: View, id: string): void {
    const next = [id];
    for (const one of next) {
      if (view.known.has(one)) continue;
      view.known.add(one);
      next.push(...(this.history.get(one)?.event.prevEvents ?? []));
    }
  }

  /** Mixed, so that ties are decided by the seed and not by the order of events. */
  #nextId(sender: string): string {
    this.#count += 1;
    let mixed = Math.imul(this.#count ^ Math.imul(this.#seed + 1, 0x9e3779b1), 0x85ebca6b);
    mixed ^= mixed >>> 13;
    const text = (Math.imul(mixed, 0xc2b2ae35) >>> 0).toString(36);
    const domain = this.version.eventIds === "given" ? sender.slice(sender.indexOf(":")) : "";
    return `$${text}-${this.#count}${domain}`;
  }
}

function sameIds(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((id) => other.includes(id));
}
