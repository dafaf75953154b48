/** Progress on standard error: a line for each finished check, a heartbeat when nothing finishes, a status line on a terminal. */
import { colour } from "#cli/io";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import { tame } from "#reports/finding";
import { clip } from "#reports/render/words";

/** Longest text of a line: reasons quote servers, and servers are not to be trusted with a terminal. */
const LONGEST = 200;

/** Silence after which the heartbeat says what is being waited for. */
const HEARTBEAT_MS = 10_000;
const CLEAR_LINE = "\r\u001b[2K";

const PAINT: Readonly<Record<Outcome, (text: string) => string>> = {
  pass: colour.green,
  fail: colour.red,
  error: colour.magenta,
  skip: colour.dim,
  "not-run": colour.dim,
  xfail: colour.yellow,
  xpass: colour.yellow,
  flaky: colour.yellow,
};

export class Progress implements Disposable {
  readonly #isTerminal = process.stderr.isTTY === true;
  readonly #total: number;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #started = Date.now();
  #done = 0;
  #failed = 0;
  #lastLine = Date.now();
  #waitingFor = "";

  constructor(total: number) {
    this.#total = total;
    this.#heartbeat = setInterval(() => this.#beat(), 1_000);
    this.#heartbeat.unref();
  }

  /** What happens now, when it is no check: starting, installing. */
  stage(line: string): void {
    this.#waitingFor = line;
    this.#write(colour.dim(tame(line)));
  }

  /**
   * A check has ended.
   *
   * @param pending titles of checks that have not, for the heartbeat.
   * @param stack where it failed, when that is to be shown.
   */
  finished(result: CheckResult, pending: () => readonly string[], stack?: string): void {
    this.#done++;
    if (result.outcome === "fail" || result.outcome === "error") this.#failed++;
    const word = PAINT[result.outcome](result.outcome.padEnd(7));
    const count = colour.dim(
      `${String(this.#done).padStart(String(this.#total).length)}/${this.#total}`,
    );
    const reason =
      result.reason === undefined || result.outcome === "pass"
        ? ""
        : `\n      ${clip(result.reason, LONGEST)}`;
    const [id, check] = [result.requirement, result.check].map((text) => clip(text, LONGEST));
    this.#write(`${count} ${word} ${id} ${colour.dim(check)}${reason}`);
    if (stack !== undefined) this.#write(colour.dim(tame(stack)));
    const [next] = pending();
    this.#waitingFor = next ?? "the end";
  }

  note(line: string): void {
    this.#write(tame(line));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#heartbeat);
    if (this.#isTerminal) process.stderr.write(CLEAR_LINE);
  }

  #write(line: string): void {
    this.#lastLine = Date.now();
    process.stderr.write(`${this.#isTerminal ? CLEAR_LINE : ""}${line}\n`);
    this.#status();
  }

  #beat(): void {
    if (this.#isTerminal) this.#status();
    if (Date.now() - this.#lastLine < HEARTBEAT_MS) return;
    this.#lastLine = Date.now();
    const line = `… ${this.#seconds()} s, ${this.#done}/${this.#total} done, waiting for ${clip(this.#waitingFor, LONGEST)}`;
    if (!this.#isTerminal) process.stderr.write(`${line}\n`);
  }

  #status(): void {
    if (!this.#isTerminal) return;
    const failed = this.#failed === 0 ? "" : `, ${this.#failed} failed`;
    const line = `${this.#done}/${this.#total}${failed}, ${this.#seconds()} s, ${clip(this.#waitingFor, LONGEST)}`;
    process.stderr.write(
      `${CLEAR_LINE}${colour.dim(line.slice(0, (process.stderr.columns ?? 80) - 1))}`,
    );
  }

  #seconds(): number {
    return Math.round((Date.now() - this.#started) / 1000);
  }
}
