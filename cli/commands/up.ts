import { Command } from "commander";
import { DRIVERS } from "#cli/drivers";
import { print, printJson, remark } from "#cli/io";
import { DeploymentPool, describeDeployment } from "#cli/run/control";
import { prepare } from "#cli/run/execute";
import { abortOnSignals } from "#cli/run/session";
import { sweep } from "#cli/sweep";
import { assignServers, parseServerSpec } from "#harness/config/driver-spec";
import { NO_CONTAINER_SETTINGS } from "#harness/deployment/contract";
import type { Deployment } from "#harness/deployment/deployment";
import { HarnessError } from "#harness/errors";
import { newRunId } from "#harness/results/ids";
import { RunRegistry } from "#harness/runs/registry";
import { didYouMean } from "#harness/suggest";
import { TOPOLOGIES } from "#scenarios/topologies/topologies";

interface UpOptions {
  readonly hs: readonly string[];
  readonly topology: string;
  readonly users: string;
  readonly json?: boolean;
}

export function upCommand(): Command {
  return new Command("up")
    .description("start a topology behind the gateway, print URLs and tokens, wait for Ctrl-C")
    .option("--hs <spec...>", "homeserver, as in run", [])
    .option("--topology <name>", "one, two or three servers", "one")
    .option("--users <n>", "users to make on each server", "2")
    .option("--json", "print what was started as JSON, then wait")
    .addHelpText(
      "after",
      `
The tokens are printed for you to use; they end with the servers.

Examples:
  crucible up --topology two
  crucible up --hs process:synapse@1.150.0,database=postgres --json`,
    )
    .action(up);
}

async function up(options: UpOptions): Promise<void> {
  const topology = TOPOLOGIES.find(({ name }) => name === options.topology);
  if (topology === undefined) {
    const known = TOPOLOGIES.map(({ name }) => name);
    throw new HarnessError("BAD_USAGE", {
      what: `there is no topology ${options.topology}`,
      next: didYouMean(options.topology, known),
    });
  }
  const count = Number(options.users);
  if (!Number.isInteger(count) || count < 0 || count > 100) {
    throw new HarnessError("BAD_USAGE", {
      what: `--users is ${options.users}`,
      next: "a whole number from 0 to 100",
    });
  }
  const servers = assignServers(
    options.hs.map((text) => parseServerSpec(text)),
    topology.servers,
  );
  await sweep({ drivers: DRIVERS, withUnfinishedResults: false });
  const runId = newRunId();
  await using registry = RunRegistry.open(runId);
  const { signal, release } = abortOnSignals(registry);
  const folder = registry.workFolder("up");
  await prepare(servers, signal, remark);
  await using pool = new DeploymentPool(
    { id: "up", topology: topology.name, servers, features: [] },
    {
      drivers: DRIVERS,
      registry,
      traceFolder: folder,
      logFolder: folder,
      containers: NO_CONTAINER_SETTINGS,
      startTimeoutMs: 120_000,
      signal,
      progress: remark,
      onDeath: (role, how) => remark(`${role} ended by itself: ${how}`),
    },
  );
  const deployment = await pool.startMain();
  const started = {
    run: runId,
    ...describeDeployment(deployment),
    trace: deployment.traceFile,
    users: await makeUsers(deployment, count),
  };
  if (options.json === true) printJson(started);
  else show(started);
  remark("running until Ctrl-C");
  await new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  release();
}

async function makeUsers(deployment: Deployment, count: number) {
  const users = [];
  for (const { role, server } of deployment.servers.values()) {
    for (const name of Array.from(
      { length: count },
      (_, index) => ["alice", "bob", "carol"][index] ?? `user${index}`,
    )) {
      const password = crypto.randomUUID();
      const registered = await server.capabilities.registersUsers?.register(name, password);
      if (registered !== undefined) users.push({ server: role, ...registered, password });
    }
  }
  return users;
}

function show(
  started: ReturnType<typeof describeDeployment> & {
    users: readonly { userId: string; accessToken: string; password: string }[];
    trace: string;
  },
): void {
  print(started.name);
  for (const { role, serverName, clientUrl, federationUrl } of started.servers) {
    print(`  ${role}  ${serverName}  client ${clientUrl}  federation ${federationUrl}`);
  }
  for (const { userId, accessToken, password } of started.users) {
    print(`  ${userId}  token ${accessToken}  password ${password}`);
  }
  print(`  trace  ${started.trace}`);
}
