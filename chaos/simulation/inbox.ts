/** What comes to a server from others: events, one room after the other, with what is missing before them. */
import type { Pdu } from "#chaos/events/make-event";
import { isObject } from "#protocol/events/event";
import { answerAuth, answerBackfill, answerMissing, answerState } from "./answers.ts";
import type { Transaction } from "./outbox.ts";
import type { Replica } from "./replica.ts";
import type { SimulatedServer } from "./server.ts";

interface Waiting {
  readonly pdu: Pdu;
  readonly from: SimulatedServer;
  readonly txn: string;
}

/** How often a gap is asked about before its far end is taken from the state there. */
const ROUNDS = 3;
const MOST_BACKFILLS = 5;
/** How often an event is tried whose past can not be had, and how long after. */
const MOST_TRIES = 10;
const RETRY_MS = 1000;

export class Inbox {
  readonly #server: SimulatedServer;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #busy = new Set<string>();
  readonly #seen = new Set<string>();
  readonly #messages = new Set<string>();

  constructor(server: SimulatedServer) {
    this.#server = server;
  }

  /** Undefined: it can not be taken. */
  onTransaction(from: SimulatedServer, { id, pdus, edus }: Transaction): true | undefined {
    const server = this.#server;
    if (server.isFull) return undefined;
    server.heard(from);
    const name = `${from.name} ${from.life} ${id}`;
    if (this.#seen.has(name)) return true;
    this.#seen.add(name);
    for (const pdu of server.world.passing(server, pdus)) {
      const { roomId } = pdu.event;
      const waiting = this.#waiting.get(roomId) ?? [];
      this.#waiting.set(roomId, waiting);
      waiting.push({ pdu, from, txn: id });
      void this.#work(roomId);
    }
    for (const edu of edus) {
      if (edu.kind === "device-list") {
        const told = { from: from.name, server: server.name, users: [edu.user] };
        server.world.journal.write({ t: "device-update", ...told });
        server.clients.devicesChanged(edu.user);
      } else if (!this.#messages.has(edu.id)) {
        this.#messages.add(edu.id);
        server.clients.toDevice(edu);
      }
    }
    return true;
  }

  /** Work in progress ends; what waits is kept, as it was acknowledged. */
  forget(): void {
    this.#busy.clear();
  }

  resume(): void {
    for (const roomId of this.#waiting.keys()) void this.#work(roomId);
  }

  async #work(roomId: string): Promise<void> {
    if (this.#busy.has(roomId)) return;
    this.#busy.add(roomId);
    const { life } = this.#server;
    const waiting = this.#waiting.get(roomId) ?? [];
    for (let [next] = waiting; next !== undefined; [next] = waiting) {
      for (let tries = 0; tries < MOST_TRIES && !(await this.#receive(next)); tries++) {
        await new Promise<void>((resolve) => this.#server.world.clock.after(RETRY_MS, resolve));
        if (this.#server.life !== life) return;
      }
      // Who was killed meanwhile does it again.
      if (this.#server.life !== life) return;
      waiting.shift();
    }
    this.#busy.delete(roomId);
  }

  /** False when what is before it could not be had. */
  async #receive({ pdu, from, txn }: Waiting): Promise<boolean> {
    const server = this.#server;
    const replica = server.rooms.get(pdu.event.roomId);
    if (replica === undefined || !server.isIn(replica.roomId)) return true;
    if (replica.has(pdu.id) || !isAllowedByAcl(replica, from.name)) return true;
    for (let round = 0; round < ROUNDS; round++) {
      if (replica.missing(pdu.event.prevEvents).length === 0) break;
      const isNearer = await this.#fetchMissing(replica, pdu, from);
      if (!isNearer) break;
    }
    if (replica.has(pdu.id)) return true;
    const source = { from: from.name, txn };
    const missing = replica.missing(pdu.event.prevEvents);
    if (missing.length === 0) {
      const hasAuth = await this.#hasAuthEvents(replica, pdu, from);
      if (hasAuth && !replica.has(pdu.id)) server.take(replica, pdu, "send", source);
      return hasAuth;
    }
    const before = await this.#stateBefore(replica, missing, from);
    if (replica.has(pdu.id)) return true;
    if (before === undefined || !(await this.#hasAuthEvents(replica, pdu, from))) return false;
    if (replica.has(pdu.id)) return true;
    server.take(replica, pdu, "send", before.length > 0 ? { ...source, before } : source);
    return true;
  }

  /** False when nothing new was learnt. */
  async #fetchMissing(replica: Replica, pdu: Pdu, from: SimulatedServer): Promise<boolean> {
    const server = this.#server;
    const { extremities: earliest, minDepth } = replica;
    const asked = { earliest, minDepth, latest: pdu.id };
    const found = await server.world.network.request(server, from, "get_missing_events", () =>
      answerMissing(from, server, replica.roomId, asked),
    );
    const before = replica.pdus.size;
    for (const one of found ?? []) {
      if (replica.has(one.id)) continue;
      const missing = replica.missing(one.event.prevEvents);
      if (!(await this.#hasAuthEvents(replica, one, from))) continue;
      if (missing.length === 0) {
        server.take(replica, one, "get_missing_events", { from: from.name });
        continue;
      }
      const state = await this.#stateBefore(replica, missing, from);
      if (state === undefined || replica.has(one.id)) continue;
      const given = state.length > 0 ? { before: state } : {};
      server.take(replica, one, "get_missing_events", { from: from.name, ...given });
    }
    return replica.pdus.size > before;
  }

  /**
   * Learns what the room was like at events that nobody gives. Empty: they have their place now, and the state follows.
   * Undefined: the other server does not tell.
   */
  async #stateBefore(
    replica: Replica,
    missing: readonly string[],
    from: SimulatedServer,
  ): Promise<readonly string[] | undefined> {
    const server = this.#server;
    for (const id of missing) {
      if (replica.has(id)) continue;
      const answer = await server.world.network.request(server, from, "state", () =>
        answerState(from, server, replica.roomId, id),
      );
      if (answer === undefined) return undefined;
      replica.addOutliers(answer.events);
      for (const pdu of answer.events) server.world.journal.show(pdu);
      const known = answer.state.filter((one) => replica.pdus.has(one));
      if (answer.event === undefined) return known;
      if (!(await this.#hasAuthEvents(replica, answer.event, from))) return undefined;
      if (replica.has(id)) continue;
      server.take(replica, answer.event, "state", { from: from.name, before: known });
    }
    return [];
  }

  async #hasAuthEvents(replica: Replica, pdu: Pdu, from: SimulatedServer): Promise<boolean> {
    const lacks = () => pdu.event.authEvents.filter((id) => !replica.pdus.has(id));
    if (lacks().length === 0) return true;
    const server = this.#server;
    const found = await server.world.network.request(server, from, "event_auth", () =>
      answerAuth(from, server, replica.roomId, lacks()),
    );
    replica.addOutliers(found ?? []);
    for (const one of found ?? []) server.world.journal.show(one);
    return lacks().length === 0;
  }

  /** Fetches what lies in gaps, as for a user who scrolls back. */
  async fillGaps(replica: Replica): Promise<void> {
    const server = this.#server;
    const others = [...replica.servers()].filter((name) => name !== server.name);
    for (const name of others) {
      const from = server.world.server(name);
      for (let round = 0; round < MOST_BACKFILLS; round++) {
        const { gaps } = replica;
        if (gaps.length === 0) return;
        const found = await server.world.network.request(server, from, "backfill", () =>
          answerBackfill(from, server, replica.roomId, gaps),
        );
        if (found === undefined || found.length === 0) break;
        for (const pdu of found) {
          if (replica.pdus.has(pdu.id)) continue;
          replica.keep(pdu);
          const received = { pdu, verdict: "accepted", rejection: undefined } as const;
          server.world.journal.arrive(server.name, received, "backfill", { server: name });
        }
      }
    }
  }
}

/** Names here have no patterns. */
export function isAllowedByAcl(replica: Replica, server: string): boolean {
  const acl = replica.content("m.room.server_acl");
  if (!isObject(acl) || !Array.isArray(acl.deny)) return true;
  return !acl.deny.includes(server);
}
