/** Commands with a witness in their processes, and a search for what it saw, for specs. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "vitest";
import { Sandbox } from "#cli/command-process";
import type { Seen } from "./notes.ts";

/** Two servers start, on a busy machine. */
export const PATIENCE = { timeout: 400_000 };

/** A content is looked for as it stands in JSON, and in JSON within JSON; its text is too short to be looked for alone. */
function formsOf([kind, text]: Seen): readonly string[] {
  if (!kind.includes("plaintext")) return [text];
  const { body } = JSON.parse(text) as { body?: unknown };
  const field = `"body":${JSON.stringify(body)}`;
  return [field, JSON.stringify(field).slice(1, -1)];
}

export class Watch implements Disposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "crucible-witness-"));
  readonly #file = path.join(this.#folder, "seen.ndjson");
  readonly #witness: string;

  /** @param witness file beside this one */
  constructor(witness: string) {
    this.#witness = pathToFileURL(path.join(import.meta.dirname, witness)).href;
    writeFileSync(this.#file, "");
  }

  sandbox(): Sandbox {
    const NODE_OPTIONS = `--import=${this.#witness}`;
    return new Sandbox({ NODE_OPTIONS, SECRETS_SEEN: this.#file, NODE_NO_WARNINGS: "1" });
  }

  seen(): readonly Seen[] {
    const lines = readFileSync(this.#file, "utf8").trimEnd().split("\n");
    const all = lines.map((line) => JSON.parse(line) as Seen);
    const open = new Set(all.filter(([kind]) => kind === "path").map(([, text]) => text));
    // What a cookie shares with the address of its page is no secret; its signature is.
    return all.filter(([kind, text]) => kind !== "path" && !(kind === "cookie" && open.has(text)));
  }

  /** Secrets that are in files of a folder: which kind, and where, never the secret. */
  found(folder: string): readonly string[] {
    const secrets = this.seen().map((one) => ({ kind: one[0], forms: formsOf(one) }));
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .flatMap(({ parentPath, name }) => {
        const text = readFileSync(path.join(parentPath, name), "utf8");
        const kinds = secrets
          .filter(({ forms }) => forms.some((form) => text.includes(form)))
          .map(({ kind }) => kind);
        return [...new Set(kinds)].map((kind) => `${kind} in ${path.join(parentPath, name)}`);
      });
  }

  /** The search would find each of them. */
  expectFindable(): void {
    const bare = mkdtempSync(path.join(this.#folder, "control-"));
    const place = path.join(bare, "planted.txt");
    for (const one of this.seen()) {
      writeFileSync(place, formsOf(one).at(-1) ?? "");
      expect(this.found(bare), one[0]).toContain(`${one[0]} in ${place}`);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
