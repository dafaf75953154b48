import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { reportCalls } from "#cli/calls/figures";
import { colour, print, printJson, remark } from "#cli/io";
import { type Executed, execute, newRun } from "#cli/run/execute";
import { showMutants } from "#cli/run/mutants";
import { type Selected, select } from "#cli/run/select";
import { harnessVersion, ROOT } from "#cli/run/session";
import { addRunOptions, settingsOf } from "#cli/run-options";
import { settingsShown } from "#cli/settings-shown";
import { exitCodeOf, showStacks, troubleText } from "#cli/trouble";
import type { Resolved, Settings } from "#harness/config/settings";
import type { Deployment } from "#harness/deployment/deployment";
import { HarnessError } from "#harness/errors";
import { scrub } from "#harness/gateway/scrub";
import type { CheckResult, RunHeader } from "#harness/results/outcome";
import { evidenceIn, pagesIn } from "#harness/results/replays";
import { RunDirectory, readRun } from "#harness/results/run-directory";
import { baselineText } from "#reports/baseline/baseline";
import { gate, requireVerdicts } from "#reports/baseline/gate";
import { applyManifest, disabledBy } from "#reports/expectations/apply";
import { type Manifest, readManifest, together } from "#reports/expectations/manifest";
import { describeFinding, tame } from "#reports/finding";
import { renderConsole } from "#reports/render/console";
import { renderDiff } from "#reports/render/diff";
import { renderJunit } from "#reports/render/junit";
import { renderMarkdown } from "#reports/render/markdown";
import { performanceMarkdown, performanceText } from "#reports/render/performance";
import { performanceSvg } from "#reports/render/performance-plot";
import { type Summary, summarise } from "#reports/summarise";

interface RunFlags {
  readonly json?: boolean;
}

export function runCommand(): Command {
  const command = new Command("run")
    .description("deploy, check, report; without arguments every suite on Synapse as a process")
    .argument("[ids...]", "requirement ids or globs, for example 'CS.push.*'")
    .option("--json", "print the summary as JSON")
    .addHelpText(
      "after",
      `
Examples:
  crucible run --suite core
  crucible run --hs docker:my-image --suite core --out results
  crucible run --hs hs1=process:synapse@1.136.0 --hs hs2=docker:my-image
  crucible run --hs url:http://127.0.0.1:8008,shared-secret=…
  COMPLEMENT_BASE_IMAGE=my-image crucible run --suite core`,
    );
  return addRunOptions(command).action(async (ids: string[], flags: RunFlags, self: Command) => {
    process.exitCode = await run(ids, settingsOf(self), flags);
  });
}

export function mutantsCommand(): Command {
  const command = new Command("mutants")
    .description("prove that checks can fail: each runs once a mutant, and has to catch it")
    .argument("[ids...]", "requirement ids or globs")
    .option("--json", "print the verdict on each mutant as JSON")
    .addHelpText(
      "after",
      `
A mutant is a rule at the gateway that makes a healthy server break one requirement. Exit code 1 when one survives.

Examples:
  crucible mutants
  crucible mutants 'CS.login.*' --json`,
    );
  return addRunOptions(command).action(async (ids: string[], flags: RunFlags, self: Command) => {
    process.exitCode = await hunt(ids, settingsOf(self), flags);
  });
}

