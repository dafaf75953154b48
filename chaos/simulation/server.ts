/** A simulated server: its rooms, what it tells others, and what it answers them. */
import type { Draft } from "#chaos/events/drafts";
import { makeEvent, type Pdu } from "#chaos/events/make-event";
import type { Via } from "#harness/replay/record";
import { domainOf } from "#protocol/auth/auth-event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { State } from "#protocol/state/conflicts";
import { Clients } from "./clients.ts";
import { Inbox } from "./inbox.ts";
import type { Endpoint } from "./network.ts";
import { Outbox } from "./outbox.ts";
import { Replica } from "./replica.ts";
import type { World } from "./world.ts";

export interface Sent {
  readonly status: number;
  readonly errcode?: string;
  readonly message?: string;
  readonly pdus: readonly Pdu[];
}

export function refused(status: number, errcode: string, message: string): Sent {
  return { status, errcode, message, pdus: [] };
}

export class SimulatedServer implements Endpoint {
  readonly role: string;
  readonly name: string;
  readonly world: World;
  readonly rooms = new Map<string, Replica>();
  readonly clients: Clients;
  readonly inbox: Inbox;
  /** Memberships of its users in rooms that it is not in, by room and user. */
  readonly outside = new Map<string, Map<string, Pdu>>();
  /** Answers to clients' transactions. */
  readonly transactions = new Map<string, Sent>();
  isUp = true;
  isPaused = false;
  isFull = false;
  life = 0;
  readonly #outboxes = new Map<string, Outbox>();

  constructor(role: string, name: string, world: World) {
    this.role = role;
    this.name = name;
    this.world = world;
    this.clients = new Clients(this);
    this.inbox = new Inbox(this);
  }

  /** Whether one of its users is joined, as it sees it. */
  isIn(roomId: string): boolean {
    return this.rooms.get(roomId)?.servers().has(this.name) ?? false;
  }

  replica(roomId: string, version: RoomVersion): Replica {
    let replica = this.rooms.get(roomId);
    if (replica === undefined) {
      replica = new Replica(roomId, version);
      this.rooms.set(roomId, replica);
    }
    return replica;
  }

  /** A new event of one of its users, if the state allows it; others get it. */
  send(replica: Replica, draft: Draft, ahead = 0): Sent {
    const state = replica.current;
    const pdu = this.make(replica, draft, ahead);
    const refusal = replica.refusal(pdu.event, state);
    if (refusal !== undefined) return refused(403, "M_FORBIDDEN", refusal.why);
    this.take(replica, pdu, "created");
    this.distribute(replica, pdu, state);
    return { status: 200, pdus: [pdu] };
  }

  make(replica: Replica, draft: Draft, ahead = 0): Pdu {
    const { clock } = this.world;
    const prevEvents = replica.tops;
    const { history, current } = replica;
    return makeEvent(
      draft,
      {
        roomId: replica.roomId === "" ? undefined : replica.roomId,
        prevEvents,
        depth: replica.depthAbove(prevEvents),
        ts: clock.now + ahead,
        cite: (type, stateKey) => history.at(current, type, stateKey)?.id,
        givenName: this.world.nextName(),
      },
      history.graph.version,
    );
  }

  /** Takes an event whose past is known, and shows it to its users. */
  take(
    replica: Replica,
    pdu: Pdu,
    via: Via,
    { from, txn, before }: { from?: string; txn?: string; before?: readonly string[] } = {},
  ): void {
    const received = replica.receive(pdu, before);
    const source =
      from === undefined ? undefined : { server: from, ...(txn === undefined ? {} : { txn }) };
    this.world.journal.arrive(this.name, received, via, source);
    if (received.verdict === "accepted") this.clients.show(replica, pdu);
  }

  /** To all servers that had a joined user before it. */
  distribute(replica: Replica, pdu: Pdu, before: State, except?: string): void {
    for (const name of replica.servers(before)) {
      if (name !== this.name && name !== except) this.outbox(name).add(pdu);
    }
  }

  outbox(name: string): Outbox {
    let outbox = this.#outboxes.get(name);
    if (outbox === undefined) {
      outbox = this.#newOutbox(name);
      this.#outboxes.set(name, outbox);
    }
    return outbox;
  }

  /** Another server is heard of. */
  heard(from: SimulatedServer): void {
    this.outbox(from.name).wake();
  }

  /** Servers that share a room with the user. */
  sharing(user: string): ReadonlySet<string> {
    const shared = new Set<string>();
    for (const replica of this.rooms.values()) {
      if (replica.membership(user) !== "join") continue;
      for (const name of replica.servers()) shared.add(name);
    }
    return shared;
  }

  stop(): void {
    this.isUp = false;
    this.isPaused = false;
    this.life += 1;
    for (const outbox of this.#outboxes.values()) outbox.forget();
    this.inbox.forget();
  }

  start(): void {
    this.isUp = true;
    this.inbox.resume();
    for (const outbox of this.#outboxes.values()) outbox.wake();
  }

  resume(): void {
    this.isPaused = false;
    this.world.network.release(this.role);
    for (const outbox of this.#outboxes.values()) outbox.wake();
  }

  #newOutbox(name: string): Outbox {
    const { world } = this;
    const to = world.server(name);
    return new Outbox({
      clock: world.clock,
      canSend: () => this.isUp && !this.isPaused,
      newest: (missed) => {
        const replica = this.rooms.get(missed.event.roomId);
        if (replica === undefined || replica.extremities.includes(missed.id)) return [missed];
        if (!replica.servers().has(name)) return [missed];
        return replica.extremities.flatMap((id) => replica.pdus.get(id) ?? []);
      },
      transmit: async (transaction) => {
        const answer = await world.network.request(this, to, "send", () =>
          to.inbox.onTransaction(this, transaction),
        );
        return answer === true;
      },
    });
  }

  /** Users of this server, by id. */
  isOwn(user: string): boolean {
    return domainOf(user) === this.name;
  }
}
