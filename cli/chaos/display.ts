/** Progress of stories on standard error: a line for each epoch, and how things are on a terminal or every ten seconds. */

import type { CheckerVerdict } from "#chaos/journal/record";
import type { Status } from "#chaos/live/telling";
import { colour } from "#cli/io";
import { tame } from "#reports/finding";

const CLEAR_LINE = "\r\u001b[2K";
const TICK_MS = 500;
const HEARTBEAT_MS = 10_000;

export interface News {
  readonly status: Status | undefined;
  /** What happens now. */
  readonly doing: string;
  /** The last line that stays. */
  readonly line: string;
}

export class Display implements Disposable {
  readonly #isTerminal = process.stderr.isTTY === true;
  readonly #started = Date.now();
  readonly #timer: NodeJS.Timeout;
  #status: (() => Status) | undefined;
  #doing = "";
  #verdicts = "";
  #lastLine = Date.now();
  #line = "";
  readonly #onNews: ((news: News) => void) | undefined;

  /** @param onNews told whatever may have changed, again and again */
  constructor(onNews?: (news: News) => void) {
    this.#onNews = onNews;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  /** What happens now. On a terminal it replaces what was said before. */
  doing(line: string): void {
    this.#doing = tame(line);
    this.#tellNews();
    if (this.#isTerminal) this.#draw();
  }

  /** From now on a story says how things are; undefined: none is being told. */
  follow(status: (() => Status) | undefined): void {
    this.#status = status;
    this.#tellNews();
  }

  /** The last verdicts of the checkers. */
  judged(verdicts: readonly CheckerVerdict[]): void {
    this.#verdicts = countsOf(verdicts);
  }

  line(text: string): void {
    this.#line = tame(text);
    this.#tellNews();
    this.#write(text);
  }

  #write(text: string): void {
    this.#lastLine = Date.now();
    process.stderr.write(`${this.#isTerminal ? CLEAR_LINE : ""}${tame(text)}\n`);
    if (this.#isTerminal) this.#draw();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#isTerminal) process.stderr.write(CLEAR_LINE);
  }

  #tellNews(): void {
    this.#onNews?.({ status: this.#status?.(), doing: this.#doing, line: this.#line });
  }

  #tick(): void {
    this.#tellNews();
    if (this.#isTerminal) this.#draw();
    else if (Date.now() - this.#lastLine >= HEARTBEAT_MS) this.#write(`… ${this.#text()}`);
  }

  #draw(): void {
    const width = (process.stderr.columns ?? 80) - 1;
    process.stderr.write(`${CLEAR_LINE}${colour.dim(this.#text().slice(0, width))}`);
  }

  #text(): string {
    const seconds = `${Math.round((Date.now() - this.#started) / 1000)} s`;
    const status = this.#status?.();
    if (status === undefined) return `${seconds}, ${this.#doing}`;
    const { epoch, faults, lags } = status;
    const lag = [...lags].map(([link, count]) => `${link} ${count}`);
    return [
      `${seconds}, epoch ${epoch}`,
      faults.length === 0 ? "no faults" : faults.join(" + "),
      ...(lag.length === 0 ? [] : [`on their way: ${lag.join(", ")}`]),
      ...(this.#verdicts === "" ? [] : [`last: ${this.#verdicts}`]),
      this.#doing,
    ].join(" | ");
  }
}

/** `15 pass, 2 skip`. */
export function countsOf(verdicts: readonly CheckerVerdict[]): string {
  const counts = Map.groupBy(verdicts, ({ outcome }) => outcome);
  return [...counts].map(([outcome, all]) => `${all.length} ${outcome}`).join(", ");
}
