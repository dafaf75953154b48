/** A process that answers questions, one JSON object a line; its end answers all that are open. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import os from "node:os";
import { createInterface } from "node:readline";
import { HarnessError } from "#harness/errors";
import { compiledBefore } from "#harness/runs/compiled";
import { type Answer, decode, encode, thrownHere } from "./frames.ts";

interface Open {
  readonly method: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface LineProcessOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Its abort kills the process, also one that sleeps. */
  readonly signal?: AbortSignal;
  /** Lets the servers under test go first where there is much to do: what they are late with must not be our doing. */
  readonly yields?: boolean;
}

/** Steps of priority that it is below us: a third of the weight. */
const YIELDING = 5;
const LOWEST = 19;
/** Of standard error, for the message about a process that died. */
const TAIL_LINES = 12;

export class LineProcess {
  readonly #who: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #open = new Map<number, Open>();
  readonly #tail: string[] = [];
  readonly #exit: Promise<void>;
  #next = 1;
  #end: string | undefined;

  /** @param who for messages */
  constructor(
    who: string,
    command: string,
    args: readonly string[],
    { env = {}, signal, yields = false }: LineProcessOptions = {},
  ) {
    this.#who = who;
    this.#child = spawn(command, args, {
      stdio: "pipe",
      env: { PATH: process.env.PATH ?? "", LANG: "C.UTF-8", ...compiledBefore(), ...env },
      killSignal: "SIGKILL",
      ...(signal && { signal }),
    });
    if (yields) yieldToServers(this.#child.pid);
    this.#exit = new Promise((resolve) => {
      const end = (how: string) => {
        this.#end ??= how;
        for (const [id] of this.#open) this.#give({ id });
        resolve();
      };
      this.#child.once("close", (code, signal) => end(signal ?? `exit code ${code}`));
      this.#child.once("error", (error) => end(error.message));
    });
    // Writing to one that has died is told by its end.
    this.#child.stdin.on("error", () => undefined);
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#give(decode(line) as Answer);
    });
    createInterface({ input: this.#child.stderr }).on("line", (line) => {
      this.#tail.push(line);
      if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#end === undefined;
  }

  /** @throws HarnessError INTERRUPTED when the process ends first */
  ask(method: string, ...parameters: readonly unknown[]): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#ended(method));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { method, resolve, reject });
      this.#child.stdin.write(encode({ id, method, parameters }));
    });
  }

  /** At once, with nothing said before it. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exit;
  }

  /**
   * Tells it that nobody asks any more, and waits for its end; kills it when its time is over.
   *
   * @param last what it is asked before, within that time, whatever comes of it
   */
  async end(graceMs: number, last?: string): Promise<void> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), graceMs);
    if (last !== undefined) await this.ask(last).catch(() => undefined);
    this.#child.stdin.end();
    await this.#exit;
    clearTimeout(timer);
  }

  #give(answer: Answer): void {
    const open = this.#open.get(answer.id);
    if (open === undefined) return;
    this.#open.delete(answer.id);
    if (this.#end !== undefined) open.reject(this.#ended(open.method));
    else if (answer.error !== undefined) open.reject(thrownHere(answer.error, this.#who));
    else open.resolve(answer.result);
  }

  #ended(method: string): HarnessError {
    return new HarnessError("INTERRUPTED", {
      what: `the process of ${this.#who} has ended (${this.#end}) and gives no answer to ${method}`,
      facts: this.#end === "SIGKILL" ? [] : this.#tail,
      next: "start the client again",
    });
  }
}

function yieldToServers(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    os.setPriority(pid, Math.min(LOWEST, os.getPriority() + YIELDING));
  } catch {
    // Gone already.
  }
}
