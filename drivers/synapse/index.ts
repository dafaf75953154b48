/** Synapse as a child process, from PyPI; SQLite by default. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { freeAddress } from "#drivers/substrates/process/address";
import {
  type Postgres,
  type PostgresOptions,
  startPostgres,
} from "#drivers/substrates/process/postgres";
import { serve } from "#drivers/substrates/process/served";
import { mountSmallDisk } from "#drivers/substrates/process/small-disk";
import { registerBySharedSecret } from "#drivers/substrates/shared-secret";
import { bytes } from "#harness/config/values";
import {
  defineDriver,
  type PrepareContext,
  type RunningServer,
  type StartContext,
} from "#harness/deployment/contract";
import { describe, HarnessError } from "#harness/errors";
import { pythonEnvironment, pythonVersionIn } from "#harness/python/environment";
import { didYouMean } from "#harness/suggest";
import { accountsAt, administrationAt } from "./administration.ts";
import {
  type ConfigurationPlan,
  FEATURES,
  SETTINGS_FILES,
  writeConfiguration,
} from "./configuration.ts";
import { forked } from "./fork-server.ts";
import { prepareSetting, restartSettingsOf } from "./restart-settings.ts";
import { argumentsOf, hasWrongTime } from "./starter.ts";
import { makeTemplate, templatePath } from "./template.ts";
import {
  canDelegate,
  checkedVersion,
  DEFAULT_VERSION,
  delegationOf,
  hasMasCalls,
  packagesOf,
} from "./versions.ts";

/** Told in the run header, since a default Synapse behaves differently. */
const SETTINGS = [
  "rate limits raised out of reach",
  "caches.sync_response_cache_duration 0",
  "federation retries within 2 s",
  "open registration, guests, refresh tokens, presence, room list publication allowed",
  "ip_range_blacklist empty, trusted_key_servers empty",
  "msc4075, msc4143, msc4222, msc4306, msc4354, delayed events and include_profile_updates_in_sync on",
];

const DATABASES = ["sqlite", "postgres"];

const preparations = new Map<string, Promise<string>>();

export const synapse = defineDriver({
  name: "synapse",
  usage: [
    "process:synapse",
    `process:synapse@${DEFAULT_VERSION}`,
    "process:synapse=<path to a python with synapse>",
  ],
  accepts: ({ substrate, driver }) => substrate === "process" && driver === "synapse",
  check: (spec) => {
    databaseOf(spec);
    diskOf(spec);
    settingsOf(spec);
    if (spec.binary === undefined) checkedVersion(spec.version);
  },
  delegatesAuth: (spec) => {
    const release = releaseOf(spec);
    if (!canDelegate(release)) return undefined;
    return delegationOf(release) === "matrix_authentication_service" ? "bearer" : "client";
  },
  prepare: async (spec, context) => {
    await prepare(spec, context);
  },
  start,
});

/** Undefined: whatever a given Python has. */
function releaseOf({ binary, version }: StartContext["spec"]): string | undefined {
  return binary === undefined ? checkedVersion(version) : undefined;
}

function databaseOf({ options }: StartContext["spec"]): string {
  const kind = options.get("database") ?? "sqlite";
  if (DATABASES.includes(kind)) return kind;
  throw new HarnessError("BAD_USAGE", {
    what: `process:synapse has no database ${kind}`,
    next: didYouMean(kind, DATABASES),
  });
}

/** What `with=frozen-dicts` sets beside what every server gets. */
function settingsOf({ options }: StartContext["spec"]): readonly string[] {
  const asked = options.get("with")?.split("+") ?? [];
  const unknown = asked.find((name) => !SETTINGS_FILES.includes(name));
  if (unknown === undefined) return asked;
  throw new HarnessError("BAD_USAGE", {
    what: `process:synapse has no settings ${unknown}`,
    next: didYouMean(unknown, SETTINGS_FILES),
  });
}

/** Bytes of the disk that `disk=256M` asks for; undefined: as much as there is. */
function diskOf({ options }: StartContext["spec"]): number | undefined {
  const asked = options.get("disk");
  if (asked === undefined) return undefined;
  try {
    return bytes(asked);
  } catch (cause) {
    throw new HarnessError("BAD_USAGE", {
      what: `process:synapse has no disk of ${asked}`,
      facts: [describe(cause)],
      next: "for example process:synapse,disk=256M",
      cause,
    });
  }
}

/** The Python that has this release; two servers of one release prepare it once. */
function prepare(spec: StartContext["spec"], context: PrepareContext): Promise<string> {
  if (spec.binary !== undefined) return Promise.resolve(spec.binary);
  const version = checkedVersion(spec.version);
  let preparation = preparations.get(version);
  if (preparation === undefined) {
    preparation = (async () => {
      const python = await synapsePython(version, context);
      await makeTemplate(python, version, context);
      return python;
    })();
    preparations.set(version, preparation);
  }
  return preparation;
}

/** The Python of an environment with this release, the default one unless given; installed when it is not there yet. */
export function synapsePython(
  version: string | undefined,
  context: PrepareContext,
): Promise<string> {
  const release = checkedVersion(version);
  const packages = packagesOf(release);
  // Other pins make another environment, so that a cached one is never stale.
  const pins = createHash("sha256").update(packages.join()).digest("hex").slice(0, 6);
  return pythonEnvironment({ name: ["synapse", `${release}-${pins}`], packages, ...context });
}

