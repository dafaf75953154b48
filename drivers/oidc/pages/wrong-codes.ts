/** Against guessing of user codes (RFC 8628 §5.1). */
import { now } from "../store/clock.ts";

/** Wrong codes that a user may enter within the window. */
const TRIES = 10;
const WINDOW_S = 600;

export class WrongCodes {
  readonly #at = new Map<string, readonly number[]>();

  note(localpart: string): void {
    this.#at.set(localpart, [...this.#recent(localpart), now()]);
  }

  areTooMany(localpart: string): boolean {
    return this.#recent(localpart).length >= TRIES;
  }

  #recent(localpart: string): readonly number[] {
    return (this.#at.get(localpart) ?? []).filter((at) => at > now() - WINDOW_S);
  }
}
