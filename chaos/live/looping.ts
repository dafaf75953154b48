/** A client's loop of long polls, which can be told to catch up at once. */
import { setTimeout as sleep } from "node:timers/promises";

export interface PollOptions {
  /** How long the server may wait for news, milliseconds. */
  readonly waitMs: number;
  /** Ends the request. */
  readonly signal: AbortSignal;
}

/** What a poll came to: news, nothing new, or no use of an answer. */
export type Polled = "news" | "quiet" | "failed";

const LONG_POLL_MS = 10_000;
const PAUSE_AFTER_FAILURE_MS = 300;

/** Asks again and again until it is stopped; failures are part of the story. */
export class Looping implements AsyncDisposable {
  readonly #poll: (options: PollOptions) => Promise<Polled>;
  readonly #stopped = new AbortController();
  readonly #waiting: (() => void)[] = [];
  readonly #end: Promise<void>;
  #current = new AbortController();

  constructor(poll: (options: PollOptions) => Promise<Polled>) {
    this.#poll = poll;
    this.#end = this.#run();
  }

  /** Resolves when the server has nothing new, or after this time. */
  async catchUp(timeoutMs: number): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#waiting.push(resolve);
    this.#current.abort();
    await promise;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#end;
  }

  async #run(): Promise<void> {
    const stopped = this.#stopped.signal;
    while (!stopped.aborted) {
      const asking = this.#waiting.length;
      this.#current = new AbortController();
      const signal = AbortSignal.any([stopped, this.#current.signal]);
      const polled = await this.#poll({ waitMs: asking > 0 ? 0 : LONG_POLL_MS, signal }).catch(
        () => "failed" as const,
      );
      if (polled === "quiet") for (const done of this.#waiting.splice(0, asking)) done();
      if (polled === "failed" && !signal.aborted)
        await sleep(PAUSE_AFTER_FAILURE_MS, undefined, { signal: stopped }).catch(() => undefined);
    }
    for (const done of this.#waiting.splice(0)) done();
  }
}
