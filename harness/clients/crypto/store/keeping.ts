/** What a client keeps beside its keys, and when all of it is on disk. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { writeIndexedDb } from "./indexeddb.ts";

/** How far a client has read its server's news. */
export interface Position {
  /** Token of `/sync`. */
  readonly since?: string | undefined;
  /** Position of a sliding sync connection; it does not outlive the process that made it. */
  readonly pos?: string | undefined;
  /** Token of the to-device extension. */
  readonly toDevice?: string | undefined;
}

export interface Keeping {
  position: Position;
  /** Returns when all that the engine knows now outlives the process. */
  persist(): Promise<void>;
  /** Moves on: what came before it, the server may forget. */
  moveTo(position: Position): void;
}

export class InMemory implements Keeping {
  position: Position = {};

  async persist(): Promise<void> {}

  moveTo(position: Position): void {
    this.position = position;
  }
}

/** In the folder of a ClientStore. */
export class OnDisk implements Keeping {
  position: Position = {};
  readonly #folder: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
    const file = path.join(folder, "position.json");
    if (existsSync(file)) this.position = JSON.parse(readFileSync(file, "utf8")) as Position;
  }

  static databaseIn(folder: string): string {
    return path.join(folder, "indexeddb");
  }

  persist(): Promise<void> {
    // One after the other: the later one writes the later state.
    this.#writing = this.#writing.then(() => writeIndexedDb(OnDisk.databaseIn(this.#folder)));
    return this.#writing;
  }

  moveTo(position: Position): void {
    this.position = position;
    const file = path.join(this.#folder, "position.json");
    writeFileSync(`${file}.draft`, JSON.stringify({ ...position, pos: undefined }), {
      mode: 0o600,
    });
    renameSync(`${file}.draft`, file);
  }
}
