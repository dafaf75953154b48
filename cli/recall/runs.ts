/** The runs of a recall: in one folder, a folder for each group, and in that the runs of it by their numbers. */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { type Executed, execute } from "#cli/run/execute";
import { select } from "#cli/run/select";
import { harnessVersion } from "#cli/run/session";
import { settingsShown } from "#cli/settings-shown";
import { troubleText } from "#cli/trouble";
import type { Resolved, Settings } from "#harness/config/settings";
import { type Feature, isFeature } from "#harness/deployment/contract";
import { describe, HarnessError } from "#harness/errors";
import { newRunId } from "#harness/results/ids";
import { type CheckResult, hasVerdict } from "#harness/results/outcome";
import { RunDirectory, readRun } from "#harness/results/run-directory";
import type { Group } from "#reports/recall/groups";
import type { GroupResults, RunResults } from "#reports/recall/judge";

export interface GroupRun {
  readonly group: Group;
  /** Spec of the homeservers, with `{version}`. */
  readonly hs: string;
  readonly resolved: Resolved;
  readonly seed: number;
  /** Of the whole recall. */
  readonly folder: string;
}

/** What earlier runs of a group left, the oldest first. Those of another server, or that can not be read, count nothing. */
export function storedResults(folder: string, group: Group, hs: string): GroupResults {
  const home = path.join(folder, group.name);
  const spec = specOf(group, hs);
  return numbersIn(home).flatMap((number) => {
    try {
      const run = readRun(path.join(home, String(number)));
      const servers = run.header?.deployments.flatMap((deployment) => deployment.servers) ?? [];
      return servers.length > 0 && servers.every(({ driver }) => driver === spec) ? [run] : [];
    } catch (error) {
      if (error instanceof HarnessError) return [];
      throw error;
    }
  });
}

/** Requirements of a group that have no verdict yet, all of their checks being looked at. */
export function missingIds(
  { ids }: Group,
  runs: GroupResults,
  titlesOf: (id: string) => readonly string[],
): readonly string[] {
  const settled = new Set(runs.flatMap(({ results }) => results.filter(hasVerdict).map(keyOf)));
  return ids.filter((id) =>
    titlesOf(id).some((check) => !settled.has(keyOf({ requirement: id, check }))),
  );
}

/** Starts the group's deployment and runs its checks, those alone that are named. */
export async function runGroup(
  { group, hs, resolved, seed, folder }: GroupRun,
  ids: readonly string[],
): Promise<Executed> {
  const settings = settingsFor(group, hs, resolved.settings);
  const selected = await select(settings, ids);
  const home = path.join(folder, group.name);
  const number = (numbersIn(home).at(-1) ?? 0) + 1;
  const directory = RunDirectory.create(path.join(home, String(number)));
  const startedAt = new Date().toISOString();
  const runId = newRunId();
  const executed = await execute({
    selected,
    features: featuresOf(group),
    resolved: { ...resolved, settings },
    mode: "verdicts",
    runId,
    seed,
    runDirectory: { path: directory.path, isNamedByUser: true },
    disabled: () => ({}),
    onDeployed: (deployment) => {
      directory.writeHeader({
        kind: "run",
        harness: harnessVersion(),
        requirements: selected.catalogue.hash,
        deployments: [deployment.facts],
        seed,
      });
    },
    // What the server does, whatever its manifest expects of it.
    judge: (result) => result,
    onResult: (result, evidence) => directory.append(result, evidence),
  });
  directory.finish(executed.results, {
    id: runId,
    harness: harnessVersion(),
    startedAt,
    finishedAt: new Date().toISOString(),
    exitCode: executed.wasInterrupted ? 130 : 0,
    seed,
    deployment: executed.deployment ?? null,
    settings: settingsShown({ ...resolved, settings }),
    notes: executed.notes,
    ...(executed.trouble === undefined ? {} : { trouble: troubleText(executed.trouble) }),
  });
  return executed;
}

/** A deployment that does not start tells why in its log, which results leave out: a bug may be known by it. */
export function resultsOf({ results, evidence, trouble }: Executed): RunResults {
  if (trouble === undefined) return { results, evidence };
  const text = trouble instanceof HarnessError ? trouble.message : describe(trouble);
  const ended = results.filter(({ outcome }) => outcome === "error");
  return {
    results,
    evidence: [
      ...evidence,
      ...ended.map(({ deployment, requirement, check }) => ({
        deployment,
        requirement,
        check,
        message: text,
        exchanges: [],
      })),
    ],
  };
}

export function specOf({ version, deployment: { options = {} } }: Group, hs: string): string {
  const given = Object.entries(options).map(([name, value]) => `,${name}=${value}`);
  return hs.replaceAll("{version}", version) + given.join("");
}

/** Nothing is left to chance by what a group's checks happen to be about. */
function settingsFor(group: Group, hs: string, settings: Settings): Settings {
  const { auth = "none", rtc_auth: rtcAuth = "none", sfu, topology } = group.deployment;
  return {
    ...settings,
    hs: [specOf(group, hs)],
    hsVersion: undefined,
    auth,
    mas: undefined,
    rtcAuth,
    sfu,
    topology,
    repeat: 1,
    perf: false,
    suite: [],
    id: [],
    level: [],
    tag: undefined,
    preset: undefined,
    shard: undefined,
    bail: undefined,
    expect: "none",
    baseline: undefined,
    updateBaseline: false,
    postTestScript: undefined,
  };
}

function featuresOf({ name, deployment: { features = [] } }: Group): readonly Feature[] {
  const known = features.filter(isFeature);
  if (known.length === features.length) return known;
  const unknown = features.filter((feature) => !isFeature(feature));
  throw new HarnessError("BAD_FILE", {
    what: `${name}: there is no feature ${unknown.join(", ")}`,
    next: "name features of harness/deployment/contract.ts under `deployment`",
  });
}

function numbersIn(home: string): readonly number[] {
  if (!existsSync(home)) return [];
  return readdirSync(home)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((left, right) => left - right);
}

function keyOf({ requirement, check }: Pick<CheckResult, "requirement" | "check">): string {
  return `${requirement} ${check}`;
}
