/** One run: select, plan, deploy, check, and hand the verdicts on. `run` and `mutants` share it. */
import { mkdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { DRIVERS } from "#cli/drivers";
import { sweep } from "#cli/sweep";
import { assignServers, parseServerSpec, type ServerSpec } from "#harness/config/driver-spec";
import type { Resolved, Settings } from "#harness/config/settings";
import type { Deployment } from "#harness/deployment/deployment";
import { describe, HarnessError } from "#harness/errors";
import { type Catalogue, loadCatalogue } from "#harness/requirements/catalogue";
import { type CheckIndex, indexChecks } from "#harness/requirements/check-index";
import type { Requirement } from "#harness/requirements/requirement";
import { selectRequirements } from "#harness/requirements/select";
import { newRunId } from "#harness/results/ids";
import type { CheckResult, Evidence } from "#harness/results/outcome";
import { RunRegistry } from "#harness/runs/registry";
import { didYouMean } from "#harness/suggest";
import { serveControl } from "#harness/world/control";
import type { CheckReport, RunInfo } from "#harness/world/run-info";
import { TOPOLOGIES } from "#scenarios/topologies/topologies";
import { DeploymentPool, describeDeployment } from "./control.ts";
import { type CheckPlan, planChecks } from "./plan.ts";
import { Progress } from "./progress.ts";
import { abortOnSignals, ROOT, Verdicts } from "./session.ts";
import { runVitest } from "./vitest.ts";

export interface Selected {
  readonly catalogue: Catalogue;
  readonly plan: CheckPlan;
  readonly servers: ReadonlyMap<string, ServerSpec>;
}

/** Everything that can be wrong with a command line is found here, before anything starts. */
export async function select(settings: Settings, ids: readonly string[]): Promise<Selected> {
  const [catalogue, index] = await Promise.all([loadCatalogue(), indexChecks()]);
  const chosen = selectRequirements(catalogue, {
    ...(ids.length === 0 ? {} : { ids }),
    ...(settings.suite.length === 0 ? {} : { suites: settings.suite }),
    ...(settings.level.length === 0 ? {} : { levels: settings.level }),
  });
  const asked = settings.topology;
  const topology = TOPOLOGIES.find(({ name }) => name === asked);
  if (asked !== undefined && topology === undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `there is no topology ${asked}`,
      next: didYouMean(
        asked,
        TOPOLOGIES.map(({ name }) => name),
      ),
    });
  }
  const specs = settings.hs.map((text) => parseServerSpec(text));
  const known = new Set(TOPOLOGIES.flatMap((candidate) => candidate.servers));
  for (const { role } of specs) {
    if (role !== undefined && !known.has(role)) {
      throw new HarnessError("BAD_USAGE", {
        what: `no topology has a server ${role}`,
        next: didYouMean(role, known),
      });
    }
  }
  const requirements = sharded(chosen, index, settings.shard);
  const plan = planChecks(
    requirements,
    index.checks,
    TOPOLOGIES,
    topology ?? topologyForUrl(specs),
  );
  const servers = assignServers(specs, plan.topology.servers);
  for (const spec of servers.values()) {
    if (!DRIVERS.some((driver) => driver.accepts(spec))) {
      throw new HarnessError("BAD_USAGE", {
        what: `no driver starts ${spec.text}`,
        next: `known forms: ${DRIVERS.flatMap(({ usage }) => usage).join(", ")}`,
      });
    }
  }
  return { catalogue, plan, servers };
}

/** The i-th of n parts of the requirements that have checks; together the parts are all of them. */
function sharded(
  requirements: readonly Requirement[],
  { checks }: CheckIndex,
  shard: Settings["shard"],
): readonly Requirement[] {
  if (shard === undefined) return requirements;
  const checked = new Set(checks.map(({ id }) => id));
  return requirements
    .filter(({ id }) => checked.has(id))
    .filter((_, at) => at % shard.count === shard.index - 1);
}

/** One running server can not be two: without a second spec, only what one server shows is checked. */
function topologyForUrl(specs: readonly ServerSpec[]) {
  const isSingle =
    specs.length === 1 && specs[0]?.substrate === "url" && specs[0].role === undefined;
  return isSingle ? TOPOLOGIES.find(({ name }) => name === "one") : undefined;
}

export interface Execution {
  readonly selected: Selected;
  readonly resolved: Resolved;
  readonly mode: RunInfo["mode"];
  /** Requirements switched off, with the reason. */
  readonly disabled: (deployment: Deployment) => Readonly<Record<string, string>>;
  readonly runId: string;
  readonly seed: number;
  readonly runDirectory: { readonly path: string; readonly isNamedByUser: boolean };
  readonly onDeployed: (deployment: Deployment) => void;
  /** Turns a raw verdict into what is shown and kept (expectations). */
  readonly judge: (result: CheckResult, evidence: Evidence | undefined) => CheckResult;
  readonly onResult: (result: CheckResult, evidence: Evidence | undefined) => void;
}

export interface Executed {
  readonly deployment: Deployment["facts"] | undefined;
  readonly results: readonly CheckResult[];
  readonly evidence: readonly Evidence[];
  readonly reports: readonly CheckReport[];
  readonly wasInterrupted: boolean;
  /** Why nothing could be checked, when the servers did not start. */
  readonly trouble: unknown;
  readonly notes: readonly string[];
}

