/**
 * A peer's copy of a room: every event that it knows, the state before and after each, and what is known of the graph.
 * Events are judged by the auth rules when they are added; what is rejected changes nothing, as on a real server.
 */
import { AuthEvent, domainOf } from "#protocol/auth/auth-event";
import type { Rejection } from "#protocol/auth/rejection";
import { type AuthState, checkAuthEvents, checkCreate, checkState } from "#protocol/auth/rules";
import { citableState, selectAuthState } from "#protocol/auth/selection";
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import { eventId, referenceHash } from "#protocol/events/hashes";
import { parseEvent } from "#protocol/events/parse";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { EventGraph } from "#protocol/state/event-graph";
import { resolveState } from "#protocol/state/resolve";
import type { Signer } from "./keys.ts";
import {
  assemble,
  type EventLies,
  type EventParts,
  type EventPlace,
  jsonOf,
  type Pdu,
} from "./pdu.ts";
import { type RoomState, slot, withEvent } from "./room-state.ts";

/** What `build` makes an event of: what it says, and what is to be other than right. */
export type Draft = EventParts & Partial<EventPlace> & EventLies;

export interface RoomEntry {
  readonly pdu: Pdu;
  readonly event: RoomEvent;
  /** Undefined for events that are known from an auth chain only. */
  readonly before: RoomState | undefined;
  readonly after: RoomState | undefined;
  /** Why the rules refuse it. */
  readonly rejection: Rejection | undefined;
}

export interface AddOptions {
  /** Instead of what the rules say. */
  readonly isRejected?: boolean;
  /** State before the event, by event ids, instead of what follows from its previous events. */
  readonly stateBefore?: Iterable<string>;
  /** What the peer takes it for, instead of what it says. */
  readonly as?: RoomEvent;
}

export interface RoomSetup {
  readonly version: RoomVersion;
  readonly roomId: string;
  /** Signs what is built. */
  readonly signer: Signer;
  /** A fresh name. */
  readonly nextName: (prefix: string) => string;
}

const EMPTY: RoomState = new Map();
const MAX_PREV_EVENTS = 20;

export class PeerRoom {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly graph: EventGraph;
  readonly #signer: Signer;
  readonly #nextName: (prefix: string) => string;
  readonly #entries = new Map<string, RoomEntry>();
  #extremities: readonly string[] = [];

  constructor({ version, roomId, signer, nextName }: RoomSetup) {
    this.version = version;
    this.roomId = roomId;
    this.graph = new EventGraph(version);
    this.#signer = signer;
    this.#nextName = nextName;
  }

