/** Puts together what a check saw of a room, what servers showed of it, and what went between them. */
import type { Exchange } from "#harness/gateway/exchange";
import type { ServerFacts } from "#harness/results/outcome";
import { domainOf } from "#protocol/auth/auth-event";
import { isObject, type JsonObject, type RoomEvent } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { parseEvent } from "#protocol/events/parse";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import { RoomHistory } from "#protocol/state/room-history";
import {
  type Body,
  REPLAY_FORMAT,
  type ReplayRecord,
  type RoomEvidence,
  type Via,
} from "./record.ts";
import { type Carried, eventsIn } from "./traffic.ts";

export interface ReplaySource {
  readonly evidence: RoomEvidence;
  /** Exchanges of the deployment, in any order; others than those about the room are left out. */
  readonly exchanges: readonly Exchange[];
  readonly servers: readonly (ServerFacts & { readonly serverName: string })[];
  readonly run: string;
  readonly seed: number;
  readonly tool: string;
}

interface Arrival {
  readonly at: number;
  readonly server: string;
  readonly eventId: string;
  readonly via: Via;
  readonly from?: string;
  readonly txn?: string;
}

/** Time stamps that lie further from the check than this are not when the event was made. */
const SKEW_MS = 2_000;

/** The records of a replay file, in order. */
export function composeReplay(source: ReplaySource): readonly ReplayRecord[] {
  return new Composer(source).records();
}

class Composer {
  readonly #source: ReplaySource;
  readonly #names: ReadonlyMap<string, string>;
  readonly #version: RoomVersion | undefined;
  readonly #pdus = new Map<string, JsonObject>();
  readonly #arrivals = new Map<string, Arrival>();
  /** What a server answered about an event that was sent to it, by server and event. */
  readonly #refusals = new Map<string, string>();
  /** When an event was first seen anywhere. */
  readonly #firstSeen = new Map<string, number>();
  readonly #ids = new WeakMap<JsonObject, string>();
  readonly #bodies: (readonly [at: number, body: Body])[] = [];

