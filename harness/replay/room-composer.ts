/** One room of a check as records: its events, where they came, what carried them, and what servers showed of it at the end. */
import type { Exchange } from "#harness/gateway/exchange";
import { domainOf } from "#protocol/auth/auth-event";
import { isObject, type JsonObject, type RoomEvent } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { parseEvent } from "#protocol/events/parse";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import { RoomHistory } from "#protocol/state/room-history";
import type { Body, CheckEvidence, RoomEvidence, RoomView, Via } from "./record.ts";
import type { Carried } from "./traffic.ts";

/** A record and when it was. */
export type Timed = readonly [at: number, body: Body];
/** An exchange, and the events in it. */
export type Carrying = readonly [exchange: Exchange, carried: Carried];

/** Time stamps that lie further from the check than this are not when the event was made. */
const SKEW_MS = 2_000;

interface Arrival {
  readonly at: number;
  readonly server: string;
  readonly eventId: string;
  readonly via: Via;
  readonly from?: string;
  readonly txn?: string;
}

/** One room of a check. */
export class RoomComposer {
  readonly id: string;
  readonly version: RoomVersion | undefined;
  readonly #evidence: CheckEvidence;
  readonly #views: readonly RoomView[];
  readonly #carrying: readonly Carrying[];
  /** Server names by role. */
  readonly #names: ReadonlyMap<string, string>;
  readonly #pdus = new Map<string, JsonObject>();
  readonly #arrivals = new Map<string, Arrival>();
  /** What a server answered about an event that was sent to it, by server and event. */
  readonly #refusals = new Map<string, string>();
  /** When an event was first seen anywhere. */
  readonly #firstSeen = new Map<string, number>();
  readonly #ids = new WeakMap<JsonObject, string>();
  readonly #bodies: Timed[] = [];

  constructor(
    evidence: CheckEvidence,
    { roomId, views }: RoomEvidence,
    carrying: readonly Carrying[],
    names: ReadonlyMap<string, string>,
  ) {
    this.id = roomId;
    this.#evidence = evidence;
    this.#views = views;
    this.#carrying = carrying;
    this.#names = names;
    this.version = this.#findVersion();
  }

