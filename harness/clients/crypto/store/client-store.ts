/**
 * Where a client keeps its keys on disk: a folder of its own, which outlives its process and can be put back to what it
 * was. Two machines on one store destroy each other's sessions and no library locks it, so a second one is refused unless
 * a scenario is about just that.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { deserialize, serialize } from "node:v8";
import { HarnessError } from "#harness/errors";

/** A store as it was: what a backup of a machine or a filesystem's snapshot would hold. */
export interface StoreSnapshot {
  /** Part of its digest, to be told in logs. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export class ClientStore implements Disposable {
  readonly folder: string;
  /** Encrypts what is in it, base64: known to whoever has made the store, and never written. */
  readonly key: string;
  readonly #allowsTwo: boolean;
  readonly #holders = new Set<string>();

  private constructor(folder: string, key: string, allowsTwo: boolean) {
    this.folder = folder;
    this.key = key;
    this.#allowsTwo = allowsTwo;
  }

  /** @param options.allowsTwo for a scenario about two machines on one store */
  static create(options: { readonly allowsTwo?: boolean } = {}): ClientStore {
    const folder = mkdtempSync(path.join(tmpdir(), "crucible-client-"));
    return new ClientStore(folder, randomBytes(32).toString("base64"), options.allowsTwo ?? false);
  }

  /** @throws HarnessError BAD_USAGE when another machine runs on it */
  hold(machine: string): Disposable {
    const [other] = this.#holders;
    if (other !== undefined && !this.#allowsTwo) {
      throw new HarnessError("BAD_USAGE", {
        what: `${machine} can not run on a store on which ${other} runs`,
        facts: ["two machines on one store destroy each other's sessions"],
        next: "stop the other, or make the store with allowsTwo when that is what the scenario is about",
      });
    }
    this.#holders.add(machine);
    return { [Symbol.dispose]: () => this.#holders.delete(machine) };
  }

  get isEmpty(): boolean {
    return readdirSync(this.folder).length === 0;
  }

  snapshot(): StoreSnapshot {
    const files = readdirSync(this.folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => [name, readFileSync(path.join(this.folder, name))] as const);
    const bytes = serialize(new Map(files));
    return { name: createHash("sha256").update(bytes).digest("hex").slice(0, 16), bytes };
  }

  restore({ bytes }: StoreSnapshot): void {
    const files = deserialize(bytes) as Map<string, Uint8Array>;
    this.#clear();
    for (const [name, content] of files) {
      writeFileSync(path.join(this.folder, name), content, { mode: 0o600 });
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #clear(): void {
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
  }
}
