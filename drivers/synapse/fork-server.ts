/**
 * A process that has read Synapse's modules and forks servers from itself: reading them takes more than half of a start. Asked
 * over its standard input, a JSON object a line:
 * `{"arguments":[…],"cwd":…,"env":{…},"log":…}` is answered by `{"begun":<pid>}`, in the order of asking, and at a process's end
 * `{"pid":<pid>,"code":<n>}` or `{"pid":<pid>,"signal":…}` follows. It ends, and all
 * that it began, when nobody can ask any more.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Begin, Begun } from "#drivers/substrates/process/child";
import { HarnessError } from "#harness/errors";

const PROGRAM = fileURLToPath(new URL("./fork_server.py", import.meta.url));
/** One without servers ends after so long. */
const IDLE_MS = 30_000;
/** How long it may take to begin a server; its first one waits until the modules are read. */
const BEGIN_MS = 120_000;
/** Of its standard error, for the message about one that died. */
const TAIL_LINES = 20;

const toldSchema = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ begun: z.number() }),
  z.object({ pid: z.number(), code: z.number() }),
  z.object({ pid: z.number(), signal: z.string() }),
]);

const alive = new Map<string, ForkServer>();

export interface Forked {
  /** Of a release that we installed. */
  readonly python: string;
  /** Each has a fork server of its own: what one was born with, like the seed of its hashes, servers of a room must not share. */
  readonly role: string;
  /** Of Synapse. */
  readonly args: readonly string[];
}

/** Begins a Synapse process. @throws HarnessError HS_DID_NOT_START when this Python can not read Synapse */
export function forked({ python, role, args }: Forked): Begin {
  return (plan) => {
    const key = `${role} ${python}`;
    let server = alive.get(key);
    if (server === undefined) {
      const fresh = new ForkServer(python, () => {
        if (alive.get(key) === fresh) alive.delete(key);
      });
      server = fresh;
      alive.set(key, server);
    }
    return server.begin({ ...plan, args });
  };
}

interface Waiting {
  readonly resolve: (begun: Begun) => void;
  readonly reject: (error: Error) => void;
}

class ForkServer {
  readonly #python: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #onGone: () => void;
  readonly #waiting: Waiting[] = [];
  readonly #running = new Map<number, (how: string) => void>();
  readonly #tail: string[] = [];
  #idle: NodeJS.Timeout | undefined;

  constructor(python: string, onGone: () => void) {
    this.#python = python;
    this.#onGone = onGone;
    this.#child = spawn(python, [PROGRAM], {
      stdio: "pipe",
      env: { PATH: process.env.PATH ?? "", LANG: "C.UTF-8" },
      // Ctrl-C is for us: we end the servers, and then nobody asks it any more.
      detached: true,
    });
    this.#child.once("error", (error) => this.#gone(error.message));
    this.#child.once("close", (code, signal) => this.#gone(signal ?? `exit code ${code}`));
    // Writing to one that has died is told by its end.
    this.#child.stdin.on("error", () => undefined);
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#told(line));
    createInterface({ input: this.#child.stderr }).on("line", (line) => {
      this.#tail.push(line);
      if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    });
  }

  begin({ args, cwd, env, logFile }: Parameters<Begin>[0] & Pick<Forked, "args">): Promise<Begun> {
    clearTimeout(this.#idle);
    this.#keepsUsAlive(true);
    const asked = { arguments: args, cwd, env, log: logFile };
    const late = setTimeout(() => {
      this.#gone(`it began none within ${BEGIN_MS / 1_000} s`);
      this.#child.kill("SIGKILL");
    }, BEGIN_MS);
    return new Promise<Begun>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${JSON.stringify(asked)}\n`);
    }).finally(() => clearTimeout(late));
  }

  #told(line: string): void {
    const told = toldSchema.parse(JSON.parse(line));
    if ("begun" in told) {
      const pid = told.begun;
      const exit = new Promise<string>((resolve) => this.#running.set(pid, resolve));
      this.#waiting.shift()?.resolve({ pid, exit });
    }
    if (!("pid" in told)) return;
    this.#running.get(told.pid)?.("signal" in told ? told.signal : `exit code ${told.code}`);
    this.#running.delete(told.pid);
    if (this.#running.size > 0 || this.#waiting.length > 0) return;
    this.#keepsUsAlive(false);
    this.#idle = setTimeout(() => {
      this.#onGone();
      this.#child.stdin.end();
    }, IDLE_MS).unref();
  }

  #gone(how: string): void {
    this.#onGone();
    clearTimeout(this.#idle);
    for (const { reject } of this.#waiting.splice(0)) {
      reject(
        new HarnessError("HS_DID_NOT_START", {
          what: `${this.#python} could not fork a Synapse: ${how}`,
          facts: [...this.#tail],
          next: "see whether this Python has Synapse and all that it needs",
        }),
      );
    }
    for (const [pid, resolve] of this.#running) {
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // Gone as well.
      }
      resolve(`its fork server ended (${how})`);
    }
    this.#running.clear();
  }

  /** Streams and process count as something to wait for, or not. */
  #keepsUsAlive(does: boolean): void {
    const { stdin, stdout, stderr } = this.#child;
    for (const each of [this.#child, stdin, stdout, stderr]) {
      const counted = each as { ref?: () => void; unref?: () => void };
      if (does) counted.ref?.();
      else counted.unref?.();
    }
  }
}
