/**
 * Tells a plan to the protocol alone: what can be delivered is delivered at once, what can not is when the link heals, and a
 * server that gets an event gets all that is before it. No replicas: an event's state is the same on every server that has
 * its past, so that one history serves them all. Nothing is hashed; ids follow from the seed.
 */
import type { Draft, Names } from "#chaos/events/drafts";
import { draftOf, foundingDrafts } from "#chaos/events/drafts";
import { roomVersion } from "#protocol/rooms/room-version";
import {
  type FaultStep,
  type Operation,
  type Plan,
  type RoomPlan,
  rolesOf,
  type ServerStep,
  type Step,
} from "#scenarios/plan";
import { OracleRoom } from "./room.ts";

export interface OracleOptions {
  /** Decides ids, and so ties. */
  readonly seed: number;
  /** Of rooms that name none. */
  readonly version?: string;
}

/** One room when sides that had different states of it met. */
export interface Meeting {
  readonly room: OracleRoom;
  /** The states of the sides before, by event id, and which servers had them. */
  readonly sides: readonly {
    readonly servers: readonly string[];
    readonly extremities: readonly string[];
  }[];
  /** The extremities of a server that then has them all. */
  readonly extremities: readonly string[];
}

export interface Told {
  readonly rooms: ReadonlyMap<string, OracleRoom>;
  readonly meetings: readonly Meeting[];
  /** Event ids by operation; those of operations that the rules refused are not there. */
  readonly events: ReadonlyMap<string, string>;
}

const START_MS = 1_700_000_000_000;
const STEP_MS = 1000;

export function tell(plan: Plan, options: OracleOptions): Told {
  return new Oracle(plan, options).tell();
}

const CUTS: ReadonlySet<string> = new Set([
  "refuse",
  "reset",
  "blackhole",
  "disconnect",
  "wrong-certificate",
  "drop-request",
  "status",
]);

class Oracle {
  readonly #plan: Plan;
  readonly #version: string;
  readonly #seed: number;
  readonly #rooms = new Map<string, OracleRoom>();
  readonly #events = new Map<string, string>();
  readonly #meetings: Meeting[] = [];
  readonly #cuts = new Map<string, FaultStep>();
  readonly #down = new Set<string>();
  readonly #roles: readonly string[];
  #now = START_MS;

  constructor(plan: Plan, { seed, version = "12" }: OracleOptions) {
    this.#plan = plan;
    this.#seed = seed;
    this.#version = version;
    this.#roles = rolesOf(plan);
  }

