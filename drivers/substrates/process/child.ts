/** A server as a child process: own group, log file, known to the run's registry. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { type FileHandle, open, readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { awakeMs } from "#harness/awake";
import { HarnessError } from "#harness/errors";

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Called with the process id as soon as there is one. */
  readonly onSpawn: (pid: number) => void;
  /** Runs as this account instead of ours. */
  readonly account?: { readonly uid: number; readonly gid: number };
  /** Called when it ends without having been asked to. */
  readonly onUnexpectedExit: (how: string) => void;
  /** Who begins it, asked at each start; undefined: we do, by `command`. */
  readonly begunBy?: (() => Begin | undefined) | undefined;
}

/** Begins a process in a group of its own, with this environment, that writes to the log file. */
export type Begin = (plan: {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
}) => Promise<Begun>;

export interface Begun {
  readonly pid: number;
  /** How it ended, once it has. */
  readonly exit: Promise<string>;
}

/** How long an orderly stop may take before it becomes SIGKILL, milliseconds. */
const STOP_GRACE_MS = 5_000;
/** Unit of times in /proc, on every Linux that Node runs on. */
const TICK_MS = 10;
/** How long threads may take to stop, milliseconds. */
const PAUSE_MS = 10_000;
const PAUSE_LOOK_MS = 1;
/** States of threads in /proc that run no more: stopped, or dead. */
const STOPPED = ["T", "Z", "X"];

export class Child {
  readonly #options: ChildOptions;
  #pid: number | undefined;
  #exit: Promise<string> | undefined;
  #isEnding = false;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  get isRunning(): boolean {
    return this.#pid !== undefined;
  }

  /** How the process ended, once it has. */
  get exit(): Promise<string> {
    return this.#exit ?? Promise.resolve("never started");
  }

  /** @param mayEnd when it ends by itself only `exit` tells it, until `mustStay` */
  async start({ mayEnd = false } = {}): Promise<void> {
    const { cwd, logFile, onSpawn, onUnexpectedExit, begunBy } = this.#options;
    const env = { PATH: process.env.PATH ?? "", HOME: cwd, LANG: "C.UTF-8", ...this.#options.env };
    this.#isEnding = mayEnd;
    const begin = begunBy?.() ?? spawned(this.#options);
    const { pid, exit } = await begin({ cwd, env, logFile });
    this.#pid = pid;
    this.#exit = exit.then((how) => {
      this.#pid = undefined;
      if (!this.#isEnding) onUnexpectedExit(how);
      return how;
    });
    onSpawn(pid);
  }

  /** From now on it is told when it ends without having been asked to. */
  mustStay(): void {
    this.#isEnding = false;
  }

  /** CPU time so far, milliseconds; only where there is /proc. */
  async cpuMs(): Promise<number> {
    // User and system time are the 14th and 15th field.
    const fields = fieldsOf(await readFile(`/proc/${this.pid}/stat`, "utf8"));
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  /**
   * Freezes it, and returns once none of its threads runs: those that run when the signal comes may still answer. Only where
   * there is /proc; elsewhere it returns at once.
   * @throws HarnessError DEADLINE when threads go on
   */
  async pause(): Promise<void> {
    this.signal("SIGSTOP");
    const { pid } = this;
    if (pid === undefined) return;
    for (const end = awakeMs() + PAUSE_MS; awakeMs() < end; await sleep(PAUSE_LOOK_MS)) {
      if (!(await runs(pid))) return;
    }
    this.signal("SIGCONT");
    throw new HarnessError("DEADLINE", {
      what: `process ${pid} did not stop within ${PAUSE_MS} ms of SIGSTOP`,
      next: "see whether something else wakes it, or hangs in the kernel",
    });
  }

  signal(signal: NodeJS.Signals): void {
    const pid = this.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // Gone in between.
    }
  }

  async kill(): Promise<void> {
    this.#isEnding = true;
    this.signal("SIGKILL");
    await this.#exit;
  }

  /** SIGTERM or what means the same to it, then SIGKILL when it takes too long. A paused process is woken first. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#pid === undefined) return;
    this.#isEnding = true;
    this.signal("SIGCONT");
    this.signal(signal);
    const timer = setTimeout(() => this.signal("SIGKILL"), STOP_GRACE_MS);
    await this.#exit;
    clearTimeout(timer);
  }
}

function spawned({ command, args, account }: ChildOptions): Begin {
  return async ({ cwd, env, logFile }) => {
    const log = openSync(logFile, "a");
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ["ignore", log, log],
      detached: true,
      ...account,
    });
    closeSync(log);
    const exit = new Promise<string>((resolve) => {
      child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
      child.once("error", (error) => resolve(error.message));
    });
    if (child.pid !== undefined) return { pid: child.pid, exit };
    throw new HarnessError("HS_DID_NOT_START", {
      what: `${command} could not be started`,
      facts: [await exit],
      next: "check that the file exists and can be executed",
    });
  };
}

/** Whether a thread of it is not stopped. False without /proc, and for a process that is gone. */
async function runs(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const states = threads.map(async (thread) => {
    const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, "utf8").catch(() => undefined);
    return stat === undefined ? "X" : (fieldsOf(stat)[0] ?? "");
  });
  return (await Promise.all(states)).some((state) => !STOPPED.includes(state));
}

/** From the third on: the second, a name in parentheses, may hold anything. */
function fieldsOf(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Last lines of a file that may be large; reads at most its last 256 KiB. */
export async function tailFile(file: string, count: number): Promise<string[]> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, "r");
    const { size } = await handle.stat();
    const length = Math.min(size, 256 * 1024);
    const buffer = Buffer.alloc(length);
    await handle.read(buffer, 0, length, size - length);
    const lines = buffer.toString("utf8").split("\n");
    return lines.filter((line) => line !== "").slice(-count);
  } catch {
    return [];
  } finally {
    await handle?.close();
  }
}
