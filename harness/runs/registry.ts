/**
 * What is alive, on disk: so that the next command can sweep what a killed one left behind.
 *
 * Each run has a work folder `<root>/crucible-<uid>/<run>/` with `owner.json` (process id and start time of the harness)
 * and `children.ndjson` (the same of each process that it started). Start times make a reused process id harmless.
 *
 * The root is the folder for temporary files, or memory where there is enough: what servers write there lives as long as
 * the run, and waiting for a disk was a fifth of a run's time. TMPDIR settles it.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  appendFileSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir, userInfo } from "node:os";
import path from "node:path";
import { HarnessError } from "#harness/errors";

interface Process {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat, or the empty string where there is no /proc. */
  readonly started: string;
}

interface Owner extends Process {
  /** Where the run writes its results, absolute. */
  readonly runDirectory?: string;
  /** The user named that folder: clean-up leaves it alone. */
  readonly isNamedByUser?: boolean;
}

export class RunRegistry implements AsyncDisposable {
  readonly runId: string;
  readonly folder: string;
  /** Leaves nothing behind when the harness ends without an orderly end: an error that nobody caught, a second Ctrl-C. */
  readonly #onExit = () => {
    for (const { pid } of childrenOf(this.folder).filter(isAlive)) killGroup(pid);
    try {
      removeFolder(this.folder);
    } catch {
      // A dying child still writes there: the next sweep takes the rest.
    }
  };

  private constructor(runId: string) {
    this.runId = runId;
    this.folder = path.join(workRoot(), runId);
  }

  /** @throws HarnessError NO_SPACE when the machine's temporary folder can not be written. */
  static open(runId: string, runDirectory?: { path: string; isNamedByUser: boolean }): RunRegistry {
    const registry = new RunRegistry(runId);
    try {
      mkdirSync(registry.folder, { recursive: true, mode: 0o700 });
      const owner: Owner = {
        ...identify(process.pid),
        ...(runDirectory === undefined
          ? {}
          : { runDirectory: runDirectory.path, isNamedByUser: runDirectory.isNamedByUser }),
      };
      writeFileSync(path.join(registry.folder, "owner.json"), JSON.stringify(owner));
    } catch (cause) {
      throw new HarnessError("NO_SPACE", {
        what: `the work folder ${registry.folder} can not be written`,
        facts: [String(cause)],
        next: "free space there, or set TMPDIR to a folder that can be written",
        cause,
      });
    }
    process.once("exit", registry.#onExit);
    return registry;
  }

  /** A new private folder inside the run's work folder. */
  workFolder(name: string): string {
    const folder = path.join(this.folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** Notes a started child; children lead their own process group. */
  addChild(pid: number): void {
    appendFileSync(path.join(this.folder, "children.ndjson"), `${JSON.stringify(identify(pid))}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#onExit);
    removeFolder(this.folder);
  }
}

export interface RegisteredRun {
  readonly runId: string;
  readonly isAlive: boolean;
  readonly runDirectory: string | undefined;
  readonly isNamedByUser: boolean;
}

export function registeredRuns(): RegisteredRun[] {
  return knownRoots()
    .filter((root) => existsSync(root))
    .flatMap((root) => readdirSync(root, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name, parentPath }) => {
      const owner = readJson<Owner>(path.join(parentPath, name, "owner.json"));
      return {
        runId: name,
        isAlive: owner !== undefined && isAlive(owner),
        runDirectory: owner?.runDirectory,
        isNamedByUser: owner?.isNamedByUser ?? true,
      };
    });
}

/** Ends what is left of a dead run and removes its work folder; tells what was removed. */
export async function sweepRun(runId: string): Promise<string[]> {
  const folders = knownRoots().map((root) => path.join(root, runId));
  const removed: string[] = [];
  const children = folders.flatMap(childrenOf).filter(isAlive);
  for (const child of children) {
    killGroup(child.pid);
    removed.push(`process ${child.pid} of run ${runId}`);
  }
  const deadline = Date.now() + 5_000;
  while (children.some(isAlive) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const folder of folders) removeFolder(folder);
  removed.push(`work folder of run ${runId}`);
  return removed;
}

/** Removes a run's work folder, and the file systems that are mounted below it. */
function removeFolder(folder: string): void {
  for (const target of mountedBelow(folder)) {
    // Lazily: a dying child may still use it.
    spawnSync("umount", ["-l", target], { stdio: "ignore" });
  }
  rmSync(folder, { recursive: true, force: true });
}

/** Mount points below a folder, the innermost first; none where there is no /proc. */
function mountedBelow(folder: string): string[] {
  if (!existsSync(folder) || !existsSync("/proc/self/mounts")) return [];
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => (line.split(" ")[1] ?? "").replaceAll("\\040", " "))
    .filter((target) => target.startsWith(`${folder}/`))
    .reverse();
}

/** SIGKILL to a child and all of its group; no error when it is gone. */
function killGroup(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, "SIGKILL");
    } catch {
      // Already gone, which is what was wanted.
    }
  }
}

/** What the run in this work folder has started, dead or alive. */
function childrenOf(folder: string): Process[] {
  return readLines<Process>(path.join(folder, "children.ndjson"));
}

/** Tells this registry from those of other machines, users and temporary folders that share a container engine. */
export function registryId(): string {
  const place = [hostname(), ...knownRoots()].join(":");
  return createHash("sha256").update(place).digest("hex").slice(0, 12);
}

/** Linux's folder in memory. */
const MEMORY = "/dev/shm";
/** Below this a folder in memory is left to others. */
const MIN_MEMORY_BYTES = 2 * 1024 ** 3;

/** Where runs may be, whatever room there is now. */
function knownRoots(): readonly string[] {
  const name = `crucible-${userInfo().uid}`;
  const isMemoryAllowed = process.env.TMPDIR === undefined && existsSync(MEMORY);
  return [tmpdir(), ...(isMemoryAllowed ? [MEMORY] : [])].map((root) => path.join(root, name));
}

/** Where a new run is. */
function workRoot(): string {
  const [first = tmpdir(), inMemory] = knownRoots();
  return inMemory !== undefined && hasRoom(MEMORY) ? inMemory : first;
}

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= MIN_MEMORY_BYTES;
  } catch {
    return false;
  }
}

function identify(pid: number): Process {
  return { pid, started: startTime(pid) ?? "" };
}

function isAlive({ pid, started }: Process): boolean {
  const now = startTime(pid);
  if (now !== undefined) return now === started;
  if (existsSync("/proc/self/stat")) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Start time of a process that is neither gone nor a zombie. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command in parentheses may hold spaces: count fields from its end.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return undefined;
  }
}

function readLines<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return line === "" ? [] : [JSON.parse(line) as T];
      } catch {
        // The line that was being written when the harness died.
        return [];
      }
    });
}
