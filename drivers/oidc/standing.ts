/** Whether accounts can be used: settled here at once, and at the homeserver as soon as it can be told. */
import { type Homeserver, HomeserverTrouble } from "./homeserver.ts";
import type { SignIns } from "./sign-ins.ts";
import type { Accounts } from "./store/accounts.ts";
import type { Sessions } from "./store/sessions.ts";
import { Turns } from "./turns.ts";

export interface StandingParts {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly signIns: SignIns;
  readonly homeserver: Homeserver;
}

/** Each throws HomeserverTrouble when the homeserver could not be told now; it will be, all the same. */
export class Standing {
  readonly #parts: StandingParts;
  readonly #turns = new Turns();

  constructor(parts: StandingParts) {
    this.#parts = parts;
  }

  async setLocked(localpart: string, isLocked: boolean): Promise<void> {
    this.#parts.accounts.setLocked(localpart, isLocked);
    await this.#tell(localpart);
  }

  async deactivate(localpart: string): Promise<void> {
    const { accounts, sessions, signIns } = this.#parts;
    accounts.setDeactivated(localpart, true);
    // A device that it did not take is no reason to keep the account from it.
    const [ends] = await Promise.allSettled([signIns.endAll(sessions.live(localpart))]);
    await this.#tell(localpart);
    if (ends.status === "rejected") throw ends.reason;
  }

  /** Here only once the homeserver has agreed: before that nobody could use the account. */
  async reactivate(localpart: string): Promise<void> {
    const { accounts, homeserver } = this.#parts;
    await this.#turns.take(localpart, async () => {
      await homeserver.reactivateUser(localpart);
      accounts.setDeactivated(localpart, false);
      accounts.settle(localpart);
    });
  }

  /** Tells the homeserver what it could not be told before. */
  async catchUp(): Promise<void> {
    for (const localpart of this.#parts.accounts.owingState()) {
      try {
        await this.#tell(localpart);
      } catch (error) {
        if (!(error instanceof HomeserverTrouble)) throw error;
      }
    }
  }

  #tell(localpart: string): Promise<void> {
    const { accounts, homeserver } = this.#parts;
    return this.#turns.take(localpart, async () => {
      const account = accounts.find(localpart);
      if (account === undefined) return;
      const { isDeactivated, isLocked } = account;
      if (isDeactivated) await homeserver.deleteUser(localpart, false);
      else await homeserver.provisionUser({ localpart, locked: isLocked });
      const now = accounts.find(localpart);
      // What has changed meanwhile is told in the next turn.
      if (now?.isDeactivated === isDeactivated && now.isLocked === isLocked)
        accounts.settle(localpart);
    });
  }
}
