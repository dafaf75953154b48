/** What people ask of a story while it is told: done by the code that does the steps of plans, in between them. */
import { HarnessError } from "#harness/errors";
import type { FaultKind, ServerStep } from "#scenarios/plan";

export type Command =
  /** `link`: `hs1>hs2`. */
  | { readonly do: "cut"; readonly link: string; readonly how: FaultKind }
  /** Ends every fault that concerns the link; all faults unless one is named. */
  | { readonly do: "heal"; readonly link?: string | undefined }
  | ({ readonly do: "server" } & ServerStep)
  /** One message of each server in each room. */
  | { readonly do: "nudge" }
  /** All faults end, and the servers have to agree, as at the end of an epoch. */
  | { readonly do: "check" };

export interface Asked {
  readonly command: Command;
  /** In words: what came of it. */
  readonly done: (what: string) => void;
  readonly refused: (error: unknown) => void;
}

const MOST_WAITING = 20;

export class Hands {
  readonly #waiting: Asked[] = [];
  #whyClosed: string | undefined;

  /**
   * Waits until the story comes to it, which is after the step that it is at. Told in words.
   *
   * @throws HarnessError BAD_USAGE for what can not be done, or not now
   */
  ask(command: Command): Promise<string> {
    if (this.#whyClosed !== undefined) return Promise.reject(refusal(this.#whyClosed));
    if (this.#waiting.length >= MOST_WAITING)
      return Promise.reject(refusal(`${MOST_WAITING} others are waiting`));
    return new Promise((done, refused) => {
      this.#waiting.push({ command, done, refused });
    });
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The one that has waited longest. */
  take(): Asked | undefined {
    return this.#waiting.shift();
  }

  /** From now on nothing is done. @param why in words */
  close(why: string): void {
    this.#whyClosed = why;
    for (const { refused } of this.#waiting.splice(0)) refused(refusal(why));
  }
}

export function refusal(what: string): HarnessError {
  return new HarnessError("BAD_USAGE", { what, next: "look at the switchboard" });
}
