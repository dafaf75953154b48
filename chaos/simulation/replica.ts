/** One room as one server has it: what came, what of it stands, and the state that follows. */

import type { Pdu } from "#chaos/events/make-event";
import { domainOf } from "#protocol/auth/auth-event";
import type { Rejection } from "#protocol/auth/rejection";
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { State } from "#protocol/state/conflicts";
import { NONE } from "#protocol/state/event-graph";
import { type Replayed, RoomHistory } from "#protocol/state/room-history";

export interface Received {
  readonly pdu: Pdu;
  readonly verdict: "accepted" | "rejected" | "soft_failed";
  readonly rejection: Rejection | undefined;
}

const MAX_PREV_EVENTS = 20;

export class Replica {
  readonly roomId: string;
  readonly history: RoomHistory;
  /** All that the server keeps, outliers and what it fetched of the past included. */
  readonly pdus = new Map<string, Pdu>();
  extremities: readonly string[] = [];
  /** The resolved state after the extremities. */
  current: State = new Int32Array(0);
  /** The event by which the server came first. */
  #entrance: string | undefined;
  /** Depth of the event by which the server came: what is before it is nobody's business here. */
  minDepth = 0;
  /** Events that one that stands follows. */
  readonly #followed = new Set<string>();

  constructor(roomId: string, version: RoomVersion) {
    this.roomId = roomId;
    this.history = new RoomHistory([], version);
  }

  /** Whether the event has its place in the room; outliers have not. */
  has(id: string): boolean {
    return this.history.get(id) !== undefined;
  }

  missing(ids: readonly string[]): readonly string[] {
    return ids.filter((id) => !this.has(id));
  }

  /** Checks performed on receipt of a PDU, 4 to 6 (server-server API). Whoever calls has seen to what is before it. */
  receive(pdu: Pdu, before?: readonly string[]): Received {
    const { event, id } = pdu;
    this.pdus.set(id, pdu);
    const replayed = this.history.add(event, before === undefined ? {} : { before });
    if (replayed.rejection !== undefined) {
      return { pdu, verdict: "rejected", rejection: replayed.rejection };
    }
    const isOnTop = this.extremities.length === 0 || this.#isOnTop(event);
    const soft = isOnTop ? undefined : this.history.refusal(event, this.current);
    if (soft !== undefined) return { pdu, verdict: "soft_failed", rejection: soft };
    this.#extend(replayed);
    return { pdu, verdict: "accepted", rejection: undefined };
  }

  /** Events since the server came that others follow and that it has not got. */
  get gaps(): readonly string[] {
    const found = new Set<string>();
    const next = [...this.pdus.keys()].filter((id) => this.has(id));
    for (const id of next) {
      if (id === this.#entrance) continue;
      for (const prev of this.pdus.get(id)?.event.prevEvents ?? []) {
        if (this.has(prev) || found.has(prev)) continue;
        found.add(prev);
        next.push(prev);
      }
    }
    return [...found].filter((id) => !this.pdus.has(id));
  }

  /** Takes an event that is before others, whose state nobody asks for. */
  keep(pdu: Pdu): void {
    this.pdus.set(pdu.id, pdu);
  }

  /** State and auth events that came by themselves, in any order. */
  addOutliers(pdus: readonly Pdu[]): void {
    const waiting = new Map(pdus.map((pdu) => [pdu.id, pdu]));
    const add = (pdu: Pdu) => {
      waiting.delete(pdu.id);
      for (const id of pdu.event.authEvents) {
        const cited = waiting.get(id);
        if (cited !== undefined) add(cited);
      }
      if (this.history.graph.indexOf(pdu.id) !== undefined) return;
      this.history.addOutlier(pdu.event);
      this.pdus.set(pdu.id, pdu);
    };
    for (const pdu of pdus) if (waiting.has(pdu.id)) add(pdu);
  }

  /** Begins anew on top of one event, as after a join: what was known is known still. */
  restartAt(pdu: Pdu, before: readonly string[]): Received {
    this.extremities = [];
    this.minDepth = pdu.event.depth;
    this.#entrance ??= pdu.id;
    return this.receive(pdu, before);
  }

  /** Why the state refuses it, if it does. */
  refusal(event: RoomEvent, state: State = this.current): Rejection | undefined {
    return this.history.refusal(event, state);
  }

  content(type: string, stateKey = "", state: State = this.current): JsonObject | undefined {
    return this.history.at(state, type, stateKey)?.content;
  }

  membership(user: string, state: State = this.current): string | undefined {
    const membership = this.content("m.room.member", user, state)?.membership;
    return typeof membership === "string" ? membership : undefined;
  }

  /** Memberships by user id. */
  members(state: State = this.current): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const { type, stateKey, content } of this.eventsOf(state)) {
      if (type === "m.room.member") found.set(stateKey ?? "", String(content.membership));
    }
    return found;
  }

  /** Servers with a joined user. */
  servers(state: State = this.current): ReadonlySet<string> {
    const joined = [...this.members(state)].filter(([, membership]) => membership === "join");
    return new Set(joined.map(([user]) => domainOf(user)));
  }

  eventsOf(state: State = this.current): readonly RoomEvent[] {
    const { graph } = this.history;
    return [...state].flatMap((index) => (index === NONE ? [] : [graph.node(index).event]));
  }

  /** The events and all that they cite, in the order in which they came. */
  withAuthChains(ids: readonly string[]): readonly Pdu[] {
    const found = new Set<string>();
    const next = [...ids];
    for (let id = next.pop(); id !== undefined; id = next.pop()) {
      if (found.has(id)) continue;
      found.add(id);
      next.push(...(this.pdus.get(id)?.event.authEvents ?? []));
    }
    return [...this.pdus.values()].filter(({ id }) => found.has(id));
  }

  /** Of events that a new event is to follow: the newest, when there are too many. */
  get tops(): readonly string[] {
    return this.extremities.slice(-MAX_PREV_EVENTS);
  }

  depthAbove(ids: readonly string[]): number {
    return 1 + Math.max(0, ...ids.map((id) => this.pdus.get(id)?.event.depth ?? 0));
  }

  #isOnTop({ prevEvents }: RoomEvent): boolean {
    return (
      prevEvents.length === this.extremities.length &&
      prevEvents.every((id) => this.extremities.includes(id))
    );
  }

  #extend({ event, after }: Replayed): void {
    const isOnTop = this.#isOnTop(event);
    for (const id of event.prevEvents) this.#followed.add(id);
    const others = this.extremities.filter((id) => !event.prevEvents.includes(id));
    // When it came late, what follows it is there.
    const isLate = this.#followed.has(event.id);
    if (isLate && others.length === this.extremities.length) return;
    this.extremities = isLate ? others : [...others, event.id];
    this.current = isOnTop ? after : this.history.stateAfter(this.extremities);
  }
}
