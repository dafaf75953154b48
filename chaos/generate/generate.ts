/**
 * Plans at random: epochs of calm and then of trouble on links, or of a partition with something happening to a process and
 * to a link that is not cut, each with operations on all sides, and each followed by a convergence. The same seed and options
 * give the same plan, and more epochs only continue it. Where servers have auth services, these have trouble of their own before
 * that. Every fault of the default mix comes within PROMISED_EPOCHS.
 */
import { createRandom } from "#harness/random";
import { Choice } from "#protocol/dag/choice";
import {
  type FaultKind,
  type FaultStep,
  type Operation,
  type OperationKind,
  PLAN_FORMAT,
  type Plan,
  type RoomPlan,
  rolesOf,
  type Step,
} from "#scenarios/plan";
import { AuthTroubles } from "./auth-troubles.ts";
import { Beliefs } from "./cast.ts";
import { Deck } from "./deck.ts";
import { HARM_ENDS } from "./kinds.ts";
import { CUTTERS, detailsOf, LinkFaults } from "./link-faults.ts";
import { type Drawing, drawOperation } from "./operations.ts";
import { cutOf, pairs } from "./partitions.ts";
import { roomAt } from "./rooms.ts";
import {
  CLIENT_TWISTS,
  type FaultName,
  type PartitionName,
  PROCESS_FAULTS,
  TWISTS,
} from "./vocabulary.ts";

export interface GenerateOptions {
  readonly seed: number;
  /** 2 to 5. */
  readonly servers: number;
  readonly rooms: number;
  /** Room versions, dealt to rooms in turn. */
  readonly versions: readonly string[];
  readonly operations: readonly OperationKind[];
  readonly faults: readonly FaultName[];
  readonly partitions: readonly PartitionName[];
  readonly epochs: number;
  /** About so many, half of them under faults at least. */
  readonly operationsPerEpoch: number;
  /** So many devices of each user encrypt what is said in all rooms; nothing is encrypted unless given. */
  readonly devices?: number | undefined;
  /** Each server has an auth service, where users sign in and out. */
  readonly auth?: boolean;
}

const NAMES = "alice bob charlie dave erin frank grace heidi ivan judy".split(" ");
/** Users of each server. */
const USERS = 2;
/** Within so many epochs, every fault that was chosen has come, as far as it can. */
export const PROMISED_EPOCHS = 7;
/** Links' faults in force at the same time. */
const FAULTS_AT_ONCE = 3;
/** Of epochs with trouble on links, which are every other one, one of so many has something happen to a process as well. */
const HARM_EVERY = 2;
/** Every so many epochs, servers have to agree by themselves. */
const SILENT_EVERY = 7;
const LATER_ROOMS = 2;

type ProcessFault = (typeof PROCESS_FAULTS)[number];

export function generatePlan(options: GenerateOptions): Plan {
  return new Generator(options).plan();
}

class Generator {
  readonly #options: GenerateOptions;
  readonly #servers: readonly string[];
  readonly #beliefs: Beliefs;
  readonly #rooms: Record<string, RoomPlan> = {};
  readonly #steps: Step[] = [];
  readonly #linkFaults: LinkFaults;
  readonly #processFaults: Deck<ProcessFault>;
  readonly #auth: AuthTroubles;
  readonly #clientTwists: Deck<(typeof CLIENT_TWISTS)[number]>;
  readonly #partitions: Deck<PartitionName>;
  readonly #cutters: Deck<FaultKind>;
  #choice: Choice;
  #operations = 0;
  #troubles = 0;