async function run(ids: readonly string[], resolved: Resolved, flags: RunFlags): Promise<number> {
  const settings = resolved.settings.certify
    ? { ...resolved.settings, strict: true, level: [], tag: undefined, expect: "none" }
    : resolved.settings;
  for (const notice of resolved.notices) remark(notice);
  if (settings.debug) showStacks();
  const selected = await select(settings, ids);
  const manifest = manifestOf(settings);
  const baseline =
    settings.baseline === undefined || settings.updateBaseline
      ? undefined
      : readRun(settings.baseline);
  if (baseline !== undefined) requireVerdicts(baseline);
  if (settings.dryRun) return dryRun(selected, flags);
  if (selected.plan.checks.length === 0) return nothingSelected(selected, settings);
  const identity = newRun(settings);
  const { runId, seed } = identity;
  const directory = RunDirectory.create(identity.runDirectory.path);
  const startedAt = new Date().toISOString();
  let header: RunHeader | undefined;
  let facts: Deployment["facts"] | undefined;
  let applied: Manifest | undefined;
  const executed = await execute({
    selected,
    resolved: { ...resolved, settings },
    mode: "verdicts",
    ...identity,
    disabled: (deployment) =>
      settings.certify ? {} : disabledBy(manifest(deployment.facts), deployment.facts),
    onDeployed: (deployment) => {
      facts = deployment.facts;
      applied = manifest(facts);
      header = {
        kind: "run",
        harness: harnessVersion(),
        requirements: selected.catalogue.hash,
        deployments: [facts],
        seed,
      };
      directory.writeHeader(header);
      if (!flags.json)
        for (const line of headerLines(deployment, resolved, seed, applied)) remark(line);
    },
    judge: (result, evidence) =>
      facts === undefined ? result : applyManifest(result, evidence, applied, facts),
    onResult: (result, evidence) => directory.append(result, evidence),
  });
  const trouble = troubleOf(executed);
  const summary = summarise({
    path: displayPath(directory.path),
    header,
    results: executed.results,
    evidence: evidenceIn(directory.path, executed.evidence),
    pages: pagesIn(directory.path, executed.pages),
    requirements: selected.catalogue.byId,
    strict: settings.strict,
    troubles: trouble === undefined ? [] : [trouble],
  });
  const exitCode = endOf(summary, settings, executed);
  const options = { disclose: settings.disclose };
  // Links of files that lie in the run directory.
  const beside = { ...options, from: directory.path };
  const isOnConsole = flags.json !== true && settings.reporter.includes("console");
  // Before anything is written: the disk may be what is in trouble.
  if (isOnConsole)
    process.stdout.write(renderConsole(summary, { ...options, colour: colour.isColorSupported }));
  else if (trouble !== undefined) remark(`${colour.red("error")} ${trouble}`);
  for (const [role, lines] of executed.serverLogs) {
    remark(`last log lines of ${role}:`);
    for (const line of lines) remark(`  ${tame(scrub(line))}`);
  }
  const measurements = executed.reports.flatMap((report) => report.measurements ?? []);
  if (measurements.length > 0) {
    if (isOnConsole) print(performanceText(measurements));
    const name = executed.deployment?.name ?? "";
    directory.write("perf.svg", performanceSvg(measurements, name));
    directory.write(
      "perf.json",
      `${JSON.stringify({ deployment: name, measurements }, null, 1)}\n`,
    );
  }
  const calls = reportCalls(directory, executed.deployment?.name ?? "", executed.calls.figures);
  if (isOnConsole) process.stdout.write(calls.text);
  directory.finish(executed.results, {
    id: runId,
    harness: harnessVersion(),
    startedAt,
    finishedAt: new Date().toISOString(),
    exitCode,
    seed,
    deployment: executed.deployment ?? null,
    settings: settingsShown(resolved),
    ...(selected.plan.shard === undefined ? {} : { shard: selected.plan.shard }),
    notes: executed.notes,
    ...(trouble === undefined ? {} : { trouble }),
  });
  const markdown = settings.reporter.includes("markdown")
    ? directory.write(
        "summary.md",
        renderMarkdown(summary, beside) +
          (measurements.length === 0 ? "" : performanceMarkdown(measurements)) +
          calls.markdown,
      )
    : undefined;
  if (settings.reporter.includes("junit"))
    directory.write("junit.xml", renderJunit(summary, beside));
  if (flags.json) {
    printJson({
      run: directory.path,
      exitCode,
      verdict: summary.verdict,
      counts: summary.counts,
      levels: summary.levels,
      replays: [...summary.regressions, ...summary.nonStrict, ...summary.errors].flatMap(
        (finding) => {
          const { id, check, replay } = describeFinding(finding, options);
          return replay === undefined ? [] : [{ requirement: id, check, ...replay }];
        },
      ),
    });
  }
  let code = exitCode;
  if (header !== undefined && settings.baseline !== undefined) {
    code = compareWithBaseline(
      { settings, selected, header, baseline },
      executed.results,
      directory.path,
      exitCode,
    );
  }
  if (!flags.json) {
    print(`report: ${displayPath(markdown ?? directory.path)}`);
    if (settings.preset === "quick") print("everything: npm run -s crucible -- run");
  }
  return code;
}

