/** The one fold from results to numbers and verdict; renderers only print what it says. */
import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult, Evidence, Level, Outcome, RunHeader } from "#harness/results/outcome";
import { compareResults, LEVELS, OUTCOMES } from "#harness/results/outcome";
import type { ReplayPage, ReplayPages } from "#harness/results/replays";

type Counts = Readonly<Record<Outcome, number>>;

interface LevelSummary {
  readonly level: Level;
  /** Requirements whose checks all passed. */
  readonly met: number;
  /** Requirements of which at least one check gave a verdict. */
  readonly exercised: number;
  /** All requirements of the level that had a check in this run. */
  readonly total: number;
}

interface DeploymentSummary {
  readonly name: string;
  readonly counts: Counts;
  readonly levels: readonly LevelSummary[];
  readonly areas: readonly AreaSummary[];
}

/** What was found of one MSC, or of one part of the specification. */
interface AreaSummary {
  /** As ids begin: `MSC4186`, `CS`. */
  readonly area: string;
  readonly levels: readonly LevelSummary[];
}

/** What one suite found on one deployment. */
export interface Group {
  readonly deployment: string;
  readonly suite: string;
  readonly counts: Counts;
  /** Of the homeservers alone, as below. */
  readonly levels: readonly LevelSummary[];
  readonly durationMs: number;
  readonly findings: readonly Finding[];
}

/** A result with everything a reader needs to understand it. */
export interface Finding {
  readonly result: CheckResult;
  readonly requirement: Requirement | undefined;
  readonly evidence: Evidence | undefined;
  /** Of the recording that the evidence names. */
  readonly page: ReplayPage | undefined;
}

type Verdict = "ok" | "failed" | "error" | "nothing-ran";

export interface Summary {
  readonly header: RunHeader | undefined;
  readonly path: string;
  /** What went wrong with the run itself, one line each: it did not start, or was ended. */
  readonly troubles: readonly string[];
  readonly deployments: readonly DeploymentSummary[];
  readonly groups: readonly Group[];
  readonly counts: Counts;
  /** Of the homeservers alone. */
  readonly levels: readonly LevelSummary[];
  /** Of the client libraries by which rules for clients were tried. */
  readonly clientLevels: readonly LevelSummary[];
  /** Missed by a client library, and not expected: told, and never deciding. */
  readonly clientFailures: readonly Finding[];
  /** Missed and not expected: a MUST, or with strict a SHOULD or an unexpected pass. These decide. */
  readonly regressions: readonly Finding[];
  /** Missed SHOULDs and MAYs: told, but not deciding. */
  readonly nonStrict: readonly Finding[];
  readonly unexpectedPasses: readonly Finding[];
  readonly errors: readonly Finding[];
  readonly expectedFailures: readonly Finding[];
  readonly flaky: readonly Finding[];
  /** Skips by reason, most frequent first. */
  readonly skips: readonly { readonly reason: string; readonly count: number }[];
  /** Findings whose check noted something that is no verdict. */
  readonly noted: readonly Finding[];
  readonly verdict: Verdict;
  readonly exitCode: 0 | 1 | 3 | 4;
}

export interface SummaryInput {
  readonly path: string;
  readonly header: RunHeader | undefined;
  readonly results: readonly CheckResult[];
  readonly evidence: readonly Evidence[];
  /** By recording, as the evidence names it. */
  readonly pages?: ReplayPages;
  readonly requirements: ReadonlyMap<string, Requirement>;
  readonly strict?: boolean;
  readonly troubles?: readonly string[];
}

const EXIT_CODES = { ok: 0, failed: 1, error: 3, "nothing-ran": 4 } as const;
const VERDICT_GIVEN: readonly Outcome[] = ["pass", "fail", "xfail", "xpass", "flaky"];

