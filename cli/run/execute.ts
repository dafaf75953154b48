/** One run: deploy, check, and hand the verdicts on. `run` and `mutants` share it. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { ALL_DRIVERS, deploymentPlan, driversOf, prepare } from "#cli/drivers";
import { sweep } from "#cli/sweep";
import { exitCodeOf } from "#cli/trouble";
import type { Resolved, Settings } from "#harness/config/settings";
import type { Feature } from "#harness/deployment/contract";
import type { Deployment } from "#harness/deployment/deployment";
import type { DeploymentPlan } from "#harness/deployment/plan";
import { requireVersion } from "#harness/deployment/required-version";
import type { CallFigure } from "#harness/results/call-figures";
import { newRunId } from "#harness/results/ids";
import type { CheckResult, Evidence } from "#harness/results/outcome";
import type { ReplayPages } from "#harness/results/replays";
import { RunRegistry } from "#harness/runs/registry";
import { serveControl } from "#harness/world/control";
import type { CheckReport, RunInfo } from "#harness/world/run-info";
import { CallPictures } from "./calls.ts";
import { containerSettings } from "./containers.ts";
import { DeploymentPool, describeDeployment } from "./control.ts";
import type { CheckPlan } from "./plan.ts";
import { PostTest } from "./post-test.ts";
import { Progress } from "./progress.ts";
import { Recordings } from "./recordings.ts";
import type { Selected } from "./select.ts";
import { abortOnSignals, ROOT, untilAborted, Verdicts } from "./session.ts";

export interface Execution {
  readonly selected: Selected;
  readonly resolved: Resolved;
  /** Switched on at all servers; none unless given. */
  readonly features?: readonly Feature[];
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
  /** Why the run did not come to its end: servers that did not start, or something of ours that broke. */
  readonly trouble: unknown;
  readonly notes: readonly string[];
  /** Of recordings, within the run directory. */
  readonly pages: ReplayPages;
  /** How fast calls were. */
  readonly calls: { readonly figures: readonly CallFigure[] };
  /** Last lines by role, when they were asked for. */
  readonly serverLogs: ReadonlyMap<string, readonly string[]>;
}

const LOG_LINES = 50;

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

function mainPlan({ selected, features }: Execution): DeploymentPlan {
  const plan = deploymentPlan("main", selected.plan.topology.name, selected);
  return features === undefined ? plan : { ...plan, features };
}

