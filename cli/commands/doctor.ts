/** `crucible doctor`: what a run stands on, from the machine to the driver contract. Exit code 3 when it can not work. */
import { Command } from "commander";
import { probeMachine } from "#cli/doctor/machine";
import type { Probe } from "#cli/doctor/probe";
import { ownAddresses, probeCleanUp, probeDeployment } from "#cli/doctor/server";
import { ALL_DRIVERS, deploymentPlan, driversOf, prepare } from "#cli/drivers";
import { colour, print, printJson, remark } from "#cli/io";
import { containerSettings } from "#cli/run/containers";
import { DeploymentPool } from "#cli/run/control";
import { type Selected, select } from "#cli/run/select";
import { abortOnSignals } from "#cli/run/session";
import { addRunOptions, settingsOf } from "#cli/run-options";
import { settingsShown } from "#cli/settings-shown";
import { sweep } from "#cli/sweep";
import type { Resolved, Settings } from "#harness/config/settings";
import type { Deployment } from "#harness/deployment/deployment";
import { describe, HarnessError } from "#harness/errors";
import { newRunId } from "#harness/results/ids";
import { RunRegistry } from "#harness/runs/registry";
import { tameLine } from "#reports/finding";
import { withHelp } from "./options.ts";

interface Options {
  readonly json?: true;
  readonly start: boolean;
}

const PAINT = {
  ok: colour.green,
  warn: colour.yellow,
  fail: colour.red,
  skip: colour.dim,
} as const;
const NAME_WIDTH = 24;

export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("look at the machine, start one server, and try what every check stands on")
    .option("--json", "an object {ok, probes, deployment, settings, notices}")
    .option("--no-start", "look at the machine only");
  addRunOptions(command).action(async (options: Options, self: Command) => {
    await doctor(settingsOf(self), options);
  });
  return withHelp(command, "doctor", {
    notes: `It takes the flags of run, and prints what they, the environment and the configuration file resolve to. A server
is restarted and removed: this is the driver contract. Exit code 3 when a probe failed.`,
    examples: ["", "--hs docker:my-image --json", "--no-start"],
  });
}

async function doctor(resolved: Resolved, options: Options): Promise<void> {
  const { settings } = resolved;
  const selected = await select({ ...settings, topology: settings.topology ?? "one" }, []);
  const probes = [...(await probeMachine([...selected.servers.values()]))];
  const started = options.start ? await startAndProbe(settings, selected) : undefined;
  probes.push(...(started?.probes ?? []));
  const hasFailed = probes.some(({ state }) => state === "fail");
  if (hasFailed) process.exitCode = 3;
  if (options.json) {
    printJson({
      ok: !hasFailed,
      probes,
      deployment: started?.facts ?? null,
      settings: settingsShown(resolved),
      notices: resolved.notices,
    });
  } else show(probes, resolved);
}

interface Started {
  readonly probes: readonly Probe[];
  /** Absent when it did not start. */
  readonly facts: (Deployment["facts"] & { readonly features: readonly string[] }) | undefined;
}

async function startAndProbe(settings: Settings, selected: Selected): Promise<Started> {
  const { plan } = selected;
  await sweep({ drivers: driversOf(selected), withUnfinishedResults: false });
  await using registry = RunRegistry.open(newRunId());
  const { signal, release } = abortOnSignals(registry);
  const folder = registry.workFolder("doctor");
  try {
    await prepare(selected, { signal, progress: remark, isReuseAllowed: settings.fast });
    await using pool = new DeploymentPool(deploymentPlan("doctor", plan.topology.name, selected), {
      ...ALL_DRIVERS,
      registry,
      traceFolder: folder,
      logFolder: folder,
      containers: containerSettings(settings),
      startTimeoutMs: settings.spawnTimeoutMs,
      signal,
      progress: () => undefined,
      onDeath: (role, how) => remark(`${role} ended by itself: ${how}`),
    });
    const deployment = await pool.startMain();
    const deployed = [...deployment.servers.values()];
    const probes = await probeDeployment(deployment);
    const addresses = ownAddresses(deployed);
    await pool[Symbol.asyncDispose]();
    return {
      probes: [
        { name: "deployment", state: "ok", detail: deployment.facts.name },
        ...probes,
        ...(await probeCleanUp(deployed, addresses, registry.runId)),
      ],
      facts: { ...deployment.facts, features: [...deployment.features].sort() },
    };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return { probes: [failedStart(error)], facts: undefined };
  } finally {
    release();
  }
}

function failedStart(error: unknown): Probe {
  const isForeseen = error instanceof HarnessError;
  const detail = isForeseen ? [error.what, ...error.facts].join("\n") : describe(error);
  const next = isForeseen ? error.next : undefined;
  return { name: "start", state: "fail", detail, ...(next === undefined ? {} : { next }) };
}

function show(probes: readonly Probe[], resolved: Resolved): void {
  for (const { name, state, detail, next } of probes) {
    const [first = "", ...more] = detail.split("\n").map(tameLine);
    print(`${PAINT[state](state.padEnd(4))} ${name.padEnd(NAME_WIDTH)} ${first}`);
    for (const line of more) print(`     ${line}`);
    if (state !== "ok" && next !== undefined) print(`     ${colour.dim(`next: ${next}`)}`);
  }
  print();
  for (const [name, { value, origin }] of Object.entries(settingsShown(resolved))) {
    if (origin !== "default") print(`setting ${name} = ${JSON.stringify(value)} (${origin})`);
  }
  for (const notice of resolved.notices) print(`notice ${notice}`);
}