  readonly #names: Names = {
    user: (name) => `@${name}:${this.#plan.users[name]}.test`,
    server: (role) => `${role}.test`,
    room: (name) => this.#rooms.get(name)?.roomId,
    event: (operation) => this.#events.get(operation),
  };

  tell(): Told {
    for (const [name, room] of Object.entries(this.#plan.rooms)) {
      if (!room.isLater) this.#found(name, room);
    }
    for (const step of this.#plan.steps) this.#step(step);
    return { rooms: this.#rooms, meetings: this.#meetings, events: this.#events };
  }

  #step(step: Step): void {
    if ("op" in step) this.#operate([step]);
    else if ("together" in step) this.#operate(step.together);
    else if ("fault" in step) {
      if (CUTS.has(step.fault)) this.#cuts.set(step.id, step);
    } else if ("heal" in step) {
      for (const id of step.heal === "all" ? [...this.#cuts.keys()] : step.heal)
        this.#cuts.delete(id);
      this.#deliver();
    } else if ("server" in step) this.#act(step);
    else if ("converge" in step) {
      this.#cuts.clear();
      this.#down.clear();
      this.#deliver();
    }
  }

  #act({ server, action }: ServerStep): void {
    if (action === "pause" || action === "kill" || action === "stop") this.#down.add(server);
    if (action !== "resume" && action !== "start") return;
    this.#down.delete(server);
    this.#deliver();
  }

  /** At the same time: none of the authors has heard of the others. */
  #operate(operations: readonly Operation[]): void {
    this.#now += STEP_MS;
    const made = operations.map((operation) => this.#author(operation));
    for (const publish of made) publish?.();
  }

  #found(
    name: string,
    plan: RoomPlan,
    creator = plan.creator,
    version = plan.version,
  ): OracleRoom | undefined {
    const found = roomVersion(version ?? this.#version);
    if (found === undefined) return undefined;
    const room = new OracleRoom(name, found, this.#seed, this.#roles);
    this.#rooms.set(name, room);
    const role = this.#plan.users[creator] ?? "";
    for (const draft of foundingDrafts({ ...plan, creator }, found, this.#names)) {
      this.#now += STEP_MS;
      const event = room.author(role, draft, this.#now);
      if (event !== undefined) room.take(role, event.id);
    }
    for (const user of plan.members ?? []) {
      const id = this.#names.user(user);
      const home = this.#plan.users[user] ?? "";
      const member = (sender: string, membership: string): Draft => ({
        type: "m.room.member",
        sender,
        stateKey: id,
        content: { membership },
      });
      const drafts = [member(id, "join")];
      if ((plan.rule ?? "public") !== "public")
        drafts.unshift(member(this.#names.user(creator), "invite"));
      for (const draft of drafts) {
        this.#now += STEP_MS;
        const event = room.author(role, draft, this.#now);
        if (event === undefined) continue;
        for (const one of new Set([role, home, ...room.participants(role)]))
          room.take(one, event.id);
      }
    }
    room.first = room.history.named(room.state(role));
    return room;
  }

  /** Makes the event on its author's server; calling the answer tells the others. */
  #author(operation: Operation): (() => void) | undefined {
    const { op, by, id } = operation;
    const role = this.#plan.users[by] ?? "";
    if (this.#down.has(role)) return undefined;
    if (!("room" in operation))
      return op === "displayname" ? this.#rename(operation, role) : undefined;
    const room = this.#rooms.get(operation.room);
    if (room === undefined) return undefined;
    if (operation.op === "upgrade") return this.#upgrade(operation, room, role);
    const draft = draftOf(operation, (type, key) => room.content(role, type, key), this.#names);
    if (draft === undefined) return undefined;
    // Who is not in the room asks a server that is.
    const user = this.#names.user(by);
    const isOutside = !room.participants(role).includes(role);
    const host = isOutside ? room.hosts().find((one) => this.#canReach(role, one)) : role;
    if (host === undefined) return undefined;
    const isOwn = op === "join" || op === "leave" || op === "reject" || op === "knock";
    if (isOutside && !(isOwn && draft.stateKey === user)) return undefined;
    const event = room.author(
      host,
      room.authorised(host, draft, this.#rooms),
      this.#now + (operation.ahead ?? 0),
    );
    if (event === undefined) return undefined;
    this.#events.set(id, event.id);
    const told = room.participants(host);
    room.take(host, event.id);
    if (op === "join") room.take(role, event.id);
    return () => this.#send(room, host, event.id, told);
  }

  #send(room: OracleRoom, from: string, event: string, told: readonly string[]): void {
    for (const to of told) {
      if (to === from) continue;
      if (this.#canReach(from, to)) room.take(to, event);
      else room.keep(from, to, event);
    }
  }

  /** What links can carry now is carried. */
  #deliver(): void {
    for (const room of this.#rooms.values()) {
      const before = room.views();
      room.flush((from, to) => this.#canReach(from, to));
      const met = room.meeting(before);
      if (met !== undefined) this.#meetings.push({ room, ...met });
    }
  }

  #canReach(from: string, to: string): boolean {
    if (this.#down.has(from) || this.#down.has(to)) return false;
    if (from === to) return true;
    for (const { links } of this.#cuts.values()) if (links.includes(`${from}>${to}`)) return false;
    return true;
  }

  #rename(operation: Extract<Operation, { op: "displayname" }>, role: string): () => void {
    const user = this.#names.user(operation.by);
    const sends: (() => void)[] = [];
    for (const room of this.#rooms.values()) {
      if (room.content(role, "m.room.member", user)?.membership !== "join") continue;
      const content = { membership: "join", displayname: operation.value };
      const draft = { type: "m.room.member", sender: user, stateKey: user, content };
      const event = room.author(role, draft, this.#now);
      if (event === undefined) continue;
      this.#events.set(operation.id, event.id);
      const told = room.participants(role);
      room.take(role, event.id);
      sends.push(() => this.#send(room, role, event.id, told));
    }
    return () => {
      for (const send of sends) send();
    };
  }

  #upgrade(
    { by, id, into, version }: Extract<Operation, { op: "upgrade" }>,
    room: OracleRoom,
    role: string,
  ): (() => void) | undefined {
    const plan = this.#plan.rooms[into];
    if (plan === undefined || this.#rooms.has(into)) return undefined;
    const sender = this.#names.user(by);
    const content = { body: "upgraded", replacement_room: `!${into}` };
    const draft = { type: "m.room.tombstone", sender, stateKey: "", content };
    const event = room.author(role, draft, this.#now);
    if (event === undefined) return undefined;
    this.#events.set(id, event.id);
    this.#found(into, plan, by, version);
    const told = room.participants(role);
    room.take(role, event.id);
    return () => this.#send(room, role, event.id, told);
  }
}