  constructor(source: ReplaySource) {
    this.#source = source;
    this.#names = new Map([
      ...source.exchanges.flatMap(({ from, origin }) =>
        // A peer may claim to be somebody else.
        origin?.startsWith(from) ? [[from, origin] as const] : [],
      ),
      ...source.servers.map(({ role, serverName }) => [role, serverName] as const),
    ]);
    this.#version = this.#findVersion();
  }

  records(): readonly ReplayRecord[] {
    const { evidence, servers } = this.#source;
    for (const { serverName, implementation, version } of servers) {
      this.#bodies.push([
        evidence.from,
        { t: "server", name: serverName, implementation, version },
      ]);
    }
    this.#traffic();
    for (const { place, pdus } of evidence.views) {
      for (const pdu of pdus) this.#see(pdu, this.#nameOf(place), evidence.to, "unknown");
    }
    for (const [id, pdu] of this.#pdus) this.#made(id, pdu);
    this.#closing();
    const known = new Set(servers.map(({ serverName }) => serverName));
    for (const { server } of this.#arrivals.values()) {
      if (known.has(server)) continue;
      known.add(server);
      this.#bodies.unshift([evidence.from, { t: "server", name: server, implementation: "peer" }]);
    }
    return this.#ordered();
  }

  #meta(): Body {
    const { evidence, run, seed, tool } = this.#source;
    return {
      t: "meta",
      format: REPLAY_FORMAT,
      version: 1,
      rooms: [evidence.roomId],
      ...(this.#version === undefined ? {} : { room_version: this.#version.id }),
      run,
      test: `${evidence.requirement} ${evidence.title}`,
      seed,
      tool,
    };
  }

  #traffic(): void {
    let cut = 0;
    for (const exchange of this.#source.exchanges) {
      const carried = eventsIn(exchange);
      if (carried === undefined) continue;
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
    const { from, to } = this.#source.evidence;
    const server = domainOf(String(pdu.sender));
    const first = this.#firstSeen.get(id) ?? to;
    const stamp = Number(pdu.origin_server_ts);
    const isPlausible = stamp >= from - SKEW_MS && stamp <= first;
    const at = isPlausible ? stamp : first;
    if (server === "") return;
    this.#arrivals.set(`${server} ${id}`, { at, server, eventId: id, via: "created" });
  }

  #closing(): void {
    const { evidence } = this.#source;
    const rejections = this.#rejections();
    const shown = new Map(
      evidence.views.map(({ place, pdus }) => [
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
    for (const { place, pdus, state } of evidence.views) {
      const ids = pdus.flatMap((pdu) => this.#idOf(pdu) ?? []);
      const last = ids.at(-1);
      this.#bodies.push([
        evidence.to,
        {
          t: "state",
          server: this.#nameOf(place),
          ...(last === undefined ? {} : { at_event: last }),
          source: "client",
          state,
          extremities: this.#extremitiesOf(ids),
        },
      ]);
    }
    this.#bodies.push([
      evidence.to,
      {
        t: "step",
        id: 1,
        name: evidence.title,
        ok: evidence.isPassed,
        ...(evidence.message === undefined ? {} : { message: evidence.message }),
      },
    ]);
  }

  /** By our own reading of the rules, why an event is to be rejected. */
  #rejections(): ReadonlyMap<string, string> {
    const version = this.#version;
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

  /** By time; what came at once in the order of the kinds; each event ahead of its first arrival. */
  #ordered(): readonly ReplayRecord[] {
    const { from } = this.#source.evidence;
    const rank = { meta: 0, server: 1, note: 2, http: 3, pdu: 4, arrive: 5, state: 6, step: 7 };
    const sorted = this.#bodies
      .map(([at, body], index) => ({ at, body, index }))
      .sort((a, b) => a.at - b.at || rank[a.body.t] - rank[b.body.t] || a.index - b.index);
    const records: ReplayRecord[] = [];
    const told = new Set<string>();
    const add = (at: number, body: Body) => {
      records.push({ seq: records.length + 1, at: Math.round(at), ...body });
    };
    add(from, this.#meta());
    for (const { at, body } of sorted) {
      if (body.t === "arrive" && !told.has(body.event_id)) {
        told.add(body.event_id);
        add(at, { t: "pdu", event_id: body.event_id, pdu: this.#pdus.get(body.event_id) ?? {} });
      }
      add(at, body);
    }
    return records;
  }

  #note(text: string): void {
    this.#bodies.push([this.#source.evidence.to, { t: "note", text }]);
  }

  /** Server name of a role, or of a peer, which the gateway knows without its port. */
  #nameOf(place: string): string {
    return this.#names.get(place) ?? place;
  }

  #isOfRoom(pdu: JsonObject): boolean {
    const { roomId } = this.#source.evidence;
    if (pdu.room_id !== undefined) return pdu.room_id === roomId;
    return isCreate(pdu) && this.#idOf(pdu)?.slice(1) === roomId.slice(1);
  }

  /** Undefined for what can not have an id. */
  #idOf(pdu: JsonObject): string | undefined {
    const known = this.#ids.get(pdu);
    if (known !== undefined) return known;
    const version = this.#version;
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
    const isGiven = this.#version === undefined || this.#version.eventIds === "given";
    const isRoot = this.#version?.isRoomIdHash === true && isCreate(pdu);
    return {
      ...rest,
      ...(isGiven && id !== undefined ? { event_id: id } : {}),
      ...(isRoot || roomId === undefined ? {} : { room_id: roomId }),
    };
  }

  #findVersion(): RoomVersion | undefined {
    const { evidence, exchanges } = this.#source;
    const seen = [
      ...evidence.views.flatMap(({ pdus }) => pdus),
      ...exchanges.flatMap((exchange) =>
        (eventsIn(exchange)?.sightings ?? []).map(({ pdu }) => pdu),
      ),
    ];
    for (const pdu of seen) {
      if (!isCreate(pdu) || !isObject(pdu.content)) continue;
      const version = roomVersion(String(pdu.content.room_version ?? "1"));
      if (version === undefined) continue;
      if (pdu.room_id === evidence.roomId) return version;
      try {
        if (eventId(pdu, version).slice(1) === evidence.roomId.slice(1)) return version;
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
