/** The servers that plans are told to: started once, used for many stories. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { authServicesOf } from "#cli/auth-services";
import { AUTH_DRIVERS, DRIVERS, driversOf, prepare } from "#cli/drivers";
import { containerSettings } from "#cli/run/containers";
import { abortOnSignals } from "#cli/run/session";
import { sweep } from "#cli/sweep";
import { assignServers, parseServerSpec, type ServerSpec } from "#harness/config/driver-spec";
import type { Settings } from "#harness/config/settings";
import { Deployment } from "#harness/deployment/deployment";
import { HarnessError } from "#harness/errors";
import { newRunId } from "#harness/results/ids";
import { RunRegistry } from "#harness/runs/registry";
import { rolesOf } from "#scenarios/plan";

export interface Stage {
  readonly runId: string;
  readonly deployment: Deployment;
  /** Where everything about these stories goes. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

export interface StageOptions {
  readonly settings: Settings;
  /** How many: `hs1`, `hs2`, … */
  readonly servers: number;
  readonly progress: (line: string) => void;
  /** Whether every exchange is kept on disk; what concerns rooms is in journals in any case. Yes unless given. */
  readonly isTraced?: boolean;
  /** A server ended by itself. */
  readonly onTrouble: (line: string) => void;
}

/** Whether servers get auth services. */
export function hasAuth(settings: Pick<Settings, "auth" | "mas">): boolean {
  return authFlags(settings).length > 0;
}

/** The flags that give servers their auth services. */
export function authFlags({
  auth = "none",
  mas,
}: Pick<Settings, "auth" | "mas">): readonly string[] {
  return [
    ...(auth === "none" ? [] : ["--auth", auth]),
    ...(mas === undefined ? [] : ["--mas", mas]),
  ];
}

/** The specs of so many servers. @throws HarnessError BAD_USAGE */
function serversOf(settings: Settings, count: number): ReadonlyMap<string, ServerSpec> {
  const roles = rolesOf({ servers: count });
  const servers = assignServers(
    settings.hs.map((text) => parseServerSpec(text)),
    roles,
    roles,
  );
  for (const spec of servers.values()) {
    const driver = DRIVERS.find((candidate) => candidate.accepts(spec));
    if (driver === undefined || spec.substrate === "url") {
      throw new HarnessError("BAD_USAGE", {
        what: `chaos can not break ${spec.text}`,
        next: `it starts servers itself: ${DRIVERS.flatMap(({ usage }) => usage).join(", ")}`,
      });
    }
    driver.check?.(spec);
  }
  return servers;
}

/** Starts servers, hands them over, and takes them down whatever comes of it. */
export async function onStage<T>(
  { settings, servers: count, progress, onTrouble, isTraced = true }: StageOptions,
  use: (stage: Stage) => Promise<T>,
): Promise<T> {
  const servers = serversOf(settings, count);
  const auth = authServicesOf(settings, servers, []);
  const runId = newRunId();
  const isNamedByUser = settings.out !== undefined;
  const folder = path.resolve(settings.out ?? path.join(".runs", runId));
  const swept = await sweep({
    drivers: driversOf({ servers, auth }),
    withUnfinishedResults: false,
  });
  for (const line of swept.removed) progress(`removed ${line}`);
  mkdirSync(folder, { recursive: true });
  await using registry = RunRegistry.open(runId, { path: folder, isNamedByUser });
  const { signal, release } = abortOnSignals(registry, {
    doing: "stopping; the journal is written",
  });
  const logFolder = path.join(folder, "logs");
  const traceFolder = path.join(folder, "trace");
  for (const each of [logFolder, traceFolder]) mkdirSync(each, { recursive: true });
  try {
    await prepare({ servers, auth }, { signal, progress, isReuseAllowed: settings.fast });
    await using deployment = await Deployment.start(
      {
        id: "chaos",
        topology: `${count} servers`,
        servers,
        ...(auth && { auth }),
        features: [],
      },
      {
        drivers: DRIVERS,
        authDrivers: AUTH_DRIVERS,
        registry,
        traceFolder,
        isTraced,
        logFolder,
        containers: containerSettings(settings),
        startTimeoutMs: settings.spawnTimeoutMs,
        signal,
        progress,
        onDeath: (role, how, tail) => {
          onTrouble(`${role} ended by itself: ${how}`);
          progress(`${role} ended by itself: ${how}`);
          for (const line of tail) progress(`    ${line}`);
        },
      },
    );
    return await use({ runId, deployment, folder, signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    release();
  }
}