export function newRun(settings: Settings): Pick<Execution, "runId" | "seed" | "runDirectory"> {
  const runId = newRunId();
  return {
    runId,
    seed: settings.seed ?? Math.floor(Math.random() * 2 ** 32),
    runDirectory:
      settings.out === undefined
        ? { path: path.resolve(".runs", runId), isNamedByUser: false }
        : { path: path.resolve(settings.out), isNamedByUser: true },
  };
}

export async function execute(execution: Execution): Promise<Executed> {
  const { selected, resolved, runId, seed, mode } = execution;
  const { plan, servers } = selected;
  const { settings } = resolved;
  const notes: string[] = [];
  const swept = await sweep({
    drivers: DRIVERS.filter((driver) => usesDriver(servers, driver)),
    withUnfinishedResults: false,
  });
  await using registry = RunRegistry.open(runId, execution.runDirectory);
  const { signal, release } = abortOnSignals(registry);
  using progress = new Progress(plan.checks.length * settings.repeat);
  for (const line of swept.removed) progress.stage(`removed ${line}`);
  const traceFolder = path.join(execution.runDirectory.path, "trace");
  const logFolder = path.join(execution.runDirectory.path, "logs");
  for (const folder of [traceFolder, logFolder]) mkdirSync(folder, { recursive: true });
  await using pool = new DeploymentPool(
    { id: "main", topology: plan.topology.name, servers, features: [] },
    {
      drivers: DRIVERS,
      registry,
      traceFolder,
      logFolder,
      startTimeoutMs: settings.spawnTimeoutMs,
      signal,
      progress: (line) => progress.stage(line),
      onDeath: (role, how, tail) => {
        const line = `${role} ended by itself: ${how}`;
        notes.push(line);
        progress.note([line, ...tail.map((text) => `    ${text}`)].join("\n"));
      },
    },
  );
  const nothing = { deployment: undefined, results: [], evidence: [], reports: [], notes };
  try {
    let deployment: Deployment;
    try {
      await prepare(servers, signal, (line) => progress.stage(line));
      deployment = await pool.startMain();
    } catch (trouble) {
      return { ...nothing, wasInterrupted: signal.aborted, trouble };
    }
    execution.onDeployed(deployment);
    const verdicts = new Verdicts(deployment.facts.name, plan, settings.repeat);
    await using control = await serveControl(pool.control);
    const bail = new AbortController();
    let failures = 0;
    const judged: CheckResult[] = [];
    const keep = (raw: CheckResult, evidence: Evidence | undefined) => {
      const result = execution.judge(raw, evidence);
      judged.push(result);
      execution.onResult(result, evidence);
      progress.finished(result, () => verdicts.pending());
      if (result.outcome === "fail" && ++failures === settings.bail) bail.abort();
    };
    await runVitest({
      root: ROOT,
      files: plan.files,
      workers: Math.min(
        settings.workers,
        plan.files.length,
        Math.max(2, os.availableParallelism()),
      ),
      concurrency: settings.concurrency,
      signal: AbortSignal.any([signal, bail.signal]),
      onReport: (report) => {
        const { result, evidence } = verdicts.add(report, settings.repeat);
        keep(result, evidence);
      },
      onBroken: (what) => {
        verdicts.broke(what);
        progress.note(`the runner broke: ${what}`);
      },
      info: {
        runId,
        seed,
        timeoutScale: settings.timeoutScale,
        control: { url: control.url, token: control.token },
        deployment: describeDeployment(deployment),
        selected: Object.fromEntries(plan.requirements.map(({ id, needs }) => [id, needs])),
        disabled: execution.disabled(deployment),
        repeat: settings.repeat,
        retry: settings.retry,
        isolate: settings.isolate,
        mode,
      },
    });
    for (const missing of verdicts.close(signal.aborted || bail.signal.aborted))
      keep(missing, undefined);
    const hasFailed = judged.some(({ outcome }) => outcome === "fail" || outcome === "error");
    if ((settings.keep || (settings.keepOnFailure && hasFailed)) && !signal.aborted) {
      await keepRunning(deployment, signal, (line) => progress.note(line));
    }
    return {
      deployment: deployment.facts,
      results: judged,
      evidence: verdicts.evidence,
      reports: verdicts.reports,
      wasInterrupted: signal.aborted,
      trouble: undefined,
      notes,
    };
  } catch (trouble) {
    return {
      ...nothing,
      wasInterrupted: signal.aborted,
      trouble: signal.aborted ? signal.reason : trouble,
    };
  } finally {
    release();
  }
}

/** Makes what the servers need, each spec once. */
export async function prepare(
  servers: ReadonlyMap<string, ServerSpec>,
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<void> {
  const specs = new Map([...servers.values()].map((spec) => [spec.text, spec]));
  for (const spec of specs.values()) {
    await DRIVERS.find((driver) => driver.accepts(spec))?.prepare(spec, { signal, progress });
  }
}

function usesDriver(
  servers: ReadonlyMap<string, ServerSpec>,
  driver: (typeof DRIVERS)[number],
): boolean {
  return [...servers.values()].some((spec) => driver.accepts(spec));
}

async function keepRunning(
  deployment: Deployment,
  signal: AbortSignal,
  tell: (line: string) => void,
): Promise<void> {
  tell("the servers stay up until Ctrl-C:");
  for (const { role, links, server, logFile } of deployment.servers.values()) {
    tell(`  ${role} ${server.serverName} ${links.clientUrl} log ${logFile}`);
  }
  await new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}

export function troubleText(trouble: unknown): string {
  return trouble instanceof HarnessError ? trouble.message : describe(trouble);
}
