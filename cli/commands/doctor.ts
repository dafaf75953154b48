import { Command } from "commander";
import { type Probe, probeMachine } from "#cli/doctor/machine";
import { probeDeployment } from "#cli/doctor/server";
import { DRIVERS } from "#cli/drivers";
import { colour, print, printJson, remark } from "#cli/io";
import { containerSettings } from "#cli/run/containers";
import { DeploymentPool } from "#cli/run/control";
import { prepare } from "#cli/run/execute";
import { abortOnSignals } from "#cli/run/session";
import { addRunOptions, settingsOf } from "#cli/run-options";
import { sweep } from "#cli/sweep";
import { assignServers, parseServerSpec } from "#harness/config/driver-spec";
import { kebab, type Resolved, type SettingName } from "#harness/config/settings";
import { describe, HarnessError } from "#harness/errors";
import { newRunId } from "#harness/results/ids";
import { RunRegistry } from "#harness/runs/registry";
import { TOPOLOGIES } from "#scenarios/topologies/topologies";

const PAINT = { ok: colour.green, warn: colour.yellow, fail: colour.red } as const;

export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("look at the machine, start one server, and try what every check stands on")
    .option("--json", "print probes and resolved settings as JSON")
    .option("--no-start", "look at the machine only")
    .addHelpText(
      "after",
      `
Examples:
  crucible doctor
  crucible doctor --hs docker:my-image --json
  crucible doctor --no-start`,
    );
  return addRunOptions(command).action(
    async (options: { json?: boolean; start: boolean }, self: Command) => {
      await doctor(settingsOf(self), options);
    },
  );
}

async function doctor(
  resolved: Resolved,
  options: { json?: boolean; start: boolean },
): Promise<void> {
  const { settings, origins, notices } = resolved;
  const topology = TOPOLOGIES.find(({ name }) => name === (settings.topology ?? "one"));
  const servers = assignServers(
    settings.hs.map((text) => parseServerSpec(text)),
    topology?.servers ?? ["hs1"],
  );
  const probes: Probe[] = [...(await probeMachine())];
  let deploymentFacts: unknown;
  if (options.start) {
    await sweep({ drivers: DRIVERS, withUnfinishedResults: false });
    await using registry = RunRegistry.open(newRunId());
    const { signal, release } = abortOnSignals(registry);
    const folder = registry.workFolder("doctor");
    try {
      await prepare(servers, signal, remark);
      await using pool = new DeploymentPool(
        { id: "doctor", topology: topology?.name ?? "one", servers, features: [] },
        {
          drivers: DRIVERS,
          registry,
          traceFolder: folder,
          logFolder: folder,
          containers: containerSettings(settings),
          startTimeoutMs: settings.spawnTimeoutMs,
          signal,
          progress: () => undefined,
          onDeath: (role, how) => remark(`${role} ended by itself: ${how}`),
        },
      );
      const deployment = await pool.startMain();
      deploymentFacts = { ...deployment.facts, features: [...deployment.features].sort() };
      probes.push({ name: "deployment", state: "ok", detail: deployment.facts.name });
      probes.push(...(await probeDeployment(deployment)));
    } catch (error) {
      const next = error instanceof HarnessError ? error.next : undefined;
      probes.push({
        name: "start",
        state: "fail",
        detail: describe(error),
        ...(next === undefined ? {} : { next }),
      });
    } finally {
      release();
    }
  }
  const hasFailed = probes.some(({ state }) => state === "fail");
  if (options.json === true) {
    const rows = Object.entries(settings).map(([name, value]) => [
      kebab(name),
      { value: value ?? null, origin: origins[name as SettingName] },
    ]);
    printJson({
      ok: !hasFailed,
      probes,
      deployment: deploymentFacts ?? null,
      settings: Object.fromEntries(rows),
      notices,
    });
  } else {
    for (const { name, state, detail, next } of probes) {
      print(`${PAINT[state](state.padEnd(4))} ${name.padEnd(24)} ${detail}`);
      if (state !== "ok" && next !== undefined) print(`     ${colour.dim(`next: ${next}`)}`);
    }
    print();
    for (const [name, origin] of Object.entries(origins)) {
      if (origin !== "default")
        print(
          `setting ${kebab(name)} = ${JSON.stringify(settings[name as SettingName])} (${origin})`,
        );
    }
    for (const notice of notices) print(`notice ${notice}`);
  }
  if (hasFailed) process.exitCode = 3;
}
