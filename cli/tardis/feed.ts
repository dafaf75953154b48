/**
 * A file that grows, told to those who watch, as server-sent events (HTML standard, §9.2). Each reader gets as much as it
 * takes, out of the file itself: nothing is kept for one that is slow, and nobody waits for it.
 *
 * Events: `begin` (a file begins: `{name}`), `text` (more of it: a JSON string that may end within a line), `status` (how
 * things are now, whatever the caller makes of it), `end`. The id of `text` is where a reader that comes back goes on.
 */
import { closeSync, openSync, readSync } from "node:fs";
import type { Writable } from "node:stream";

const CHUNK_BYTES = 65_536;
const LAST_WORDS_MS = 2_000;

interface Source {
  /** From 1 on. */
  readonly number: number;
  readonly name: string;
  readonly descriptor: number;
}

export class Feed implements AsyncDisposable {
  readonly #readers = new Set<Reader>();
  #source: Source | undefined;
  #status: string | undefined;
  #isStirred = false;

  /** From now on this file is told. */
  begin(name: string, file: string): void {
    const before = this.#source;
    this.#source = { number: (before?.number ?? 0) + 1, name, descriptor: openSync(file, "r") };
    if (before !== undefined) closeSync(before.descriptor);
    this.stir();
  }

  /** The file has grown. Costs next to nothing, however often it is called. */
  stir(): void {
    if (this.#isStirred) return;
    this.#isStirred = true;
    setImmediate(() => {
      this.#isStirred = false;
      for (const reader of this.#readers) reader.pump(this.#source, this.#status);
    });
  }

  /** How things are now; what was said before is forgotten. */
  say(status: unknown): void {
    const text = JSON.stringify(status);
    if (text === this.#status) return;
    this.#status = text;
    this.stir();
  }

  get readers(): number {
    return this.#readers.size;
  }

  /**
   * Tells all there is and all that comes, until the stream is closed.
   *
   * @param lastId of what the reader has had before
   */
  attach(stream: Writable, lastId?: string): void {
    const reader = new Reader(stream, lastId);
    this.#readers.add(reader);
    stream.on("close", () => this.#readers.delete(reader));
    // A connection that breaks is the reader's business.
    stream.on("error", () => this.#readers.delete(reader));
    stream.on("drain", () => reader.pump(this.#source, this.#status));
    reader.pump(this.#source, this.#status);
  }

  /** Everyone is told the rest and that nothing more comes, for as long as a reader may take that is not stuck. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [...this.#readers].map((reader) => reader.end(this.#source, this.#status));
    const { promise: isLate, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LAST_WORDS_MS);
    await Promise.race([Promise.all(closed), isLate]);
    clearTimeout(timer);
    this.#readers.clear();
    if (this.#source !== undefined) closeSync(this.#source.descriptor);
    this.#source = undefined;
  }
}

class Reader {
  readonly #stream: Writable;
  #number = 0;
  #offset = 0;
  #status: string | undefined;
  #isLast = false;

  constructor(stream: Writable, lastId = "") {
    this.#stream = stream;
    const [, number, offset] = /^(\d{1,9})\.(\d{1,15})$/.exec(lastId) ?? [];
    this.#number = Number(number ?? 0);
    this.#offset = Number(offset ?? 0);
  }

  /** Writes until there is no more, or the stream takes no more. */
  pump(source: Source | undefined, status: string | undefined): void {
    while (!this.#stream.writableNeedDrain && !this.#stream.writableEnded) {
      if (source !== undefined && source.number !== this.#number) {
        this.#number = source.number;
        this.#offset = 0;
        this.#tell("begin", { name: source.name });
      } else if (status !== undefined && status !== this.#status) {
        this.#status = status;
        this.#stream.write(`event: status\ndata: ${status}\n\n`);
      } else if (source === undefined || !this.#more(source)) {
        if (!this.#isLast) return;
        this.#tell("end", {});
        this.#stream.end();
      }
    }
  }

  /** Resolves when the stream has taken everything, or is closed. */
  async end(source: Source | undefined, status: string | undefined): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#stream.once("finish", resolve).once("close", resolve);
    });
    this.#isLast = true;
    this.pump(source, status);
    if (!this.#stream.closed) await ended;
  }

  /** The next part of the file. False when there is none. */
  #more(source: Source): boolean {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    const read = readSync(source.descriptor, buffer, 0, CHUNK_BYTES, this.#offset);
    const whole = wholeCharacters(buffer.subarray(0, read));
    if (whole.length === 0) return false;
    this.#offset += whole.length;
    this.#tell("text", whole.toString("utf8"), `id: ${source.number}.${this.#offset}\n`);
    return true;
  }

  #tell(event: string, data: unknown, id = ""): void {
    this.#stream.write(`${id}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}

/** Without the beginning of a character at the end (UTF-8: at most three bytes). */
function wholeCharacters(bytes: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.subarray(0, bytes.length - back) : bytes;
  }
  return bytes;
}
