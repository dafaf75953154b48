/** What the service does otherwise while a check asks for it, where no rule at the gateway could bring it about. */

/**
 * `code-lifetime`: seconds that an authorization code lives (RFC 6749 §4.1.2); `device-code-lifetime`: those of a device
 * code (RFC 8628 §3.2).
 */
export const FAULTS = ["code-lifetime", "device-code-lifetime"] as const;

export type Fault = (typeof FAULTS)[number];

export class Faults {
  readonly #on = new Map<Fault, number | string>();

  /** @throws Error when there is no such fault */
  set(name: string, value: number | string = ""): void {
    const fault = FAULTS.find((known) => known === name);
    if (fault === undefined) throw new Error(`there is no fault ${name}, only ${FAULTS.join()}`);
    this.#on.set(fault, value);
  }

  clear(): void {
    this.#on.clear();
  }

  /** Its measure while it is on. */
  number(fault: Fault): number | undefined {
    const value = this.#on.get(fault);
    return value === undefined ? undefined : Number(value);
  }
}
