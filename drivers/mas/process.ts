/** MAS as a child process, with a PostgreSQL of its own. */
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { freeAddress } from "#drivers/substrates/process/address";
import { Child, tailFile } from "#drivers/substrates/process/child";
import { startPostgres } from "#drivers/substrates/process/postgres";
import { waitUntilReady } from "#drivers/substrates/ready";
import type { AuthStartContext, RunningAuthService } from "#harness/deployment/auth-contract";
import { managesAccounts, registersUsers } from "./accounts.ts";
import { AdminClient } from "./admin-client.ts";
import { binaryOf, versionOf } from "./binary.ts";
import { ADMIN_CLIENT, configurationOf, settingsOf } from "./configuration.ts";
import { tokenLifetimeOf } from "./options.ts";

export async function startProcess(context: AuthStartContext): Promise<RunningAuthService> {
  const { role, spec, workFolder, logFile, homeserver } = context;
  const { program, share } = binaryOf(spec);
  const version = await versionOf(program);
  await using started = new AsyncDisposableStack();
  started.defer(() => rm(workFolder, { recursive: true, force: true }));
  await mkdir(workFolder, { recursive: true });
  const postgres = started.use(
    await startPostgres({
      folder: workFolder,
      logFile: `${logFile}.postgres`,
      onSpawn: context.registerProcess,
      signal: context.signal,
    }),
  );
  const web = await freeAddress();
  const health = await freeAddress();
  const adminSecret = randomBytes(24).toString("hex");
  const tokenLifetimeS = tokenLifetimeOf(spec);
  const { user, host, port, database } = postgres;
  const configuration = path.join(workFolder, "mas.yaml");
  const content = configurationOf({
    ...context,
    web,
    health,
    database: `postgresql://${user}@${host}:${port}/${database}`,
    adminSecret,
    tokenLifetimeS,
    share,
  });
  await writeFile(configuration, content, { mode: 0o600 });
  const child = new Child({
    command: program,
    args: ["server", "--config", configuration],
    cwd: workFolder,
    env: { CRUCIBLE_RUN: context.runId, NO_COLOR: "1" },
    logFile,
    onSpawn: context.registerProcess,
    onUnexpectedExit: context.onUnexpectedExit,
  });
  started.defer(() => child.kill());
  const launch = async () => {
    try {
      await child.start();
      await waitUntilReady({
        role,
        address: () => health,
        path: "/health",
        timeoutMs: context.startTimeoutMs,
        signal: context.signal,
        exit: child.exit,
        tail: () => tailFile(logFile, 20),
      });
    } catch (error) {
      await child.kill();
      throw error;
    }
  };
  await launch();
  const admin = new AdminClient({
    base: () => `http://${web.host}:${web.port}`,
    clientId: ADMIN_CLIENT,
    clientSecret: adminSecret,
  });
  const owned = started.move();
  return {
    role,
    kind: "mas",
    address: () => web,
    settings: [`MAS ${version} with PostgreSQL`, ...settingsOf({ tokenLifetimeS })],
    capabilities: {
      killable: { kill: () => child.kill() },
      pausable: {
        pause: async () => child.signal("SIGSTOP"),
        resume: async () => child.signal("SIGCONT"),
      },
      restartable: {
        restart: async () => {
          await child.stop();
          await launch();
        },
      },
      stoppable: {
        stop: () => child.stop(),
        start: async () => {
          if (!child.isRunning) await launch();
        },
      },
      hasLogs: { tail: (count) => tailFile(logFile, count) },
      hasDatabase: { restartDatabase: () => postgres.restart() },
      registersUsers: registersUsers(admin, homeserver.serverName),
      managesAccounts: managesAccounts(admin),
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
