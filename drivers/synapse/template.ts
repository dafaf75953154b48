/**
 * An empty database of each release, made once: migrating it anew would take longer than everything else at start. Its
 * background updates have run, since they otherwise count along with what the first checks do (seen: wrong numbers of
 * members for rooms made in a server's first seconds).
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { freeAddress } from "#drivers/substrates/process/address";
import { Child, tailFile } from "#drivers/substrates/process/child";
import { waitUntilReady } from "#drivers/substrates/ready";
import { cacheFolder } from "#harness/cache";
import type { PrepareContext } from "#harness/deployment/contract";
import { runCommand } from "#harness/python/command";
import { writeConfiguration } from "./configuration.ts";

const TEMPLATE_TIMEOUT_MS = 120_000;
/** A release whose updates do not end in this time keeps what is left of them. */
const SETTLE_TIMEOUT_S = 60;
/** Waits until no background update is left in the database (argument 1), at most so many seconds (argument 2). */
const SETTLE = `
import sqlite3, sys, time
deadline = time.monotonic() + float(sys.argv[2])
while time.monotonic() < deadline:
    with sqlite3.connect(sys.argv[1], timeout=10) as database:
        (left,) = database.execute("SELECT count(*) FROM background_updates").fetchone()
    if left == 0:
        break
    time.sleep(0.1)
`;

/** Path of the release's empty SQLite database. */
export function templatePath(version: string): string {
  return path.join(cacheFolder("synapse-templates"), `${version}-settled.db`);
}

/** Starts the release once on an empty folder and keeps the database that it made. */
export async function makeTemplate(
  python: string,
  version: string,
  { signal, progress }: PrepareContext,
): Promise<void> {
  const target = templatePath(version);
  if (existsSync(target)) return;
  progress(`making the database template of Synapse ${version} (once)`);
  const folder = await mkdtemp(path.join(tmpdir(), "crucible-template-"));
  const logFile = path.join(folder, "homeserver.log");
  const database = path.join(folder, "homeserver.db");
  const address = await freeAddress();
  try {
    await mkdir(path.join(folder, "media"));
    const configuration = writeConfiguration({
      folder,
      ...address,
      serverName: "template:8448",
      sharedSecret: "template",
      features: [],
      network: undefined,
      database: { name: "sqlite3", args: { database } },
      isTemplate: true,
    });
    const child = new Child({
      command: python,
      args: ["-m", "synapse.app.homeserver", "-c", configuration],
      cwd: folder,
      env: {},
      logFile,
      onSpawn: () => undefined,
      onUnexpectedExit: () => undefined,
    });
    await child.start();
    try {
      await waitUntilReady({
        role: `Synapse ${version}`,
        address: () => address,
        timeoutMs: TEMPLATE_TIMEOUT_MS,
        signal,
        exit: child.exit,
        tail: () => tailFile(logFile, 20),
      });
      await runCommand(python, ["-c", SETTLE, database, String(SETTLE_TIMEOUT_S)], { signal });
    } finally {
      await child.stop();
    }
    const draft = `${target}.${process.pid}`;
    await copyFile(database, draft);
    await rename(draft, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
