/** A private PostgreSQL server for one homeserver: from the machine's packages, on loopback, data gone with the run. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { HarnessError } from "#harness/errors";
import { runCommand } from "#harness/python/command";
import { freeAddress } from "./address.ts";
import { Child, tailFile } from "./child.ts";

export interface Postgres extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Ends all connections, stops, and starts on the same data and port. */
  readonly restart: () => Promise<void>;
}

export interface PostgresOptions {
  readonly folder: string;
  readonly logFile: string;
  readonly onSpawn: (pid: number) => void;
  readonly signal: AbortSignal;
}

const DEBIAN_ROOT = "/usr/lib/postgresql";
const START_TIMEOUT_MS = 20_000;
const USER = "crucible";

/** @throws HarnessError BAD_CONFIG when PostgreSQL is not installed, HS_DID_NOT_START with its log. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const binaries = await findBinaries();
  const account = unprivileged();
  const data = path.join(options.folder, "postgres");
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (account !== undefined) {
    // PostgreSQL refuses to run as root; the folders above only have to be passed through.
    openPath(options.folder);
    chownSync(data, account.uid, account.gid);
  }
  const init = await runCommand(
    path.join(binaries, "initdb"),
    ["-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    { signal: options.signal, ...(account === undefined ? {} : { account }) },
  );
  if (init.code !== 0) throw trouble("initdb failed", init.output.split("\n").slice(-8));
  const { host, port } = await freeAddress();
  const child = new Child({
    command: path.join(binaries, "postgres"),
    // No fsync: nothing here has to outlive the machine, only the process.
    args: [
      "-D",
      data,
      "-h",
      host,
      "-p",
      String(port),
      "-k",
      data,
      "-F",
      "-c",
      "max_connections=60",
    ],
    cwd: data,
    env: {},
    logFile: options.logFile,
    onSpawn: options.onSpawn,
    onUnexpectedExit: () => undefined,
    ...(account === undefined ? {} : { account }),
  });
  const launch = async () => {
    await child.start();
    const deadline = Date.now() + START_TIMEOUT_MS;
    const asking = ["-q", "-h", host, "-p", String(port)];
    while ((await runCommand(path.join(binaries, "pg_isready"), asking)).code !== 0) {
      if (!child.isRunning || Date.now() > deadline || options.signal.aborted) {
        await child.kill();
        throw trouble("PostgreSQL did not start", await tailFile(options.logFile, 12));
      }
    }
  };
  await launch();
  return {
    host,
    port,
    user: USER,
    database: "postgres",
    restart: async () => {
      // Its fast shutdown: SIGTERM would wait for the homeserver to hang up.
      await child.stop("SIGINT");
      await launch();
    },
    [Symbol.asyncDispose]: () => child.kill(),
  };
}

async function findBinaries(): Promise<string> {
  const own = process.env.CRUCIBLE_POSTGRES_BIN;
  if (own !== undefined) return own;
  const packaged = existsSync(DEBIAN_ROOT)
    ? readdirSync(DEBIAN_ROOT)
        .sort((left, right) => Number(right) - Number(left))
        .map((version) => path.join(DEBIAN_ROOT, version, "bin"))
        .find((folder) => existsSync(path.join(folder, "initdb")))
    : undefined;
  if (packaged !== undefined) return packaged;
  const { code, output } = await runCommand("pg_config", ["--bindir"]);
  if (code === 0 && existsSync(path.join(output.trim(), "initdb"))) return output.trim();
  throw new HarnessError("BAD_CONFIG", {
    what: "database=postgres needs PostgreSQL's server programs",
    next: "install them (Debian, Ubuntu: apt install postgresql; macOS: brew install postgresql), or name their folder in CRUCIBLE_POSTGRES_BIN",
  });
}

/** The account to run as when we are root: `postgres` from the package, else `nobody`. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      const id = (flag: string) =>
        Number(execFileSync("id", [flag, name], { stdio: ["ignore", "pipe", "ignore"] }));
      return { uid: id("-u"), gid: id("-g") };
    } catch {
      // No such account: the next one.
    }
  }
  return undefined;
}

/** Lets others pass through a folder and its private parents, without letting them list it. */
function openPath(folder: string): void {
  for (
    let here = folder;
    path.basename(here).length > 0 && here.includes("crucible-");
    here = path.dirname(here)
  ) {
    chmodSync(here, 0o711);
  }
}

function trouble(what: string, facts: readonly string[]): HarnessError {
  return new HarnessError("HS_DID_NOT_START", {
    what,
    facts,
    next: "see the log of the database in the run directory",
  });
}
