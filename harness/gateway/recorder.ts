import { createWriteStream, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { Exchange } from "./exchange.ts";

/** Writes exchanges to a trace file as NDJSON, in order of their end. */
export class Recorder {
  readonly file: string;
  readonly #stream: WriteStream;
  #failure: Error | undefined;
  count = 0;

  constructor(file: string) {
    this.file = file;
    this.#stream = createWriteStream(file, { flags: "a" });
    // A full disk must not end the run: the verdicts matter more than the trace.
    this.#stream.on("error", (error) => {
      this.#failure ??= error;
    });
  }

  record(exchange: Exchange): void {
    this.count++;
    if (this.#failure === undefined) this.#stream.write(`${JSON.stringify(exchange)}\n`);
  }

  /** Why the trace is incomplete, if it is. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  async close(): Promise<void> {
    if (this.#failure !== undefined) return;
    this.#stream.end();
    await finished(this.#stream).catch(() => undefined);
  }
}
