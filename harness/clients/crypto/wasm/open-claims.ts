/**
 * Devices for which a claim of one-time keys brought none. The engine asks for them again only after a pause (about 15
 * seconds were seen), and until then a message for them is none that they lost.
 */
import { awakeMs } from "#harness/awake";
import { isObject } from "#harness/match/json";

/** Longer than the engine's pause after the first claim without a key. */
const PAUSE_MS = 20_000;
/** After so many claims without a key the device is taken for one that has none. */
const MOST_CLAIMS = 2;

export class OpenClaims {
  readonly #failed = new Map<
    string,
    { readonly userId: string; readonly count: number; readonly at: number }
  >();
  readonly #clock: () => number;

  /** @param clock milliseconds since any moment */
  constructor(clock: () => number = awakeMs) {
    this.#clock = clock;
  }

  /** @param body of `POST /keys/claim`; @param answer to it */
  note(body: string, answer: unknown): void {
    const { one_time_keys } = JSON.parse(body) as {
      one_time_keys: Record<string, Record<string, string>>;
    };
    const given = isObject(answer) && isObject(answer.one_time_keys) ? answer.one_time_keys : {};
    for (const [userId, devices] of Object.entries(one_time_keys)) {
      for (const deviceId of Object.keys(devices)) {
        const ofUser = given[userId];
        const has = isObject(ofUser) && isObject(ofUser[deviceId]);
        const name = `${userId} ${deviceId}`;
        if (has) this.#failed.delete(name);
        else {
          const count = (this.#failed.get(name)?.count ?? 0) + 1;
          this.#failed.set(name, { userId, count, at: this.#clock() });
        }
      }
    }
  }

  /**
   * The engine has just been asked what is missing for all of `users`, and what it wanted has been noted. What it did not
   * ask for although its pause is over has a session by now: the device may have begun one itself.
   */
  asked(): void {
    const end = this.#clock() - PAUSE_MS;
    for (const [name, { at, count }] of this.#failed)
      if (count < MOST_CLAIMS && at <= end) this.#failed.delete(name);
  }

  /** Users with a device that is worth another claim. */
  get users(): readonly string[] {
    return [...new Set(this.#open.map(([, { userId }]) => userId))];
  }

  /** Those devices, `user device`. */
  get devices(): readonly string[] {
    return this.#open.map(([name]) => name);
  }

  get #open() {
    return [...this.#failed].filter(([, { count }]) => count < MOST_CLAIMS);
  }
}
