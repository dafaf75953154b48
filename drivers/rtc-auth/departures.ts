/**
 * Members who have left their Matrix room, or were put out of it, are put out of the SFU's as well, and again while their tokens
 * let them in (MSC4195 §Kicking users from the SFU on room leave/ban). The homeserver is asked who is still joined (MSC4502).
 */
import type { Faults } from "./faults.ts";
import type { Homeservers } from "./homeservers.ts";
import type { Sfu } from "./sfu.ts";
import { LIFETIME_MS } from "./tokens.ts";

/** Whose token lets whom in. */
export interface Admission {
  /** On the SFU. */
  readonly room: string;
  readonly identity: string;
  readonly userId: string;
  /** Of Matrix. */
  readonly roomId: string;
}

interface Kept extends Admission {
  readonly until: number;
  readonly isOnce: boolean;
}

const LOOK_MS = 1_000;

export class Departures {
  readonly #admitted = new Map<string, Map<string, Kept>>();
  readonly #homeservers: Homeservers;
  readonly #sfu: Sfu;

  constructor(homeservers: Homeservers, sfu: Sfu) {
    this.#homeservers = homeservers;
    this.#sfu = sfu;
    const again = () => {
      this.#look().finally(() => setTimeout(again, LOOK_MS).unref());
    };
    again();
  }

  admitted(admission: Admission, faults: Faults): void {
    if (faults.has("never-kick")) return;
    const { room, identity } = admission;
    const inRoom = this.#admitted.get(room) ?? new Map<string, Kept>();
    const isOnce = faults.has("kick-once");
    inRoom.set(identity, { ...admission, until: Date.now() + LIFETIME_MS, isOnce });
    this.#admitted.set(room, inRoom);
  }

  async #look(): Promise<void> {
    if (this.#admitted.size === 0) return;
    for (const room of await this.#sfu.occupiedRooms()) {
      const inRoom = this.#admitted.get(room);
      if (inRoom === undefined) continue;
      for (const identity of await this.#sfu.identitiesIn(room)) {
        const kept = inRoom.get(identity);
        if (kept === undefined) continue;
        if (Date.now() > kept.until) inRoom.delete(identity);
        else if (await this.#homeservers.hasLeft(kept.userId, kept.roomId)) {
          await this.#sfu.remove(room, identity);
          if (kept.isOnce) inRoom.delete(identity);
        }
      }
      if (inRoom.size === 0) this.#admitted.delete(room);
    }
  }
}