/**
 * The manifest for a deployment: the named one, none, or those that lie with the drivers of its services and of its
 * implementation.
 */
function manifestOf(settings: Settings): (facts: Deployment["facts"]) => Manifest | undefined {
  if (settings.expect === "none") return () => undefined;
  // Read now, so that a mistake in it stops the run before it starts.
  const named = settings.expect === undefined ? undefined : readManifest(settings.expect);
  return ({ servers }) => {
    if (named !== undefined) return named;
    const [first] = servers;
    if (
      first === undefined ||
      servers.some(({ implementation }) => implementation !== first.implementation)
    )
      return undefined;
    const names = [...new Set([first.auth, first.rtcAuth, first.implementation])].filter(
      (name) => name !== undefined,
    );
    const files = names
      .map((name) => path.join(ROOT, "drivers", path.basename(name), "expectations.yaml"))
      .filter((file) => existsSync(file));
    return together(files.map(readManifest));
  };
}

/** Why the run did not come to its end, as text. */
function troubleOf({ wasInterrupted, trouble }: Executed): string | undefined {
  if (wasInterrupted) return "the run was interrupted";
  return trouble === undefined ? undefined : troubleText(trouble);
}

/** The exit code of a run that was started. */
function endOf(
  summary: Summary,
  { failIfNone, perf }: Settings,
  { wasInterrupted, trouble }: Executed,
): number {
  if (wasInterrupted) return 130;
  if (trouble !== undefined) return exitCodeOf(trouble);
  // Figures need no verdict.
  return summary.exitCode === 4 && (!failIfNone || perf) ? 0 : summary.exitCode;
}

/** A part more than there is to do is no failure. @throws HarnessError NOTHING_RAN, unless that is allowed. */
function nothingSelected({ plan }: Selected, { failIfNone }: Settings): number {
  const count = plan.requirements.length;
  if (plan.shard !== undefined) {
    const { index, count: parts } = plan.shard;
    remark(`nothing is left for shard ${index}: ${parts} are enough`);
    return 0;
  }
  const what =
    count === 0
      ? "no requirement is selected"
      : `none of the ${count} selected requirements has a check`;
  if (failIfNone) {
    throw new HarnessError("NOTHING_RAN", {
      what,
      next: "select more, or allow it with --no-fail-if-none; `crucible list` shows what there is",
    });
  }
  remark(what);
  return 0;
}

interface Comparison {
  readonly settings: Settings;
  readonly selected: Selected;
  readonly header: RunHeader;
  readonly baseline: ReturnType<typeof readRun> | undefined;
}

function compareWithBaseline(
  { settings, selected, header, baseline }: Comparison,
  results: readonly CheckResult[],
  folder: string,
  exitCode: number,
): number {
  const file = settings.baseline ?? "";
  if (settings.updateBaseline) {
    writeFileSync(file, baselineText(header, results, selected.catalogue.byId));
    print(`baseline written: ${file}`);
    return exitCode;
  }
  if (baseline === undefined) return exitCode;
  const { diff, exitCode: judged } = gate({
    baselines: [baseline],
    runs: [readRun(folder)],
    requirements: selected.catalogue.byId,
    disclose: settings.disclose,
    allowMismatch: settings.allowMismatch,
  });
  print(renderDiff(diff));
  // Against a baseline only regressions decide; what failed before is known.
  const isEnded = exitCode === 130 || exitCode === 2;
  return isEnded || judged === 4 ? exitCode : judged;
}

