/** The user's script after each check, as Complement calls its post-test script. */
import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";
import { HarnessError } from "#harness/errors";
import { runCommand } from "#harness/python/command";

/** A script that takes longer is ended: it must not hold up the run for good. */
const TIMEOUT_MS = 60_000;

/** @throws HarnessError BAD_USAGE when it is no file that can be executed. */
export function requireScript(file: string): void {
  try {
    if (!statSync(file).isFile()) throw new Error("it is no file");
    accessSync(file, constants.X_OK);
  } catch (cause) {
    throw new HarnessError("BAD_USAGE", {
      what: `the post-test script ${file} can not be run`,
      facts: [cause instanceof Error ? cause.message : String(cause)],
      next: "name an executable file; it gets a container id or role, a check, and whether it failed",
      cause,
    });
  }
}

export interface PostTestOptions {
  readonly script: string;
  /** Of each server of the deployment: container id, or role. */
  readonly servers: readonly string[];
  readonly signal: AbortSignal;
  /** What the script prints, line by line. */
  readonly onOutput: (line: string) => void;
  /** That it failed; never more than a remark. */
  readonly onProblem: (text: string) => void;
}

/** Runs the script for ended checks, one after another, while the checks go on; dispose waits for the last one. */
export class PostTest implements AsyncDisposable {
  readonly #options: PostTestOptions;
  #queue: Promise<void> = Promise.resolve();

  constructor(options: PostTestOptions) {
    this.#options = options;
  }

  checkEnded(check: string, hasFailed: boolean): void {
    this.#queue = this.#queue.then(async () => {
      for (const server of this.#options.servers) await this.#run(server, check, hasFailed);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue;
  }

  async #run(server: string, check: string, hasFailed: boolean): Promise<void> {
    const { script, signal, onOutput, onProblem } = this.#options;
    if (signal.aborted) return;
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const { code, output } = await runCommand(
      path.resolve(script),
      [server, check, String(hasFailed)],
      { signal: AbortSignal.any([signal, timeout]), onLine: onOutput },
    );
    if (code === 0 || signal.aborted) return;
    const why = timeout.aborted
      ? `took longer than ${TIMEOUT_MS} ms`
      : code === undefined
        ? `could not be run: ${output}`
        : `ended with exit code ${code}`;
    onProblem(`the post-test script ${why} (${server}, ${check}, ${hasFailed})`);
  }
}