async function start(context: StartContext): Promise<RunningServer> {
  const { role, spec, features, workFolder, network, auth, rtc } = context;
  const unknown = features.filter((feature) => !FEATURES.includes(feature));
  if (unknown.length > 0) {
    throw new HarnessError("INTERNAL", { what: `synapse can not switch on ${unknown.join(", ")}` });
  }
  const kind = databaseOf(spec);
  const python = await prepare(spec, context);
  const release = releaseOf(spec);
  const address = await freeAddress();
  const sharedSecret = randomBytes(16).toString("hex");
  const data = path.join(workFolder, "data");
  const databaseFile = path.join(data, "homeserver.db");
  await using started = new AsyncDisposableStack();
  const size = diskOf(spec);
  const disk = size === undefined ? undefined : started.use(await mountSmallDisk(workFolder, size));
  await mkdir(path.join(data, "media"), { recursive: true });
  const postgres =
    kind === "postgres" ? started.use(await startPostgres(postgresOptions(context))) : undefined;
  const template = templatePath(checkedVersion(spec.version));
  if (postgres === undefined && spec.binary === undefined && existsSync(template)) {
    await copyFile(template, databaseFile);
  }
  const serverName = `${role}:8448`;
  const plan: ConfigurationPlan = {
    folder: data,
    ...address,
    serverName,
    sharedSecret,
    features,
    settings: settingsOf(spec),
    network,
    auth,
    delegation: delegationOf(release),
    rtc,
    database:
      postgres === undefined
        ? { name: "sqlite3", args: { database: databaseFile } }
        : { name: "psycopg2", args: postgresArguments(postgres) },
  };
  const configuration = writeConfiguration(plan);
  const proxy = `http://127.0.0.1:${network.proxyPort}`;
  const args = ["-c", configuration];
  // A Python that was given is started as it is.
  let mayBeForked = process.platform === "linux" && spec.binary === undefined;
  if (hasWrongTime(role, features)) mayBeForked = false;
  const { child, capabilities, tryAgain } = await serve(context, {
    command: python,
    args: [...argumentsOf(role, features), ...args],
    begunBy: () => (mayBeForked ? forked({ python, role, args }) : undefined),
    cwd: data,
    env: { https_proxy: proxy, HTTPS_PROXY: proxy, no_proxy: "127.0.0.1,localhost" },
    address,
  });
  const copyOf = (name: string) => path.join(workFolder, `copy-${name}`);
  const mustBeStopped = () => {
    if (!child.isRunning) return;
    throw new HarnessError("INTERNAL", {
      what: `${role} must be stopped before its data is copied or replaced`,
    });
  };
  const pythonVersion = pythonVersionIn(python);
  const owned = started.move();
  return {
    role,
    serverName,
    client: () => address,
    federation: () => address,
    settings: [
      ...SETTINGS,
      ...(pythonVersion === undefined ? [] : [`on Python ${pythonVersion}`]),
      ...(auth === undefined
        ? []
        : [`accounts and tokens left to an auth service (${delegationOf(release)})`]),
      ...(rtc === undefined ? [] : ["matrix_rtc.transports set"]),
      ...(rtc?.registration === undefined ? [] : ["msc4512 and msc4502 on for the RTC service"]),
      ...(size === undefined ? [] : [`disk of ${spec.options.get("disk")}`]),
      ...settingsOf(spec).map((name) => `settings ${name}`),
      ...features.map((feature) => `feature ${feature}`),
    ],
    capabilities: {
      ...capabilities,
      ...(postgres === undefined
        ? {}
        : { hasDatabase: { restartDatabase: () => postgres.restart() } }),
      ...(disk === undefined ? {} : { fillsDisk: { fill: disk.fill, free: disk.free } }),
      registersUsers: {
        register: (localpart, password, options) =>
          registerBySharedSecret({
            baseUrl: `http://${address.host}:${address.port}`,
            secret: sharedSecret,
            localpart,
            password,
            admin: options?.admin ?? false,
          }),
      },
      configuresFeatures: { features: FEATURES },
      ...administrationAt(address),
      // Older ones have to make what their auth service asks for in this way.
      ...(hasMasCalls(release) ? { makesAccounts: accountsAt(address, serverName) } : {}),
      restartsWith: {
        settings: restartSettingsOf(auth),
        restartWith: async (setting) => {
          const isOurs = spec.binary === undefined;
          await prepareSetting(setting, { ...context, python, isOurs });
          // What this added its fork server has not read.
          mayBeForked = false;
          writeConfiguration({ ...plan, setting });
          return await tryAgain();
        },
      },
      ...(process.platform === "linux" ? { usesCpu: { cpuMs: () => child.cpuMs() } } : {}),
      // A running database's folder can not be copied like a file.
      ...(postgres === undefined
        ? {
            snapshotsData: {
              snapshot: async (name) => {
                mustBeStopped();
                await rm(copyOf(name), { recursive: true, force: true });
                await cp(data, copyOf(name), { recursive: true });
              },
              restore: async (name) => {
                mustBeStopped();
                await rm(data, { recursive: true, force: true });
                await cp(copyOf(name), data, { recursive: true });
              },
            },
          }
        : {}),
    },
    [Symbol.asyncDispose]: async () => {
      // Nobody reads its data again: an orderly stop would only take time.
      await child.kill();
      await owned.disposeAsync();
      await rm(workFolder, { recursive: true, force: true });
    },
  };
}

function postgresOptions({
  workFolder,
  logFile,
  registerProcess,
  signal,
}: StartContext): PostgresOptions {
  return { folder: workFolder, logFile: `${logFile}.postgres`, onSpawn: registerProcess, signal };
}

function postgresArguments({ host, port, user, database }: Postgres): Record<string, unknown> {
  return { host, port, user, database, cp_min: 2, cp_max: 10 };
}