function dryRun({ plan, servers, auth, sfu, rtcAuth }: Selected, { json }: RunFlags): number {
  const rows = plan.checks.map(({ id, title }) => ({ requirement: id, check: title }));
  const planned = [...servers].map(([role, { text }]) => {
    const beside = Object.entries({ auth, sfu, rtcAuth }).flatMap(([kind, specs]) => {
      const spec = specs?.get(role)?.text;
      return spec === undefined ? [] : [[kind, spec] as const];
    });
    return { role, text, ...Object.fromEntries(beside) } as {
      readonly role: string;
      readonly text: string;
      readonly [kind: string]: string;
    };
  });
  if (json) printJson({ topology: plan.topology.name, servers: planned, checks: rows });
  else {
    const told = planned.map(({ role, text, ...beside }) => {
      const services = Object.values(beside).join(" and ");
      return `${role} ${text}${services === "" ? "" : ` with ${services}`}`;
    });
    print(`topology ${plan.topology.name}: ${told.join(", ")}`);
    for (const { requirement, check } of rows) print(`${requirement}  ${check}`);
    print(`${rows.length} checks would run`);
  }
  return rows.length === 0 ? 4 : 0;
}

function headerLines(
  deployment: Deployment,
  resolved: Resolved,
  seed: number,
  manifest: Manifest | undefined,
): string[] {
  const [server] = [...deployment.servers.values()];
  const given = Object.entries(settingsShown(resolved)).filter(
    ([, { origin }]) => origin !== "default",
  );
  const beside = [
    ["auth services", server?.auth],
    ["SFUs", server?.sfu],
    ["RTC authorization services", server?.rtc],
  ] as const;
  return [
    `${deployment.facts.name}, seed ${seed}`,
    ...(server === undefined ? [] : [`  set on the servers: ${server.server.settings.join("; ")}`]),
    ...beside.flatMap(([what, one]) => {
      const settings = one?.service.settings ?? [];
      return settings.length === 0 ? [] : [`  set on the ${what}: ${settings.join("; ")}`];
    }),
    ...(manifest === undefined
      ? []
      : [`  expected failures: ${manifest.file.split(", ").map(displayPath).join(", ")}`]),
    ...given.map(([name, { value, origin }]) => `  ${name}: ${JSON.stringify(value)} (${origin})`),
  ];
}

function displayPath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative.startsWith("..") ? file : relative;
}

async function hunt(ids: readonly string[], resolved: Resolved, flags: RunFlags): Promise<number> {
  const { settings } = resolved;
  if (settings.debug) showStacks();
  const selected = await select(settings, ids);
  if (settings.dryRun) return dryRun(selected, flags);
  if (selected.plan.checks.length === 0) return nothingSelected(selected, settings);
  const identity = newRun(settings);
  const directory = RunDirectory.create(identity.runDirectory.path);
  const executed = await execute({
    selected,
    resolved: { ...resolved, settings: { ...settings, repeat: 1, retry: 0 } },
    mode: "mutants",
    ...identity,
    disabled: () => ({}),
    onDeployed: (deployment) => {
      directory.writeHeader({
        kind: "run",
        harness: harnessVersion(),
        requirements: selected.catalogue.hash,
        deployments: [deployment.facts],
        seed: identity.seed,
      });
    },
    judge: (result) => result,
    onResult: (result) => directory.append(result, undefined),
  });
  directory.finish(executed.results, {
    id: identity.runId,
    mode: "mutants",
    mutants: executed.reports.map(({ requirement, title, mutants }) => ({
      requirement,
      check: title,
      mutants: mutants ?? [],
    })),
  });
  if (executed.wasInterrupted) return 130;
  if (executed.trouble !== undefined) {
    remark(`${colour.red("error")} ${troubleText(executed.trouble)}`);
    return exitCodeOf(executed.trouble);
  }
  return showMutants(executed.reports, flags.json === true);
}
