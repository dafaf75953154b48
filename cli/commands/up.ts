/** `crucible up`: servers to try things on, until Ctrl-C. */
import { Command } from "commander";
import { ALL_DRIVERS, deploymentPlan, driversOf, prepare } from "#cli/drivers";
import { print, printJson, remark } from "#cli/io";
import { containerSettings } from "#cli/run/containers";
import { DeploymentPool, describeDeployment } from "#cli/run/control";
import { select } from "#cli/run/select";
import { abortOnSignals, untilAborted } from "#cli/run/session";
import { addRunOptions, SERVER_SETTINGS, settingsOf } from "#cli/run-options";
import { sweep } from "#cli/sweep";
import type { Resolved } from "#harness/config/settings";
import type { Deployment } from "#harness/deployment/deployment";
import { HarnessError } from "#harness/errors";
import { newRunId } from "#harness/results/ids";
import { RunRegistry } from "#harness/runs/registry";
import { withHelp } from "./options.ts";

interface Options {
  readonly users: string;
  readonly json?: true;
}

const NAMES = ["alice", "bob", "carol"];
const MAX_USERS = 100;

export function upCommand(): Command {
  const command = new Command("up")
    .description("start a topology behind the gateway, print URLs and tokens, wait for Ctrl-C")
    .option("--users <n>", "users to make on each server", "2")
    .option("--json", "an object {run, name, servers, users, trace, …}, then wait");
  addRunOptions(command, ["topology", "auth", "mas", "sfu", "rtcAuth", ...SERVER_SETTINGS]).action(
    async (options: Options, self: Command) => {
      await up(settingsOf(self), options);
    },
  );
  return withHelp(command, "up", {
    notes: "The tokens are printed for you to use; they end with the servers.",
    examples: [
      "--topology two",
      "--auth oidc",
      "--sfu livekit",
      "--hs process:synapse@1.150.0,database=postgres --json",
    ],
  });
}

async function up({ settings, notices }: Resolved, options: Options): Promise<void> {
  const count = userCount(options.users);
  const selected = await select({ ...settings, topology: settings.topology ?? "one" }, []);
  const { plan } = selected;
  for (const notice of notices) remark(notice);
  await sweep({ drivers: driversOf(selected), withUnfinishedResults: false });
  await using registry = RunRegistry.open(newRunId());
  const { signal, release } = abortOnSignals(registry);
  const folder = registry.workFolder("up");
  await prepare(selected, { signal, progress: remark, isReuseAllowed: settings.fast });
  await using pool = new DeploymentPool(deploymentPlan("up", plan.topology.name, selected), {
    ...ALL_DRIVERS,
    registry,
    traceFolder: folder,
    logFolder: folder,
    containers: containerSettings(settings),
    startTimeoutMs: settings.spawnTimeoutMs,
    signal,
    progress: remark,
    onDeath: (role, how) => remark(`${role} ended by itself: ${how}`),
  });
  const deployment = await pool.startMain();
  const started = {
    run: registry.runId,
    ...describeDeployment(deployment),
    users: await makeUsers(deployment, count),
    trace: deployment.traceFile,
    logs: [...deployment.servers.values()].map(({ logFile }) => logFile),
  };
  if (options.json) printJson(started);
  else show(started);
  remark("running until Ctrl-C");
  await untilAborted(signal);
  release();
}

function userCount(given: string): number {
  const count = Number(given);
  if (Number.isInteger(count) && count >= 0 && count <= MAX_USERS) return count;
  throw new HarnessError("BAD_USAGE", {
    what: `--users is ${given}`,
    next: `a whole number from 0 to ${MAX_USERS}`,
  });
}

interface User {
  readonly server: string;
  readonly userId: string;
  readonly accessToken: string;
  readonly deviceId: string;
  readonly password: string;
}

async function makeUsers(deployment: Deployment, count: number): Promise<readonly User[]> {
  const users: User[] = [];
  for (const { role, server } of deployment.servers.values()) {
    for (let index = 0; index < count; index++) {
      const password = crypto.randomUUID();
      const name = NAMES[index] ?? `user${index + 1}`;
      const registered = await server.capabilities.registersUsers?.register(name, password);
      if (registered !== undefined) users.push({ server: role, ...registered, password });
    }
  }
  return users;
}

function show(
  started: ReturnType<typeof describeDeployment> & {
    readonly users: readonly User[];
    readonly trace: string;
    readonly logs: readonly string[];
  },
): void {
  print(started.name);
  for (const { role, serverName, clientUrl, federationUrl, sfu, rtc } of started.servers) {
    print(`  ${role}  ${serverName}  client ${clientUrl}  federation ${federationUrl}`);
    if (sfu !== undefined) print(`  ${sfu.role}  ${sfu.websocketUrl}  HTTP API ${sfu.base}`);
    if (rtc !== undefined) print(`  ${rtc.role}  ${rtc.base}`);
  }
  for (const { userId, accessToken, password } of started.users) {
    print(`  ${userId}  token ${accessToken}  password ${password}`);
  }
  print(`  trace  ${started.trace}`);
  for (const file of started.logs) print(`  log    ${file}`);
}