  /**
   * An event on top of the room, or of `prevEvents`: with the auth events that the state there selects, one deeper than
   * what it cites, hashed and signed by the peer. The room does not change, see `add`.
   */
  build(draft: Draft): Pdu {
    const prevEvents = draft.prevEvents ?? this.extremities.slice(-MAX_PREV_EVENTS);
    const parts: EventParts & EventPlace = {
      roomId: this.roomId,
      depth: 1 + Math.max(0, ...prevEvents.map((id) => this.find(id)?.event.depth ?? 0)),
      originServerTs: Date.now(),
      ...draft,
      prevEvents,
      authEvents: draft.authEvents ?? this.#selectAuthEvents(draft, this.stateAt(prevEvents)),
    };
    return assemble(parts, draft, {
      version: this.version,
      signers: [this.#signer],
      givenId: `$${this.#nextName("event")}:${this.#signer.serverName}`,
      hashOf: (id) => this.#referenceHashOf(id),
    });
  }

  /**
   * Takes an event in: as a new forward extremity unless it is rejected. Known events stay as they are.
   *
   * @throws EventFormatError, CanonicalJsonError for what is no event of the room's version, unless it is taken `as` one
   */
  add(pdu: Pdu | JsonObject, options: AddOptions = {}): RoomEntry {
    const json = jsonOf(pdu);
    const event = options.as ?? parseEvent(json, this.version);
    const known = this.#entries.get(event.id);
    if (known?.before !== undefined) return known;
    const before =
      options.stateBefore === undefined
        ? this.stateAt(event.prevEvents)
        : this.#stateOf(options.stateBefore);
    const entry = this.#enter(json, event, before, options.isRejected);
    if (entry.rejection === undefined) {
      const prev = new Set(event.prevEvents);
      this.#extremities = [...this.#extremities.filter((id) => !prev.has(id)), event.id];
    }
    return entry;
  }

  /** Takes events in that are known without their place in the graph: auth chains and states of other servers. */
  addOutliers(pdus: Iterable<Pdu | JsonObject>): void {
    const events = Array.from(pdus, (pdu) => {
      const json = jsonOf(pdu);
      return { json, event: parseEvent(json, this.version) };
    });
    events.sort((left, right) => left.event.depth - right.event.depth);
    for (const { json, event } of events) {
      if (!this.#entries.has(event.id)) this.#enter(json, event, undefined, false);
    }
  }

  /** Ids of the events that no other one of the room follows. */
  get extremities(): readonly string[] {
    return this.#extremities;
  }

  /** Forks on purpose: what is built next follows these. */
  set extremities(ids: readonly string[]) {
    this.#extremities = ids;
  }

  /** In the order in which they came to be known. */
  get entries(): Iterable<RoomEntry> {
    return this.#entries.values();
  }

  find(eventId: string): RoomEntry | undefined {
    return this.#entries.get(eventId);
  }

  /** @throws RangeError for an event that the room does not have. */
  pdu(eventId: string): Pdu {
    return this.#entry(eventId).pdu;
  }

  /** The state after these events, resolved; of the extremities unless given. */
  stateAt(prevEvents: readonly string[] = this.#extremities): RoomState {
    const states = new Set(prevEvents.flatMap((id) => this.find(id)?.after ?? []));
    const [first, ...others] = states;
    if (first === undefined) {
      // Nothing of it is known: what the room is like now is the best guess.
      return prevEvents === this.#extremities || this.#extremities.length === 0
        ? EMPTY
        : this.stateAt();
    }
    if (others.length === 0) return first;
    const sets = [...states].map((state) => state.values());
    return this.#stateOf(resolveState(this.graph, sets));
  }

  /** A state event of the room now, or of a state. */
  stateEvent(
    type: string,
    stateKey = "",
    state: RoomState = this.stateAt(),
  ): RoomEvent | undefined {
    const id = state.get(slot(type, stateKey));
    return id === undefined ? undefined : this.find(id)?.event;
  }

  membershipOf(userId: string): string | undefined {
    const membership = this.stateEvent("m.room.member", userId)?.content.membership;
    return typeof membership === "string" ? membership : undefined;
  }

  /** Joined users now, of one server when given. */
  joinedUsers(serverName?: string): readonly string[] {
    return [...this.stateAt().values()].flatMap((id) => {
      const { type, stateKey = "", content } = this.#entry(id).event;
      const isJoined = type === "m.room.member" && content.membership === "join";
      return isJoined && (serverName === undefined || domainOf(stateKey) === serverName)
        ? [stateKey]
        : [];
    });
  }

  joinedServers(): ReadonlySet<string> {
    return new Set(this.joinedUsers().map((user) => domainOf(user)));
  }

  /** All events that these cite as auth events, and those that they cite, and so on, oldest first. */
  authChain(eventIds: Iterable<string>): readonly Pdu[] {
    const chain = new Map<string, RoomEntry>();
    const open = Array.from(eventIds, (id) => this.find(id));
    for (let entry = open.pop(); entry !== undefined || open.length > 0; entry = open.pop()) {
      for (const id of entry?.event.authEvents ?? []) {
        const cited = this.find(id);
        if (cited === undefined || chain.has(id)) continue;
        chain.set(id, cited);
        open.push(cited);
      }
    }
    return [...chain.values()]
      .sort((left, right) => left.event.depth - right.event.depth)
      .map(({ pdu }) => pdu);
  }

  /**
   * Events before these, as /backfill and /get_missing_events walk: newest first, without those of `stopAt` and what
   * lies behind them.
   */
  ancestors(
    from: readonly string[],
    {
      limit,
      stopAt = [],
      includesFrom,
    }: { limit: number; stopAt?: readonly string[]; includesFrom: boolean },
  ): readonly Pdu[] {
    const seen = new Set(stopAt);
    const found: Pdu[] = [];
    let layer: readonly string[] = from;
    for (let isFirst = true; layer.length > 0 && found.length < limit; isFirst = false) {
      const entries = layer.flatMap((id) => this.find(id) ?? []);
      for (const { pdu } of entries) {
        if ((!isFirst || includesFrom) && found.length < limit) found.push(pdu);
      }
      const next = new Set(entries.flatMap(({ event }) => event.prevEvents));
      layer = [...next].filter((id) => !seen.has(id));
      for (const id of layer) seen.add(id);
    }
    return found;
  }

  #selectAuthEvents(parts: EventParts, state: RoomState): readonly string[] {
    const draft: RoomEvent = {
      ...parts,
      id: "",
      roomId: this.roomId,
      authEvents: [],
      prevEvents: [],
      originServerTs: 0,
      depth: 0,
    };
    const ids = citableState(draft, this.version).flatMap(
      ({ type, stateKey }) => state.get(slot(type, stateKey)) ?? [],
    );
    return [...new Set(ids)];
  }

  #enter(
    json: JsonObject,
    event: RoomEvent,
    before: RoomState | undefined,
    isRejected: boolean | undefined,
  ): RoomEntry {
    const rejection = isRejected === false ? undefined : this.#judge(event, before);
    const forced: Rejection | undefined =
      isRejected === true
        ? (rejection ?? { rule: "event.level", why: "the check says so" })
        : rejection;
    this.graph.add(event, forced !== undefined);
    const after = before && (forced === undefined ? withEvent(before, event) : before);
    const entry = { pdu: { id: event.id, json }, event, before, after, rejection: forced };
    this.#entries.set(event.id, entry);
    return entry;
  }

