/** What goes on, on standard error: one line that is written anew on a terminal, a line every few seconds elsewhere. */
import { colour, remark } from "./io.ts";

const TERMINAL_MS = 200;
const ELSEWHERE_MS = 5_000;
const CLEAR_LINE = "\r\u001b[2K";

export class StatusLine implements Disposable {
  readonly #isTerminal = process.stderr.isTTY === true;
  #last = Date.now();

  /** Shown unless the last one is too young. */
  show(text: () => string): void {
    const now = Date.now();
    if (now - this.#last < (this.#isTerminal ? TERMINAL_MS : ELSEWHERE_MS)) return;
    this.#last = now;
    if (this.#isTerminal) {
      const line = text().slice(0, (process.stderr.columns ?? 80) - 1);
      process.stderr.write(`${CLEAR_LINE}${colour.dim(line)}`);
    } else remark(colour.dim(text()));
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#isTerminal) process.stderr.write(CLEAR_LINE);
  }
}
