/** Starts the workers of a search, and tells them to stop. */
import { Worker } from "node:worker_threads";
import type { WorkerStart } from "./messages.ts";

export function startWorker(workerData: WorkerStart): Worker {
  // Compiled in the published package.
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new Worker(new URL(`./worker.${ending}`, import.meta.url), { workerData });
}

/** What workers look at: set by the signal, and when it is disposed of. */
export class StopFlag implements Disposable {
  readonly shared = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#set);
    if (signal.aborted) this.#set();
  }

  [Symbol.dispose](): void {
    this.#set();
    this.#signal.removeEventListener("abort", this.#set);
  }

  readonly #set = () => {
    Atomics.store(this.shared, 0, 1);
  };
}
