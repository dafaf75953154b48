/** What a MAS that we start needs before it runs, wherever that is, and what it gives once it does. */
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { freeAddress } from "#drivers/substrates/process/address";
import { startPostgres } from "#drivers/substrates/process/postgres";
import type {
  AuthCapabilities,
  AuthStartContext,
  RunningAuthService,
} from "#harness/deployment/auth-contract";
import type { Address } from "#harness/deployment/contract";
import { managesAccounts, registersUsers } from "./accounts.ts";
import { AdminClient } from "./admin-client.ts";
import { ADMIN_CLIENT, configurationOf, settingsOf } from "./configuration.ts";
import { tokenLifetimeOf } from "./options.ts";

/** Where it tells that it is up. */
export const HEALTH = "/health";

export interface Prepared extends AsyncDisposable {
  /** File; it has secrets. */
  readonly configuration: string;
  readonly health: Address;
  /**
   * The service, once it runs; it owns what was prepared, and what else is in `started`.
   *
   * @param what that runs, for the run header
   */
  readonly running: (
    what: string,
    capabilities: Partial<AuthCapabilities>,
    started: AsyncDisposableStack,
  ) => RunningAuthService;
}

/** @param share as in `ConfigurationPlan` */
export async function prepare(context: AuthStartContext, share?: string): Promise<Prepared> {
  const { role, workFolder, homeserver } = context;
  await using preparing = new AsyncDisposableStack();
  preparing.defer(() => rm(workFolder, { recursive: true, force: true }));
  await mkdir(workFolder, { recursive: true });
  const postgres = preparing.use(
    await startPostgres({
      folder: workFolder,
      logFile: `${context.logFile}.postgres`,
      onSpawn: context.registerProcess,
      signal: context.signal,
    }),
  );
  const web = await freeAddress();
  const health = await freeAddress();
  const adminSecret = randomBytes(24).toString("hex");
  const tokenLifetimeS = tokenLifetimeOf(context.spec);
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
  const admin = new AdminClient({
    base: () => `http://${web.host}:${web.port}`,
    clientId: ADMIN_CLIENT,
    clientSecret: adminSecret,
  });
  const prepared = preparing.move();
  return {
    configuration,
    health,
    running: (what, capabilities, started) => {
      const owned = started.move();
      return {
        role,
        kind: "mas",
        address: () => web,
        settings: [`${what} with PostgreSQL`, ...settingsOf({ tokenLifetimeS })],
        capabilities: {
          ...capabilities,
          hasDatabase: { restartDatabase: () => postgres.restart() },
          registersUsers: registersUsers(admin, homeserver.serverName),
          managesAccounts: managesAccounts(admin),
        },
        [Symbol.asyncDispose]: () => owned.disposeAsync(),
      };
    },
    [Symbol.asyncDispose]: () => prepared.disposeAsync(),
  };
}