export function summarise(input: SummaryInput): Summary {
  const { evidence, requirements, strict = false, troubles = [], pages } = input;
  // Results come in the order in which checks end, and are stored sorted: reports of both have to be the same.
  const results = [...input.results].sort(compareResults);
  const evidenceByKey = new Map(evidence.map((item) => [keyOf(item), item]));
  const findings = results.map((result) => {
    const own = evidenceByKey.get(keyOf(result));
    return {
      result,
      requirement: requirements.get(result.requirement),
      evidence: own,
      page: pages?.get(own?.replay ?? ""),
    };
  });
  const having = (...outcomes: Outcome[]) =>
    findings.filter(({ result }) => outcomes.includes(result.outcome));
  const isOfClient = ({ result }: Finding) => result.party === "client";
  const failures = having("fail").filter((finding) => !isOfClient(finding));
  const unexpectedPasses = having("xpass");
  const isGating = ({ result }: Finding) =>
    result.level === "MUST" || (strict && result.level === "SHOULD");
  const regressions = [
    ...failures.filter(isGating),
    ...(strict ? unexpectedPasses.filter((finding) => !isOfClient(finding)) : []),
  ];
  const errors = having("error");
  const hasRun = having(...VERDICT_GIVEN, "error").length > 0;
  const verdict = verdictOf({
    hasFailed: regressions.length > 0,
    hasTrouble: errors.length > 0 || troubles.length > 0,
    hasRun,
  });
  return {
    header: input.header,
    path: input.path,
    troubles,
    deployments: [...Map.groupBy(results, ({ deployment }) => deployment)].map(([name, own]) => ({
      name,
      counts: count(own),
      levels: levelsOf(own),
      areas: areasOf(own),
    })),
    groups: groupsOf(findings),
    counts: count(results),
    levels: levelsOf(results),
    clientLevels: levelsOf(results, "client"),
    clientFailures: having("fail").filter(isOfClient),
    regressions,
    nonStrict: failures.filter((finding) => !isGating(finding)),
    unexpectedPasses,
    errors,
    expectedFailures: having("xfail"),
    flaky: having("flaky"),
    skips: countReasons(having("skip", "not-run")),
    noted: findings.filter((finding) => (finding.evidence?.notes ?? []).length > 0),
    verdict,
    exitCode: EXIT_CODES[verdict],
  };
}

function verdictOf(facts: { hasFailed: boolean; hasTrouble: boolean; hasRun: boolean }): Verdict {
  if (facts.hasFailed) return "failed";
  if (facts.hasTrouble) return "error";
  return facts.hasRun ? "ok" : "nothing-ran";
}

function count(results: readonly CheckResult[]): Counts {
  const numbers = OUTCOMES.map((outcome) => [
    outcome,
    results.filter((result) => result.outcome === outcome).length,
  ]);
  return Object.fromEntries(numbers) as Record<Outcome, number>;
}

function groupsOf(findings: readonly Finding[]): Group[] {
  const groups = Map.groupBy(findings, ({ result }) => `${result.deployment}\0${result.suite}`);
  return [...groups.values()].flatMap((own) => {
    const [first] = own;
    if (first === undefined) return [];
    const { deployment, suite } = first.result;
    const durationMs = own.reduce((sum, { result }) => sum + result.durationMs, 0);
    const results = own.map(({ result }) => result);
    const [counts, levels] = [count(results), levelsOf(results)];
    return [{ deployment, suite, counts, levels, durationMs, findings: own }];
  });
}

function areasOf(results: readonly CheckResult[]): AreaSummary[] {
  const groups = Map.groupBy(results, ({ requirement }) => areaOf(requirement));
  return [...groups].map(([area, own]) => ({ area, levels: levelsOf(own) }));
}

/** MSC or part of the specification that an id begins with. */
export function areaOf(id: string): string {
  return id.split(".")[0] ?? id;
}

/** Services beside a homeserver are counted with it: they are tried together. */
function levelsOf(results: readonly CheckResult[], ofWhom?: "client"): LevelSummary[] {
  const own = results.filter(({ party }) => (party === "client") === (ofWhom === "client"));
  return LEVELS.map((level) => levelSummary(level, own)).filter(({ total }) => total > 0);
}

function levelSummary(level: Level, results: readonly CheckResult[]): LevelSummary {
  const byRequirement = Map.groupBy(
    results.filter((result) => result.level === level),
    ({ deployment, requirement }) => `${deployment}\0${requirement}`,
  );
  const all = [...byRequirement.values()];
  const exercised = all.filter((group) =>
    group.some(({ outcome }) => VERDICT_GIVEN.includes(outcome)),
  );
  const isMet = (group: readonly CheckResult[]) =>
    group.every(({ outcome }) => ["pass", "xpass", "skip", "not-run"].includes(outcome));
  return {
    level,
    met: exercised.filter(isMet).length,
    exercised: exercised.length,
    total: all.length,
  };
}

function countReasons(findings: readonly Finding[]): { reason: string; count: number }[] {
  const groups = Map.groupBy(findings, ({ result }) => result.reason ?? result.outcome);
  return [...groups]
    .map(([reason, group]) => ({ reason, count: group.length }))
    .sort((left, right) => right.count - left.count || (left.reason < right.reason ? -1 : 1));
}

function keyOf(item: { deployment: string; requirement: string; check: string }): string {
  return `${item.deployment}\0${item.requirement}\0${item.check}`;
}
