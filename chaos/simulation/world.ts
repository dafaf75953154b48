/** What all parts of a simulation share. */
import type { Names } from "#chaos/events/drafts";
import type { Pdu } from "#chaos/events/make-event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { rolesOf } from "#scenarios/plan";
import type { Bug } from "./bugs.ts";
import { type Scheduler, VirtualClock } from "./clock.ts";
import { JournalWriter } from "./journal-writer.ts";
import { VirtualNetwork } from "./network.ts";
import { SimulatedServer } from "./server.ts";

/** With `lose-pdus` each of so many events is lost. */
const LOST_OF = 20;
/** The first that is. */
const FIRST_LOST = 3;

export class World {
  readonly clock: VirtualClock;
  readonly network: VirtualNetwork;
  readonly journal: JournalWriter;
  readonly servers: readonly SimulatedServer[];
  /** Ids by name of the plan. */
  readonly roomIds = new Map<string, string>();
  /** By room id. */
  readonly versions = new Map<string, RoomVersion>();
  /** Event ids by operation. */
  readonly eventIds = new Map<string, string>();
  readonly aliases = new Map<string, string>();
  readonly #homes: Readonly<Record<string, string>>;
  readonly #bugs: ReadonlySet<Bug>;
  readonly #losable = new Map<string, number>();
  isStoryBegun = false;
  #names = 0;

  /** @param homes role of each user's server */
  constructor(
    scheduler: Scheduler,
    count: number,
    homes: Readonly<Record<string, string>>,
    bugs: readonly Bug[],
  ) {
    this.clock = new VirtualClock(scheduler);
    this.network = new VirtualNetwork(this.clock);
    this.journal = new JournalWriter(this.clock);
    this.#homes = homes;
    this.#bugs = new Set(bugs);
    this.servers = rolesOf({ servers: count }).map(
      (role) => new SimulatedServer(role, `${role}.test`, this),
    );
    for (const user of Object.keys(homes)) {
      this.homeOf(user).clients.devices.set(this.names.user(user), [`${user}-1`]);
    }
  }

  readonly names: Names = {
    user: (name) => `@${name}:${this.#homes[name]}.test`,
    server: (role) => `${role}.test`,
    room: (name) => this.roomIds.get(name),
    event: (operation) => this.eventIds.get(operation),
  };

  /** Unique, and the same in the same story. */
  readonly nextName = (): string => {
    this.#names += 1;
    return `n${this.#names}`;
  };

  /** By name or role. */
  server(name: string): SimulatedServer {
    const found = this.servers.find((one) => one.name === name || one.role === name);
    if (found === undefined) throw new RangeError(`there is no server ${name}`);
    return found;
  }

  /** @param user by name of the plan */
  homeOf(user: string): SimulatedServer {
    return this.server(this.#homes[user] ?? "");
  }

  hasBug(bug: Bug): boolean {
    return this.#bugs.has(bug);
  }

  /** What of these events gets to a server: all, unless there is a bug. */
  passing(to: SimulatedServer, pdus: readonly Pdu[]): readonly Pdu[] {
    const isVictim = to === this.servers.at(-1) && this.isStoryBegun;
    if (!isVictim || this.#bugs.size === 0) return pdus;
    return pdus.filter((pdu) => !this.#isLost(pdu));
  }

  #isLost({ id, event }: Pdu): boolean {
    if (this.hasBug("hide-ban") && event.content.membership === "ban") return true;
    if (!this.hasBug("lose-pdus")) return false;
    // What was there before the story is not counted, nor lost.
    const known =
      this.#losable.get(id) ?? (event.originServerTs < this.#began ? -1 : this.#count++);
    this.#losable.set(id, known);
    return known >= 0 && known % LOST_OF === FIRST_LOST;
  }

  #began = 0;
  #count = 0;

  beginStory(): void {
    this.isStoryBegun = true;
    this.#began = this.clock.now;
  }
}
