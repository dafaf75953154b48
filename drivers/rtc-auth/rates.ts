/** How often somebody may ask: a burst, and then so many a second. */
import { Refusal } from "./http.ts";

const BURST = 50;
const PER_SECOND = 5;

export class Rates {
  readonly #left = new Map<string, { tokens: number; at: number }>();

  /** @throws Refusal when it is too often */
  take(who: string, now = Date.now()): void {
    const { tokens, at } = this.#left.get(who) ?? { tokens: BURST, at: now };
    const refilled = Math.min(BURST, tokens + ((now - at) / 1_000) * PER_SECOND);
    if (refilled < 1) throw new Refusal(429, "M_LIMIT_EXCEEDED", "too many requests");
    this.#left.set(who, { tokens: refilled - 1, at: now });
  }
}