  bodies(): readonly Timed[] {
    this.#traffic();
    for (const { place, pdus } of this.#views) {
      for (const pdu of pdus) this.#see(pdu, this.#nameOf(place), this.#evidence.to, "unknown");
    }
    for (const [id, pdu] of this.#pdus) this.#made(id, pdu);
    this.#closing();
    return this.#bodies;
  }

  pdu(id: string): JsonObject | undefined {
    return this.#pdus.get(id);
  }

  #traffic(): void {
    let cut = 0;
    for (const [exchange, carried] of this.#carrying) {
      const events = this.#carried(exchange, carried);
      if (carried.isCut) cut++;
      if (events.length === 0) continue;
      const { id, at, durationMs, from, to, method, path, status, rules } = exchange;
      this.#bodies.push([
        at,
        {
          t: "http",
          id,
          from: this.#nameOf(from),
          to: this.#nameOf(to),
          method,
          path,
          ...(status === undefined ? {} : { status }),
          ms: durationMs,
          ...(rules === undefined && status !== undefined ? {} : { blocked: true as const }),
          events,
        },
      ]);
    }
    if (cut > 0) this.#note(`${cut} exchanges were too long for the trace to keep them whole`);
  }

  /** Ids of the room's events in an exchange. */
  #carried(exchange: Exchange, { sightings, refusals }: Carried): readonly string[] {
    const ids: string[] = [];
    // Without an answer it is not known whether what was sent has come.
    const isDelivered = exchange.status !== undefined && exchange.status < 500;
    for (const { pdu, from, to, via, txn } of sightings) {
      if (!this.#isOfRoom(pdu)) continue;
      const server = this.#nameOf(to);
      const rest = { from: this.#nameOf(from), ...(txn === undefined ? {} : { txn }) };
      const at = isDelivered ? exchange.at + exchange.durationMs : undefined;
      const id = this.#see(pdu, server, at, via, rest);
      if (id === undefined) continue;
      ids.push(id);
      const refusal = refusals.get(id);
      if (refusal !== undefined) this.#refusals.set(`${server} ${id}`, refusal);
    }
    return ids;
  }

  /** @param at undefined: it was on its way, and nothing says that it came */
  #see(
    pdu: JsonObject,
    server: string,
    at: number | undefined,
    via: Via,
    rest: { readonly from?: string; readonly txn?: string } = {},
  ): string | undefined {
    const id = this.#idOf(pdu);
    if (id === undefined) return undefined;
    if (!this.#pdus.has(id)) this.#pdus.set(id, this.#asSent(pdu));
    if (at === undefined) return id;
    this.#firstSeen.set(id, Math.min(at, this.#firstSeen.get(id) ?? at));
    const key = `${server} ${id}`;
    const before = this.#arrivals.get(key);
    if (before === undefined || at < before.at) {
      this.#arrivals.set(key, { at, server, eventId: id, via, ...rest });
    }
    return id;
  }

  /** It was at its own server before it was anywhere else. */
  #made(id: string, pdu: JsonObject): void {
    const { from, to } = this.#evidence;
    const server = domainOf(String(pdu.sender));
    const first = this.#firstSeen.get(id) ?? to;
    const stamp = Number(pdu.origin_server_ts);
    const isPlausible = stamp >= from - SKEW_MS && stamp <= first;
    const at = isPlausible ? stamp : first;
    if (server === "") return;
    this.#arrivals.set(`${server} ${id}`, { at, server, eventId: id, via: "created" });
  }

  #closing(): void {
    const rejections = this.#rejections();
    const shown = new Map(
      this.#views.map(({ place, pdus }) => [
        this.#nameOf(place),
        new Set(pdus.flatMap((pdu) => this.#idOf(pdu) ?? [])),
      ]),
    );
    for (const [key, { at, server, eventId: id, via, from, txn }] of this.#arrivals) {
      const refusal = this.#refusals.get(key);
      const rejection = rejections.get(id);
      const verdict =
        refusal !== undefined
          ? { verdict: "rejected" as const, reason: refusal }
          : shown.get(server)?.has(id)
            ? { verdict: "accepted" as const, deduced: true as const }
            : rejection !== undefined && via !== "created"
              ? { verdict: "rejected" as const, reason: rejection, deduced: true as const }
              : { verdict: "unknown" as const };
      this.#bodies.push([
        at,
        {
          t: "arrive",
          server,
          event_id: id,
          via,
          ...(from === undefined ? {} : { from }),
          ...(txn === undefined ? {} : { txn }),
          ...verdict,
        },
      ]);
    }
    for (const { place, pdus, state } of this.#views) {
      const ids = pdus.flatMap((pdu) => this.#idOf(pdu) ?? []);
      const last = ids.at(-1);
      this.#bodies.push([
        this.#evidence.to,
        {
          t: "state",
          ...(this.#evidence.rooms.length > 1 ? { room: this.id } : {}),
          server: this.#nameOf(place),
          ...(last === undefined ? {} : { at_event: last }),
          source: "client",
          state,
          extremities: this.#extremitiesOf(ids),
        },
      ]);
    }
  }

  /** By our own reading of the rules, why an event is to be rejected. */
  #rejections(): ReadonlyMap<string, string> {
    const version = this.version;
    if (version === undefined) return new Map();
    const events: RoomEvent[] = [];
    for (const pdu of this.#pdus.values()) {
      try {
        events.push(parseEvent(pdu, version));
      } catch {
        // Told by nobody else: it is in the file, and whoever opens it sees what is wrong.
      }
    }
    return new Map(
      new RoomHistory(events, version).events.flatMap(({ event, rejection, missing }) =>
        rejection === undefined || missing.length > 0 ? [] : [[event.id, rejection.rule]],
      ),
    );
  }

  #extremitiesOf(ids: readonly string[]): readonly string[] {
    const followed = new Set(ids.flatMap((id) => previousOf(this.#pdus.get(id))));
    return ids.filter((id) => !followed.has(id));
  }

  #note(text: string): void {
    this.#bodies.push([this.#evidence.to, { t: "note", text }]);
  }

  /** Server name of a role, or of a peer, which the gateway knows without its port. */
  #nameOf(place: string): string {
    return this.#names.get(place) ?? place;
  }

  #isOfRoom(pdu: JsonObject): boolean {
    if (pdu.room_id !== undefined) return pdu.room_id === this.id;
    return isCreate(pdu) && this.#idOf(pdu)?.slice(1) === this.id.slice(1);
  }

  /** Undefined for what can not have an id. */
  #idOf(pdu: JsonObject): string | undefined {
    const known = this.#ids.get(pdu);
    if (known !== undefined) return known;
    const version = this.version;
    if (version === undefined) {
      return typeof pdu.event_id === "string" ? pdu.event_id : undefined;
    }
    try {
      const id = eventId(this.#asSent(pdu), version);
      this.#ids.set(pdu, id);
      return id;
    } catch {
      return undefined;
    }
  }

  /** Client endpoints add keys to what federation has. */
  #asSent(pdu: JsonObject): JsonObject {
    const { event_id: id, room_id: roomId, unsigned: _, ...rest } = pdu;
    const isGiven = this.version === undefined || this.version.eventIds === "given";
    const isRoot = this.version?.isRoomIdHash === true && isCreate(pdu);
    return {
      ...rest,
      ...(isGiven && id !== undefined ? { event_id: id } : {}),
      ...(isRoot || roomId === undefined ? {} : { room_id: roomId }),
    };
  }

  #findVersion(): RoomVersion | undefined {
    const seen = [
      ...this.#views.flatMap(({ pdus }) => pdus),
      ...this.#carrying.flatMap(([, { sightings }]) => sightings.map(({ pdu }) => pdu)),
    ];
    for (const pdu of seen) {
      if (!isCreate(pdu) || !isObject(pdu.content)) continue;
      const version = roomVersion(String(pdu.content.room_version ?? "1"));
      if (version === undefined) continue;
      if (pdu.room_id === this.id) return version;
      try {
        if (eventId(pdu, version).slice(1) === this.id.slice(1)) return version;
      } catch {
        // Not the one.
      }
    }
    return undefined;
  }
}

function isCreate(pdu: JsonObject): boolean {
  return pdu.type === "m.room.create" && pdu.state_key === "";
}

function previousOf(pdu: JsonObject | undefined): readonly string[] {
  const list = pdu?.prev_events;
  if (!Array.isArray(list)) return [];
  return list.map((entry) => String(Array.isArray(entry) ? entry[0] : entry));
}
