/**
 * Tells a plan to simulated servers: replicas of `protocol/` on a virtual network and clock. Everything that happens follows
 * from the plan and from the choices of a scheduler, and so does every byte of the journal. Events have real hashes and
 * ids; nothing is signed.
 */
import type { JournalRecord } from "#chaos/journal/record";
import { REPLAY_FORMAT } from "#harness/replay/record";
import {
  type FaultStep,
  isAuthRole,
  type Operation,
  type Plan,
  type ServerStep,
  type Step,
} from "#scenarios/plan";
import { Actions } from "./actions.ts";
import type { Bug } from "./bugs.ts";
import { type Scheduler, schedulerOf } from "./clock.ts";
import { beginOf, healOf } from "./fault-records.ts";
import { observe } from "./observe.ts";
import { refused, type Sent } from "./server.ts";
import { World } from "./world.ts";

export interface SimulationOptions {
  /** Decides what happens first of all that can happen now. */
  readonly seed: number;
  /** Instead of one that follows from the seed. */
  readonly scheduler?: Scheduler;
  /** Of rooms that name none. */
  readonly version?: string;
  readonly bugs?: readonly Bug[];
}

export interface Simulation {
  readonly records: readonly JournalRecord[];
  /** Convergences that the plan has; they are numbered from 1. */
  readonly epochs: number;
}

const REQUEST_MS = 30_000;
const LIMIT_MS = { nudged: 30_000, silent: 90_000 } as const;

export async function simulate(plan: Plan, options: SimulationOptions): Promise<Simulation> {
  return new Story(plan, options).tell();
}

class Story {
  readonly #plan: Plan;
  readonly #seed: number;
  readonly #world: World;
  readonly #actions: Actions;
  /** Ids of events that operations had, by room. */
  readonly #events = new Map<string, string[]>();
  #epoch = 0;
  #steps = 0;

  constructor(plan: Plan, { seed, scheduler, version = "12", bugs = [] }: SimulationOptions) {
    const rooms = Object.entries(plan.rooms).map(
      ([name, room]) => [name, { version, ...room }] as const,
    );
    this.#plan = { ...plan, rooms: Object.fromEntries(rooms) };
    this.#seed = seed;
    this.#world = new World(scheduler ?? schedulerOf(seed), plan.servers, plan.users, bugs);
    this.#actions = new Actions(this.#world, this.#plan);
  }