  /** By what the event cites, then by the state before it ("Checks performed on receipt of a PDU", steps 4 and 5). */
  #judge(event: RoomEvent, before: RoomState | undefined): Rejection | undefined {
    const { version } = this;
    if (event.type === "m.room.create") return checkCreate(event, version);
    const subject = new AuthEvent(event, version);
    const cited = this.#stateOf(event.authEvents.filter((id) => this.#entries.has(id)));
    return (
      checkAuthEvents(event, (id) => this.#cited(id), version) ??
      checkState(subject, this.#authState(event, cited), version) ??
      (before && checkState(subject, this.#authState(event, before), version))
    );
  }

  #cited(id: string): { event: RoomEvent; isRejected: boolean } | undefined {
    const entry = this.find(id);
    return entry && { event: entry.event, isRejected: entry.rejection !== undefined };
  }

  #authState(event: RoomEvent, state: RoomState): AuthState {
    const found: { -readonly [Name in keyof AuthState]: AuthState[Name] } = {};
    for (const selected of selectAuthState(event, this.version)) {
      const id = state.get(slot(selected.type, selected.stateKey));
      const index = id === undefined ? undefined : this.graph.indexOf(id);
      if (index !== undefined) found[selected.slot] = this.graph.node(index);
    }
    // No event of version 12 cites the create event.
    if (this.version.isRoomIdHash) found.create ??= this.graph.nodes[this.graph.create];
    return found;
  }

  #stateOf(ids: Iterable<string>): RoomState {
    return new Map(
      Array.from(ids, (id) => {
        const { type, stateKey = "" } = this.#entry(id).event;
        return [slot(type, stateKey), id];
      }),
    );
  }

  #referenceHashOf(id: string): string {
    const entry = this.find(id);
    return entry === undefined ? "" : referenceHash(entry.pdu.json, this.version);
  }

  #entry(id: string): RoomEntry {
    const entry = this.find(id);
    if (entry === undefined) throw new RangeError(`the peer does not know ${id} of ${this.roomId}`);
    return entry;
  }
}

/** A PDU as it came over federation, with its id in the room's version. */
export function pduOf(json: JsonObject, version: RoomVersion): Pdu {
  return { id: eventId(json, version), json };
}