  constructor(options: GenerateOptions) {
    this.#options = options;
    this.#choice = this.#choiceOf("cast");
    this.#servers = rolesOf(options);
    const users = NAMES.slice(0, options.servers * USERS).map(
      (name, at) => [name, this.#servers[at % options.servers] ?? ""] as const,
    );
    this.#beliefs = new Beliefs(Object.fromEntries(users));
    for (let at = 0; at < options.rooms; at++) this.#addRoom(at);
    const chosen = <Name extends string>(all: readonly Name[]) =>
      all.filter((name) => options.faults.some((fault) => fault === name));
    this.#linkFaults = new LinkFaults(options.faults, options.partitions.length > 0);
    this.#processFaults = new Deck(chosen(PROCESS_FAULTS));
    this.#auth = new AuthTroubles(options.auth === true ? options.faults : []);
    this.#clientTwists = new Deck(chosen(CLIENT_TWISTS));
    this.#partitions = new Deck(options.partitions);
    const cutters = chosen(CUTTERS);
    this.#cutters = new Deck(cutters.length === 0 ? ["refuse"] : cutters);
  }

  plan(): Plan {
    const { seed, epochs, servers, devices, auth } = this.#options;
    for (let epoch = 1; epoch <= epochs; epoch++) {
      this.#choice = this.#choiceOf(`epoch ${epoch}`);
      this.#epoch(epoch);
    }
    return {
      format: PLAN_FORMAT,
      id: `seed-${Math.abs(seed)}`,
      title: `${epochs} epochs on ${servers} servers from seed ${seed}`,
      seed,
      servers,
      users: { ...this.#beliefs.homes },
      ...(devices === undefined ? {} : { devices }),
      ...(auth === true ? { auth } : {}),
      rooms: this.#rooms,
      steps: this.#steps,
    };
  }

  #epoch(epoch: number): void {
    const { operationsPerEpoch } = this.#options;
    const calm = Math.floor(operationsPerEpoch / 3);
    this.#act(calm, []);
    this.#steps.push(
      ...this.#auth.deal({
        servers: this.#servers,
        choice: this.#choice,
        usersOf: (server) =>
          this.#beliefs.users.filter((user) => this.#beliefs.homes[user] === server),
        nextId: () => this.#nextId(),
        fault: (kind, links, title) => this.#fault(kind, links, title),
      }),
    );
    const hasLinks = !this.#linkFaults.isEmpty;
    const hasSplits = !(this.#partitions.isEmpty && this.#processFaults.isEmpty);
    const left = operationsPerEpoch - calm;
    if (hasLinks && (epoch % 2 === 1 || !hasSplits))
      this.#troubleOnLinks(left, Math.floor(epoch / 2) % HARM_EVERY === 0);
    else if (hasSplits) this.#split(left);
    else this.#act(left, []);
    this.#steps.push({ converge: epoch % SILENT_EVERY === 0 ? "silent" : "nudged" });
  }

  /** Some links are ill, and all of them are used; something may happen to a server meanwhile. */
  #troubleOnLinks(count: number, isHarmful: boolean): void {
    this.#makeIll(pairs(this.#servers), FAULTS_AT_ONCE);
    this.#speakUp();
    const left = count - this.#servers.length;
    const harm = isHarmful ? this.#drawHarm(false) : undefined;
    if (harm === undefined) this.#act(left, this.#twists());
    else {
      const half = Math.max(1, Math.floor(left / 2));
      this.#act(left - half, this.#twists());
      this.#harmServer(harm, [], half);
    }
    this.#steps.push({ heal: "all" });
  }

  #makeIll(links: readonly string[], count: number): void {
    for (const { kind, link } of this.#linkFaults.deal(links, count, this.#choice))
      this.#steps.push(this.#fault(kind, [link], kind));
  }

  /** Servers are cut off from each other, while a link that is left is ill and something may happen to one of them. */
  #split(count: number): void {
    const half = Math.max(1, Math.floor((count - this.#servers.length) / 2));
    const cut = this.#partitions.isEmpty
      ? undefined
      : cutOf(this.#partitions.draw(this.#choice), this.#servers, this.#choice);
    const fault = () => cut && this.#fault(this.#cutters.draw(this.#choice), cut.links, cut.title);
    const first = fault();
    if (first !== undefined) this.#steps.push(first);
    const links = cut?.links ?? [];
    const whole = pairs(this.#servers).filter((link) => !links.includes(link));
    if (cut !== undefined) this.#makeIll(whole, Math.min(1, whole.length));
    this.#speakUp();
    this.#act(half, this.#twists());
    if (cut?.isFlapping && first !== undefined) {
      this.#steps.push({ heal: [first.id] });
      this.#act(1, []);
      const again = fault();
      if (again !== undefined) this.#steps.push(again);
    }
    const harm = this.#drawHarm(links.length > 0 || this.#options.partitions.length === 0);
    if (harm === undefined) this.#act(half, this.#twists());
    else this.#harmServer(harm, links, half);
    this.#steps.push({ heal: "all" });
  }

  /** @param isSplit whether it can happen to a server that is cut off */
  #drawHarm(isSplit: boolean): ProcessFault | undefined {
    return this.#processFaults.drawOf(
      this.#choice,
      (kind) => isSplit || kind !== "restart-in-split",
    );
  }

  #harmServer(kind: ProcessFault, cutLinks: readonly string[], count: number): void {
    const cutOff = this.#servers.filter((one) => cutLinks.some((link) => link.startsWith(one)));
    const isInSplit = kind === "restart-in-split" && cutOff.length > 0;
    const server = this.#choice.pick(isInSplit ? cutOff : this.#servers);
    const action = kind === "restart-in-split" ? "restart" : kind;
    const end = HARM_ENDS.get(action);
    this.#steps.push({ server, action });
    // Users of a server that is down or stands still do nothing meanwhile.
    const isAway = end !== undefined && action !== "fill-disk";
    const others = this.#beliefs.users.filter((user) => this.#beliefs.homes[user] !== server);
    this.#act(count, this.#twists(), isAway ? new Set(others) : undefined);
    if (end !== undefined) this.#steps.push({ server, action: end });
  }

  /** One message of each server in a room with others, so that every link is used; one of them by a client that misbehaves. */
  #speakUp(): void {
    const shared = this.#beliefs.rooms
      .filter((room) => !room.isTombstoned)
      .sort((a, b) => this.#beliefs.serversIn(b).size - this.#beliefs.serversIn(a).size)[0];
    if (shared === undefined || !this.#options.operations.includes("message")) return;
    let client = this.#clientTwists.isEmpty ? undefined : this.#clientTwists.draw(this.#choice);
    for (const server of this.#servers) {
      const [by] = this.#beliefs
        .in(shared, "join")
        .filter((user) => this.#beliefs.homes[user] === server);
      if (by === undefined) continue;
      const id = this.#nextId();
      const twist = client === undefined ? {} : { client };
      const operation: Operation = { op: "message", id, by, room: shared.name, text: id, ...twist };
      client = undefined;
      this.#beliefs.note(operation);
      this.#steps.push(operation);
    }
  }

  /** @param among who may act; absent: anyone */
  #act(count: number, twists: Drawing["twists"], among?: ReadonlySet<string>): void {
    if (this.#options.operations.length === 0) return;
    const drawing: Drawing = {
      beliefs: this.#beliefs,
      choice: this.#choice,
      kinds: this.#options.operations,
      devices: this.#options.devices,
      hasAuth: this.#options.auth === true,
      id: () => this.#nextId(),
      laterRoom: (creator, { version }) => this.#laterRoom(creator, version),
      twists,
    };
    for (let left = count; left > 0; ) {
      const isRace = left >= 2 && this.#choice.chance(0.25);
      const together = [drawOperation(drawing, among)];
      if (isRace) {
        const busy = new Set(together.map(({ by }) => by));
        const free = new Set(
          (among ? [...among] : this.#beliefs.users).filter((u) => !busy.has(u)),
        );
        if (free.size > 0) together.push(drawOperation(drawing, free));
      }
      const [first] = together;
      if (together.length > 1) this.#steps.push({ together });
      else if (first !== undefined) this.#steps.push(first);
      left -= together.length;
    }
  }

  #twists(): Drawing["twists"] {
    return TWISTS.filter((twist) => this.#options.faults.includes(twist));
  }

  #fault(kind: FaultKind, links: readonly string[], title: string): FaultStep {
    this.#troubles += 1;
    return {
      fault: kind,
      id: `trouble-${this.#troubles}`,
      links: [...links],
      title,
      ...detailsOf(kind, this.#choice),
    };
  }

  #addRoom(at: number): void {
    const { versions, servers, devices } = this.#options;
    const version = versions[at % versions.length] ?? "12";
    const room = roomAt(at, version, servers, this.#beliefs.users, devices !== undefined);
    const name = at === 0 ? "main" : `room-${at + 1}`;
    this.#rooms[name] = room;
    this.#beliefs.add(name, room);
  }

  #laterRoom(creator: string, from: number): { name: string; version: string } | undefined {
    const later = Object.values(this.#rooms).filter(({ isLater }) => isLater).length;
    if (later >= LATER_ROOMS) return undefined;
    const { versions, devices } = this.#options;
    const name = `later-${later + 1}`;
    const version = versions.find((one) => Number(one) > from) ?? versions[0] ?? "12";
    const room: RoomPlan = {
      version,
      creator,
      rule: "public",
      isLater: true,
      ...(devices === undefined ? {} : { encrypted: true }),
    };
    this.#rooms[name] = room;
    this.#beliefs.add(name, room);
    return { name, version };
  }

  #nextId(): string {
    this.#operations += 1;
    return `op-${this.#operations}`;
  }

  #choiceOf(label: string): Choice {
    const random = createRandom(this.#options.seed).fork(label);
    return new Choice(() => random.next());
  }
}