  async tell(): Promise<Simulation> {
    await this.#prepare();
    for (const step of this.#plan.steps) {
      await this.#step(step);
      for (const server of this.#world.servers) server.clients.flush();
    }
    return { records: this.#world.journal.records, epochs: this.#epoch };
  }

  async #prepare(): Promise<void> {
    const { journal, servers } = this.#world;
    const rooms = Object.entries(this.#plan.rooms).filter(([, { isLater }]) => !isLater);
    // A room that restricted ones name has to be there before them.
    const sorted = [...rooms].sort(
      ([, a], [, b]) => Number(a.allow !== undefined) - Number(b.allow !== undefined),
    );
    const [, first] = rooms[0] ?? [];
    journal.write({
      t: "meta",
      format: REPLAY_FORMAT,
      version: 1,
      rooms: [],
      ...(first?.version === undefined ? {} : { room_version: first.version }),
      run: "simulation",
      test: this.#plan.id,
      seed: this.#seed,
      tool: "matrix-crucible",
    });
    journal.write({ t: "plan", plan: this.#plan });
    for (const { name } of servers)
      journal.write({ t: "server", name, implementation: "simulated" });
    for (const [name, room] of sorted) {
      this.#actions.found(name, room);
      for (const user of room.members ?? []) await this.#bring(name, room.creator, user);
    }
    await this.#rest(this.#world.clock.now + LIMIT_MS.silent);
    this.#cast();
    for (const server of servers) {
      server.clients.flush();
      for (const replica of server.rooms.values()) journal.state(server.name, replica, "watch");
    }
    this.#world.beginStory();
  }

  /** A user joins before the story begins. */
  async #bring(room: string, creator: string, user: string): Promise<void> {
    const act = async (operation: Operation) => {
      const sent = await this.#perform(operation);
      await this.#rest(this.#world.clock.now + LIMIT_MS.silent);
      return sent;
    };
    const invite = { op: "invite", id: "invite", by: creator, room, target: user } as const;
    const rule = this.#plan.rooms[room]?.rule ?? "public";
    if (rule !== "public") await act(invite);
    await act({ op: "join", id: "join", by: user, room });
  }

  #cast(): void {
    const world = this.#world;
    const users = Object.keys(this.#plan.users).map((name) => [name, world.names.user(name)]);
    const versions = [...world.versions].map(([id, version]) => [id, version.id]);
    world.journal.write({
      t: "cast",
      servers: Object.fromEntries(world.servers.map(({ role, name }) => [role, name])),
      users: Object.fromEntries(users),
      rooms: Object.fromEntries(world.roomIds),
      versions: Object.fromEntries(versions),
    });
  }

  async #step(step: Step): Promise<void> {
    if ("op" in step) await this.#operate([step]);
    else if ("together" in step) await this.#operate(step.together);
    else if ("fault" in step) this.#begin(step);
    else if ("heal" in step)
      this.#heal(step.heal === "all" ? this.#world.network.inForce : step.heal);
    else if ("server" in step) this.#act(step);
    else if ("await" in step) await this.#await(step.of, step.servers);
    else await this.#converge(step.converge);
  }

  async #operate(operations: readonly Operation[]): Promise<void> {
    await Promise.all(operations.map((operation) => this.#operateOne(operation)));
  }

  async #operateOne(operation: Operation): Promise<void> {
    const world = this.#world;
    const began = world.clock.now;
    const server = world.homeOf(operation.by);
    const rooms = world.roomIds.size;
    const first = await this.#perform(operation);
    const isCertain = first !== undefined && first.status !== 502;
    const outcome = first?.status === 200 ? "ok" : isCertain ? "fail" : "unknown";
    const events = (first?.pdus ?? []).map(({ id }) => id);
    const [event] = events;
    if (event !== undefined) world.eventIds.set(operation.id, event);
    for (const { id, event: made } of first?.pdus ?? []) {
      const ofRoom = this.#events.get(made.roomId) ?? [];
      this.#events.set(made.roomId, ofRoom);
      ofRoom.push(id);
    }
    if (world.roomIds.size > rooms) this.#cast();
    const room = "room" in operation ? world.roomIds.get(operation.room) : undefined;
    this.#steps += 1;
    world.journal.write({
      t: "step",
      id: this.#steps,
      name: `${operation.by}: ${operation.op}${"room" in operation ? ` in ${operation.room}` : ""}`,
      ok: outcome === "unknown" ? null : outcome === "ok",
      ...(first?.message === undefined ? {} : { message: first.message }),
      events,
      step: operation.id,
      op: operation.op,
      by: world.names.user(operation.by),
      server: server.name,
      ...(room === undefined ? {} : { room }),
      outcome,
      ...(first === undefined ? {} : { status: first.status }),
      ...(first?.errcode === undefined ? {} : { errcode: first.errcode }),
      began,
      // Only these requests have a transaction id.
      ...(operation.op === "message" || operation.op === "redact" ? { txn: operation.id } : {}),
      ...(operation.op === "message" && operation.client !== undefined && event !== undefined
        ? { answers: [event, event] }
        : {}),
    });
  }

  /** Undefined: nothing was heard. */
  async #perform(operation: Operation): Promise<Sent | undefined> {
    const { clock, network } = this.#world;
    const server = this.#world.homeOf(operation.by);
    let sent: Sent | undefined;
    let isOver = false;
    const act = () => {
      // A second request with the same transaction id is answered like the first one, and does nothing.
      void this.#actions.perform(operation).then((result) => {
        sent = result;
        isOver = true;
      });
    };
    clock.soon(`client ${operation.id}`, () => {
      if (!server.isUp) {
        sent = refused(503, "M_UNKNOWN", "the server does not run");
        isOver = true;
      } else if (server.isPaused) network.hold(server.role, act);
      else act();
    });
    const deadline = clock.now + REQUEST_MS;
    while (!isOver && clock.now < deadline) {
      if (!(await clock.step(deadline))) break;
    }
    return sent;
  }

  #begin(fault: FaultStep): void {
    this.#world.network.begin(fault);
    this.#world.journal.write(beginOf(fault));
  }

  #heal(ids: readonly string[]): void {
    for (const id of ids) {
      const ended = this.#world.network.end(id);
      if (ended === undefined) continue;
      this.#world.journal.write(healOf(ended.fault, ended.fired));
    }
  }

  #act({ server: role, action }: ServerStep): void {
    // Simulated servers know their users by themselves.
    if (isAuthRole(role)) return;
    const server = this.#world.server(role);
    const { journal } = this.#world;
    const kind = action === "kill" || action === "stop" || action === "start" ? action : "custom";
    const look = (moment: "before-restart" | "after-restart") => {
      for (const replica of server.rooms.values()) {
        if (replica.extremities.length > 0) journal.state(server.name, replica, moment);
      }
    };
    journal.write({
      t: "fault",
      id: `${action} ${role}`,
      kind,
      name: `${action} ${role}`,
      servers: [server.name],
      value: action,
    });
    switch (action) {
      case "pause":
        server.isPaused = true;
        return;
      case "resume":
        server.resume();
        return;
      case "kill":
      case "stop":
        look("before-restart");
        server.stop();
        return;
      case "start":
        if (server.isUp) return;
        server.start();
        look("after-restart");
        return;
      case "restart":
        look("before-restart");
        server.stop();
        server.start();
        look("after-restart");
        return;
      case "fill-disk":
      case "free-disk":
        server.isFull = action === "fill-disk";
        return;
      case "restart-database":
        return;
    }
  }

  /** Until the events are on the servers that have a joined user, or nothing more happens. */
  async #await(
    of: readonly string[] | undefined,
    roles: readonly string[] | undefined,
  ): Promise<void> {
    const world = this.#world;
    const ids = (of ?? [...world.eventIds.keys()]).flatMap((one) => world.eventIds.get(one) ?? []);
    const servers = world.servers.filter((one) => roles === undefined || roles.includes(one.role));
    const isThere = () =>
      servers.every((server) =>
        [...server.rooms.values()].every(
          (replica) =>
            !server.isIn(replica.roomId) ||
            ids.every((id) => !this.#events.get(replica.roomId)?.includes(id) || replica.has(id)),
        ),
      );
    const deadline = world.clock.now + LIMIT_MS.silent;
    while (!isThere() && !world.clock.isAtRest) {
      if (!(await world.clock.step(deadline))) return;
    }
  }

  async #converge(mode: "nudged" | "silent"): Promise<void> {
    const world = this.#world;
    this.#epoch += 1;
    this.#heal(world.network.inForce);
    for (const { role, isUp, isPaused, isFull } of world.servers) {
      if (!isUp) this.#act({ server: role, action: "start" });
      if (isPaused) this.#act({ server: role, action: "resume" });
      if (isFull) this.#act({ server: role, action: "free-disk" });
    }
    const began = world.clock.now;
    if (mode === "nudged") this.#nudge();
    const limit = LIMIT_MS[mode];
    await this.#rest(began + limit);
    const isReached = world.clock.isAtRest;
    const took = world.clock.now - began;
    for (const server of world.servers) {
      for (const replica of server.rooms.values()) {
        if (server.isIn(replica.roomId)) void server.inbox.fillGaps(replica);
      }
    }
    await this.#rest(world.clock.now + LIMIT_MS.nudged);
    observe(world, this.#epoch, this.#events);
    world.journal.write({
      t: "recovery",
      epoch: this.#epoch,
      mode,
      ms: isReached ? took : null,
      limit_ms: limit,
      missing: isReached ? [] : ["the virtual network did not come to rest"],
    });
  }

  /** Each server says one thing in each room. */
  #nudge(): void {
    const world = this.#world;
    for (const server of world.servers) {
      for (const replica of server.rooms.values()) {
        const user = [...replica.members()].find(
          ([one, membership]) => membership === "join" && server.isOwn(one),
        )?.[0];
        if (user === undefined) continue;
        world.journal.state(server.name, replica, "before-nudge");
        const began = world.clock.now;
        const sent = server.send(replica, {
          type: "m.room.message",
          sender: user,
          content: { msgtype: "m.text", body: `nudge ${this.#epoch}` },
        });
        this.#steps += 1;
        world.journal.write({
          t: "step",
          id: this.#steps,
          name: `${server.role}: nudge`,
          ok: sent.status === 200,
          ...(sent.message === undefined ? {} : { message: sent.message }),
          events: sent.pdus.map(({ id }) => id),
          step: "nudge",
          op: "nudge",
          by: user,
          server: server.name,
          room: replica.roomId,
          outcome: sent.status === 200 ? "ok" : "fail",
          status: sent.status,
          began,
        });
        const ofRoom = this.#events.get(replica.roomId) ?? [];
        this.#events.set(replica.roomId, [...ofRoom, ...sent.pdus.map(({ id }) => id)]);
      }
    }
  }

  /** Until nothing more happens, or it is that late. */
  async #rest(until: number): Promise<void> {
    const { clock } = this.#world;
    while (!clock.isAtRest && clock.now < until) {
      if (!(await clock.step(until))) return;
    }
  }
}