export async function execute(execution: Execution): Promise<Executed> {
  const { selected, resolved, runId, seed, mode } = execution;
  const { plan } = selected;
  const { settings } = resolved;
  const notes: string[] = [];
  const swept = await sweep({
    drivers: driversOf(selected),
    withUnfinishedResults: false,
  });
  await using registry = RunRegistry.open(runId, execution.runDirectory);
  const { signal, release } = abortOnSignals(registry, {
    doing: "stopping; partial results are written",
  });
  using progress = new Progress(plan.checks.length * settings.repeat);
  const note = (line: string) => {
    notes.push(line);
    progress.note(line);
  };
  for (const line of swept.removed) progress.stage(`removed ${line}`);
  const traceFolder = path.join(execution.runDirectory.path, "trace");
  const logFolder = path.join(execution.runDirectory.path, "logs");
  const clientFolder = path.join(execution.runDirectory.path, "clients");
  for (const folder of [traceFolder, logFolder, clientFolder])
    mkdirSync(folder, { recursive: true });
  // Written once the gateways have written their traces.
  await using recordings = new Recordings({
    folder: execution.runDirectory.path,
    run: runId,
    seed,
    isSensitive: (id) => plan.requirements.find((one) => one.id === id)?.sensitive !== false,
    onProblem: note,
  });
  await using calls = new CallPictures({ folder: execution.runDirectory.path, onProblem: note });
  await using pool = new DeploymentPool(mainPlan(execution), {
    ...ALL_DRIVERS,
    registry,
    traceFolder,
    logFolder,
    recordings,
    containers: containerSettings(settings),
    startTimeoutMs: settings.spawnTimeoutMs,
    signal,
    progress: (line) => progress.stage(line),
    onDeath: (role, how, tail) => {
      note(`${role} ended by itself: ${how}`);
      for (const line of tail) progress.note(`    ${line}`);
    },
  });
  // Checks that wait for an answer end at once when there is nobody left to give it.
  signal.addEventListener("abort", () => void pool[Symbol.asyncDispose](), { once: true });
  const record = mode === "mutants" || settings.perf ? "none" : settings.record;
  const verdicts = new Verdicts(selected, settings.repeat, record);
  const judged: CheckResult[] = [];
  const serverLogs = new Map<string, readonly string[]>();
  const bail = new AbortController();
  const stop = AbortSignal.any([signal, bail.signal]);
  let deployment: Deployment | undefined;
  let trouble: unknown;
  let failures = 0;
  const keep = (raw: CheckResult, evidence: Evidence | undefined) => {
    const result = execution.judge(raw, evidence);
    judged.push(result);
    if (result.outcome === "xfail" && evidence?.replay !== undefined)
      recordings.expectFailure(evidence.replay);
    if (mode === "verdicts" && evidence?.call !== undefined) calls.add(result, evidence);
    try {
      execution.onResult(result, evidence);
    } catch (error) {
      // The disk is full: what is known can still be shown, more can not be kept.
      trouble ??= error;
      bail.abort();
    }
    return result;
  };
  try {
    await prepare(selected, {
      signal,
      progress: (line) => progress.stage(line),
      isReuseAllowed: settings.fast,
    });
    deployment = await pool.startMain();
    if (settings.hsVersion !== undefined)
      requireVersion([...deployment.servers.values()], settings.hsVersion);
    verdicts.deployment = deployment.facts.name;
    execution.onDeployed(deployment);
    // Half of the start of the command, which a mistake in its arguments should not wait for.
    const { runVitest } = await import("#cli/run/vitest");
    await using control = await serveControl(pool.control);
    await using postTest = postTestOf(deployment, settings, signal, progress, note);
    await runVitest({
      root: ROOT,
      files: plan.files,
      // What is measured must not wait for another check.
      workers: settings.perf ? 1 : settings.workers,
      concurrency: settings.perf ? 1 : settings.concurrency,
      signal: stop,
      onReport: (report) => {
        // Its servers are being taken down: what it says now is no verdict.
        if (signal.aborted) return;
        const { result, evidence } = verdicts.add(report, settings.repeat);
        const judgement = keep(result, evidence);
        const { outcome, requirement, check } = judgement;
        const stack = settings.debug ? evidence?.stack : undefined;
        progress.finished(judgement, () => verdicts.pending(), stack);
        if (outcome === "fail" && ++failures === settings.bail) bail.abort();
        if (outcome === "skip") return;
        const hasFailed = ["fail", "error", "xfail"].includes(outcome);
        postTest?.checkEnded(`${requirement} ${check}`, hasFailed);
      },
      onBroken: (why, what) => {
        const told = verdicts.broke(why, what);
        if (!signal.aborted) note(`the runner broke: ${told}`);
      },
      info: {
        runId,
        seed,
        timeoutScale: settings.timeoutScale,
        control: { url: control.url, token: control.token },
        deployment: describeDeployment(deployment),
        selected: selectedOf(plan),
        disabled: execution.disabled(deployment),
        propertySeconds: mode === "mutants" ? 0 : settings.propertySeconds,
        accountSizes: settings.perf ? settings.perfRooms : [],
        ...(mode === "mutants" ? {} : { clientLogs: clientFolder }),
        repeat: settings.repeat,
        retry: settings.retry,
        isolate: settings.isolate,
        record,
        mode,
      },
    });
    for (const { result, evidence } of verdicts.violations()) keep(result, evidence);
  } catch (error) {
    if (!signal.aborted) trouble ??= error;
  }
  // A command line that is wrong makes no results: nothing was to be checked.
  if (trouble === undefined || exitCodeOf(trouble) !== 2) {
    for (const missing of verdicts.close(stop.aborted, trouble)) keep(missing, undefined);
  }
  if (deployment !== undefined && !signal.aborted) {
    if (settings.printServerLogs) {
      for (const { role, server } of deployment.servers.values())
        serverLogs.set(role, (await server.capabilities.hasLogs?.tail(LOG_LINES)) ?? []);
    }
    const hasFailed = judged.some(({ outcome }) => outcome === "fail" || outcome === "error");
    if (settings.keep || (settings.keepOnFailure && hasFailed)) {
      await keepRunning(deployment, signal, (line) => progress.note(line));
    }
  }
  release();
  return {
    deployment: deployment?.facts,
    results: judged,
    evidence: verdicts.evidence,
    reports: verdicts.reports,
    wasInterrupted: signal.aborted,
    trouble,
    notes,
    pages: recordings.pages,
    calls,
    serverLogs,
  };
}

/** Requirements whose checks run here, with their needs: of a part of a run not all that are watched. */
function selectedOf({ requirements, checks, shard }: CheckPlan): RunInfo["selected"] {
  const own = new Set(checks.map(({ id }) => id));
  const chosen = requirements.filter(({ id }) => shard === undefined || own.has(id));
  return Object.fromEntries(chosen.map(({ id, needs }) => [id, needs]));
}

function postTestOf(
  deployment: Deployment,
  { postTestScript }: Settings,
  signal: AbortSignal,
  progress: Progress,
  note: (line: string) => void,
): PostTest | undefined {
  if (postTestScript === undefined) return undefined;
  return new PostTest({
    script: postTestScript,
    servers: [...deployment.servers.values()].map(({ role, server }) => server.containerId ?? role),
    signal,
    onOutput: (line) => progress.note(`    ${line}`),
    onProblem: note,
  });
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
  await untilAborted(signal);
}
