/**
 * Leaves that members have left to the service: restarted while the SFU has the member, sent once it has lost the member
 * (MSC4195 §Optional delegated delayed leave events). Kept in a file, so that they outlive the process.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Faults } from "./faults.ts";
import type { Homeservers } from "./homeservers.ts";
import type { Sfu } from "./sfu.ts";

export interface Delegation {
  /** On the SFU. */
  readonly room: string;
  readonly identity: string;
  readonly userId: string;
  readonly delayId: string;
  readonly delayMs: number;
}

/** What outlives the process: a member that was there and left while it was down is gone, and none that has yet to come. */
interface Kept extends Delegation {
  readonly wasConnected: boolean;
}

interface Job extends Delegation {
  readonly faults: Faults;
  wasConnected: boolean;
  restartAt: number;
}

/** The SFU tells what happens; asking it finds what was told while nobody listened. */
const LOOK_MS = 500;
/** A member that never comes is waited for this long. */
const PATIENCE_MS = 60 * 60 * 1_000;
/** Restarted when so much of the delay is over. */
const HEADROOM = 0.5;

export class Delegations {
  readonly #jobs = new Map<string, Job & { readonly since: number }>();
  readonly #homeservers: Homeservers;
  readonly #sfu: Sfu;
  readonly #storeFile: string | undefined;

  constructor(homeservers: Homeservers, sfu: Sfu, storeFile: string | undefined) {
    this.#homeservers = homeservers;
    this.#sfu = sfu;
    this.#storeFile = storeFile;
    for (const kept of this.#kept()) this.#begin(kept, new Set(), kept.wasConnected);
    const again = () => {
      this.#look().then(() => setTimeout(again, LOOK_MS).unref());
    };
    again();
  }

  /** One a member: what was delegated before for the same one no longer is. */
  add(delegation: Delegation, faults: Faults): void {
    this.#begin(delegation, faults);
    this.#keep();
  }

  /** What a webhook of the SFU told. */
  told(room: string, identity: string, what: "joined" | "left"): void {
    for (const [key, job] of this.#jobs) {
      if (job.room !== room || job.identity !== identity) continue;
      if (what === "joined") this.#seen(job);
      else void this.#send(key, job);
    }
  }

  #seen(job: Job): void {
    if (job.wasConnected) return;
    job.wasConnected = true;
    this.#keep();
  }

  #begin(delegation: Delegation, faults: Faults, wasConnected = false): void {
    const key = keyOf(delegation);
    const earlier = this.#jobs.get(key);
    if (faults.has("keep-earlier") && earlier !== undefined)
      this.#jobs.set(`${key} ${earlier.delayId}`, earlier);
    this.#jobs.set(key, {
      ...delegation,
      faults,
      wasConnected,
      since: Date.now(),
      restartAt: Date.now() + delegation.delayMs * HEADROOM,
    });
  }

  async #look(): Promise<void> {
    await Promise.all(
      [...this.#jobs].map(async ([key, job]) => {
        const isConnected = await this.#sfu.isConnected(job.room, job.identity);
        if (isConnected === true) this.#seen(job);
        if (isConnected === false && job.wasConnected) await this.#send(key, job);
        else if (!job.wasConnected && Date.now() - job.since > PATIENCE_MS) this.#end(key, job);
        else if (Date.now() >= job.restartAt) await this.#restart(key, job);
      }),
    );
  }

  async #restart(key: string, job: Job): Promise<void> {
    if (job.faults.has("never-restart")) return;
    job.restartAt = Date.now() + job.delayMs * HEADROOM;
    const status = await this.#homeservers.manage(job.userId, job.delayId, "restart");
    // It has been sent or cancelled, so there is nothing left to do.
    if (status === 404 || status === 409) this.#end(key, job);
  }

  async #send(key: string, job: Job): Promise<void> {
    this.#end(key, job);
    if (job.faults.has("never-send")) return;
    const status = await this.#homeservers.manage(job.userId, job.delayId, "send");
    // Without an answer it may not have been sent: tried again at the next look.
    if (status !== undefined && status < 500) return;
    if (!this.#jobs.has(key))
      this.#jobs.set(key, { ...job, since: Date.now(), wasConnected: true });
    this.#keep();
  }

  #end(key: string, job: Job): void {
    if (this.#jobs.get(key)?.delayId === job.delayId) this.#jobs.delete(key);
    this.#keep();
  }

  #kept(): readonly Kept[] {
    if (this.#storeFile === undefined) return [];
    try {
      return JSON.parse(readFileSync(this.#storeFile, "utf8"));
    } catch {
      return [];
    }
  }

  #keep(): void {
    if (this.#storeFile === undefined) return;
    const stored = [...this.#jobs.values()].filter(({ faults }) => !faults.has("never-store"));
    const kept = stored.map(
      ({ room, identity, userId, delayId, delayMs, wasConnected }): Kept => ({
        room,
        identity,
        userId,
        delayId,
        delayMs,
        wasConnected,
      }),
    );
    writeFileSync(`${this.#storeFile}.draft`, JSON.stringify(kept), { mode: 0o600 });
    renameSync(`${this.#storeFile}.draft`, this.#storeFile);
  }
}

function keyOf({ room, identity }: Delegation): string {
  return `${room} ${identity}`;
}
