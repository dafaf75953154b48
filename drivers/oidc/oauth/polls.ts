/** How often devices ask for their tokens (RFC 8628 §3.5). */

/** Between two polls of a device, seconds. */
export const INTERVAL_S = 5;

export class Polls {
  /** When a device code was asked about last, milliseconds. */
  readonly #last = new Map<string, number>();

  /** Whether the device should have waited; notes that it has asked. */
  isTooSoon(code: string): boolean {
    const before = this.#last.get(code);
    this.#last.set(code, Date.now());
    return before !== undefined && Date.now() - before < INTERVAL_S * 1000;
  }
}
