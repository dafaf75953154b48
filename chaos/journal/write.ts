/** Writes a journal as things happen: one line at a time, so that a harness that dies loses at most the last one. */
import { closeSync, openSync, writeSync } from "node:fs";
import { describe, HarnessError } from "#harness/errors";
import type { JournalBody, JournalRecord } from "./record.ts";

export class JournalWriter implements Disposable {
  readonly file: string;
  /** All that was written, oldest first. */
  readonly records: JournalRecord[] = [];
  readonly #descriptor: number;
  readonly #onRecord: ((record: JournalRecord) => void) | undefined;
  #isClosed = false;

  /** @throws HarnessError BAD_USAGE when the file can not be made, or is there already */
  constructor(file: string, onRecord?: (record: JournalRecord) => void) {
    this.file = file;
    this.#onRecord = onRecord;
    try {
      this.#descriptor = openSync(file, "wx", 0o600);
    } catch (cause) {
      throw new HarnessError("BAD_USAGE", {
        what: `the journal can not be written: ${describe(cause)}`,
        next: "name a folder by --out that is empty, or is not there yet",
        cause,
      });
    }
  }

  /** After the end nothing more is written: what a client still hears then belongs to no story. */
  write(body: JournalBody, at = Date.now()): void {
    if (this.#isClosed) return;
    const record: JournalRecord = { seq: this.records.length + 1, at: Math.round(at), ...body };
    writeSync(this.#descriptor, `${JSON.stringify(record)}\n`);
    this.records.push(record);
    this.#onRecord?.(record);
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#descriptor);
  }
}
