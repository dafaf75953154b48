/** The real command line as a child process, in a temporary folder of its own: for specs. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readRun, type StoredRun } from "#harness/results/run-directory";

const MAIN = path.resolve(import.meta.dirname, "main.ts");
const POLL_MS = 20;

export interface Ended {
  /** Exit code; undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder for runs and their temporary files, so that what others run and leave behind does not matter. */
export class Sandbox implements Disposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
  readonly #more: Readonly<Record<string, string>>;
  #runs = 0;

  /** @param more environment of all its commands */
  constructor(more: Readonly<Record<string, string>> = {}) {
    this.#more = more;
  }

  /** Runs a command to its end. */
  async crucible(...args: readonly string[]): Promise<Ended> {
    return await new CommandProcess(this, args, {}).ended;
  }

  /** Starts a command. */
  start(...args: readonly string[]): CommandProcess {
    return new CommandProcess(this, args, {});
  }

  /** Starts `run` with a run directory of its own. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): RunProcess {
    return new RunProcess(this, this.path(`run-${++this.#runs}`), args, env);
  }

  path(...names: readonly string[]): string {
    return path.join(this.folder, ...names);
  }

  /** Writes a file that is a shell script; returns its path. */
  script(name: string, ...lines: readonly string[]): string {
    const file = this.path(name);
    writeFileSync(file, ["#!/bin/sh", ...lines, ""].join("\n"));
    chmodSync(file, 0o755);
    return file;
  }

  /** Environment of commands: nothing of ours or Complement's from outside. */
  environment(): Record<string, string | undefined> {
    const outside = Object.entries(process.env).filter(
      ([name]) => !/^(?:CRUCIBLE_(?!CACHE)|COMPLEMENT_|VITEST|NODE_OPTIONS)/.test(name),
    );
    return { ...Object.fromEntries(outside), TMPDIR: this.folder, NO_COLOR: "1", ...this.#more };
  }

  /** Work folders of runs that still exist. */
  workFolders(): string[] {
    const root = this.path(`crucible-${userInfo().uid}`);
    return existsSync(root) ? readdirSync(root).map((name) => path.join(root, name)) : [];
  }

  /** Process ids of all that the runs with a work folder have started. */
  startedProcesses(): number[] {
    return this.workFolders().flatMap((folder) =>
      linesOf(path.join(folder, "children.ndjson")).map(
        (line) => (JSON.parse(line) as { pid: number }).pid,
      ),
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

class CommandProcess {
  readonly #child: ChildProcess;
  readonly #output = { stdout: "", stderr: "" };
  readonly ended: Promise<Ended>;

  constructor(sandbox: Sandbox, args: readonly string[], env: Readonly<Record<string, string>>) {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: sandbox.folder,
      env: { ...sandbox.environment(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = this.#output;
    child.stdout.on("data", (chunk: Buffer) => {
      output.stdout += chunk;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      output.stderr += chunk;
    });
    this.#child = child;
    this.ended = new Promise((resolve) =>
      child.once("close", (code) => resolve({ code: code ?? undefined, ...output })),
    );
  }

  /** Resolves when it has written this to standard error, with what it was. */
  async remarks(text: RegExp): Promise<readonly string[]> {
    await until(() => text.test(this.#output.stderr), String(text));
    return text.exec(this.#output.stderr) ?? [];
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

export class RunProcess extends CommandProcess {
  readonly directory: string;

  constructor(
    sandbox: Sandbox,
    directory: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ) {
    super(sandbox, ["run", ...args, "--out", directory, "--no-expect"], env);
    this.directory = directory;
  }

  /** Resolves when so many checks have a result on disk. */
  async hasResults(count: number, timeoutMs?: number): Promise<void> {
    const partial = path.join(this.directory, "results.partial.jsonl");
    await until(() => linesOf(partial).length > count, `${count} results`, timeoutMs);
  }

  results(): StoredRun {
    return readRun(this.directory);
  }

  /** Content of every file in the run directory, by name. */
  files(): ReadonlyMap<string, string> {
    const entries = readdirSync(this.directory, { recursive: true, withFileTypes: true });
    return new Map(
      entries
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => [name, readFileSync(path.join(parentPath, name), "utf8")]),
    );
  }

  /** `run.json`. */
  info(): Record<string, unknown> {
    return JSON.parse(readFileSync(path.join(this.directory, "run.json"), "utf8"));
  }
}

/** Waits for a condition. @throws Error with what was waited for, when it does not come true in time. */
async function until(condition: () => boolean, what: string, timeoutMs = 80_000) {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await sleep(POLL_MS);
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie has ended: only its parent has not looked yet.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function linesOf(file: string): string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").trimEnd().split("\n");
}
