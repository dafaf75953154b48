/**
 * A client of a call in a process of its own, which does no more than stay in it: it schedules its leave, joins, and restarts the
 * leave every so often (MSC4143 §Membership lifecycle). So its death is that of a process, and nothing is said before it.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { CheckFailure, HarnessError } from "#harness/errors";
import { isObject, numberAt, textAt } from "#harness/match/json";
import { compiledBefore } from "#harness/runs/compiled";
import type { Session } from "#harness/world/session";
import type { HeartbeatPlan } from "./heartbeat-child.ts";

/** When a leave was restarted, by the machine's clock: it was at some time between the two. */
export interface Beat {
  readonly askedAt: number;
  readonly answeredAt: number;
}

export class Heartbeat implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #who: string;
  readonly #beats: Beat[] = [];
  readonly #exit: Promise<void>;
  #end: Error | undefined;
  #changed = Promise.withResolvers<void>();

  private constructor({ userId }: Session, child: ChildProcessWithoutNullStreams) {
    this.#who = userId;
    this.#child = child;
    child.stdin.on("error", () => undefined);
    child.stderr.resume();
    createInterface({ input: child.stdout }).on("line", (line) => this.#told(JSON.parse(line)));
    this.#exit = new Promise((resolve) => {
      const end = (how: string) => {
        this.#end ??= new HarnessError("INTERRUPTED", {
          what: `the process of ${this.#who}'s client in a call has ended: ${how}`,
          next: "start the check again",
        });
        this.#changed.resolve();
        resolve();
      };
      child.once("close", (code, signal) => end(signal ?? `exit code ${code}`));
      child.once("error", (error) => end(error.message));
    });
  }

  /** @param plan all but who it is */
  static start(
    session: Session,
    plan: Pick<HeartbeatPlan, "join" | "leave" | "events" | "delayMs" | "intervalMs">,
  ): Heartbeat {
    const child = spawn(process.execPath, [childFile()], {
      stdio: "pipe",
      env: { PATH: process.env.PATH ?? "", NODE_NO_WARNINGS: "1", ...compiledBefore() },
      signal: session.context.signal,
      killSignal: "SIGKILL",
    });
    const heartbeat = new Heartbeat(session, child);
    const whole: HeartbeatPlan = {
      baseUrl: session.server.clientUrl,
      accessToken: session.accessToken,
      check: session.context.check,
      ...plan,
    };
    // It ends with its standard input: a run that dies leaves none behind.
    child.stdin.write(`${JSON.stringify(whole)}\n`);
    return heartbeat;
  }

  /**
   * Waits until the leave has been restarted so many times.
   *
   * @throws CheckFailure when the server refuses what it is asked for
   * @throws HarnessError DEADLINE when this machine was too slow to restart the leave in its delay
   */
  async untilBeats(count: number): Promise<void> {
    while (this.#beats.length < count) {
      if (this.#end !== undefined) throw this.#end;
      await this.#changed.promise;
    }
  }

  /** At once, with nothing said before it; returns the last restart that the server has answered. */
  async kill(): Promise<Beat> {
    this.#child.kill("SIGKILL");
    await this.#exit;
    const last = this.#beats.at(-1);
    if (last === undefined) throw this.#end;
    return last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exit;
  }

  #told(word: unknown): void {
    if (!isObject(word)) return;
    if (word.expected === undefined) {
      const [askedAt, answeredAt] = [numberAt(word, "askedAt"), numberAt(word, "answeredAt")];
      this.#beats.push({ askedAt, answeredAt });
    } else if (typeof word.lateMs === "number") {
      this.#end ??= new HarnessError("DEADLINE", {
        what: `${this.#who}'s client did not come to restart its leave for ${word.lateMs} ms`,
        next: "the machine has too much to do: give it less at a time",
      });
    } else {
      this.#end ??= new CheckFailure(textAt(word, "expected"), textAt(word, "actual"));
    }
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** As source, or compiled in the package that is published. */
function childFile(): string {
  const [, extension = "ts"] = /\.(\w+)$/.exec(import.meta.url) ?? [];
  return fileURLToPath(new URL(`./heartbeat-child.${extension}`, import.meta.url));
}
