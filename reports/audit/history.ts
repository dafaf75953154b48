/**
 * Verdicts of an audit as a file that outlives its runs: those weigh hundreds of megabytes, and machines of CI are gone by the
 * next one. A line a run and a line a check, so that a line diff is a review, and so that a check which was mended begins anew
 * when its line is taken out. Exchanges, rooms and what sensitive requirements saw stay with the runs.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { HarnessError } from "#harness/errors";
import type { Requirement } from "#harness/requirements/requirement";
import { jsonLine, parsedOrNull } from "#harness/results/json-line";
import { keyOf, MUTANT_VERDICTS, type MutatedCheck } from "#harness/results/mutants-run";
import {
  type CheckResult,
  compareResults,
  LEVELS,
  OUTCOMES,
  type Outcome,
} from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { isWithheld } from "#reports/finding";

/** What all runs of an audit have in common. */
export interface AuditedRun {
  /** Of `crucible run`, without seed and folder. */
  readonly arguments: readonly string[];
  readonly seed: number;
}

export interface History {
  readonly audited: AuditedRun;
  /** Oldest first, told apart by when they began; only what an audit needs is there. */
  readonly runs: readonly StoredRun[];
  readonly mutants: readonly MutatedCheck[];
}

const auditSchema = z.object({
  kind: z.literal("audit"),
  format: z.literal(1),
  arguments: z.array(z.string()),
  seed: z.number(),
});
const runSchema = z.object({
  kind: z.literal("run"),
  startedAt: z.string(),
  harness: z.string(),
  requirements: z.string(),
});
/** By runs in their order: how many have this outcome in a row, null for those that do not have the check. */
const inARow = z.tuple([z.enum(OUTCOMES).nullable(), z.number().int().positive()]);
const checkSchema = z.object({
  kind: z.literal("check"),
  deployment: z.string(),
  suite: z.string(),
  requirement: z.string(),
  level: z.enum(LEVELS),
  check: z.string(),
  outcomes: z.array(inARow),
  /** Milliseconds, of the runs that have the check; absent: none took any. */
  ms: z.array(z.number().nonnegative()).optional(),
  /** Of the first run with this outcome. */
  reasons: z.partialRecord(z.enum(OUTCOMES), z.string()).optional(),
});
const mutantsSchema = z.object({
  kind: z.literal("mutants"),
  requirement: z.string(),
  check: z.string(),
  mutants: z.partialRecord(z.enum(MUTANT_VERDICTS), z.array(z.string())),
});
const lineSchema = z.discriminatedUnion("kind", [
  auditSchema,
  runSchema,
  checkSchema,
  mutantsSchema,
]);

type CheckLine = z.infer<typeof checkSchema>;
type RunLine = z.infer<typeof runSchema>;

/** Whether a file is such a history; false for everything else that can be read. */
export function isHistory(file: string): boolean {
  const [first = ""] = readFileSync(file, "utf8").split("\n", 1);
  return auditSchema.safeParse(parsedOrNull(first)).success;
}

/** Undefined where there is none yet. @throws HarnessError BAD_FILE with file and line */
export function readHistory(file: string): History | undefined {
  if (!existsSync(file)) return undefined;
  let audited: AuditedRun | undefined;
  const runs: RunLine[] = [];
  const checks: (CheckLine & { readonly at: number })[] = [];
  const mutants: MutatedCheck[] = [];
  for (const [index, text] of readFileSync(file, "utf8").split("\n").entries()) {
    if (text === "") continue;
    const parsed = lineSchema.safeParse(parsedOrNull(text));
    if (!parsed.success) throw badLine(file, index, z.prettifyError(parsed.error));
    const line = parsed.data;
    if (line.kind === "audit") audited = line;
    else if (line.kind === "run") runs.push(line);
    else if (line.kind === "check") checks.push({ ...line, at: index });
    else mutants.push(mutatedOf(line));
  }
  if (audited === undefined) throw badLine(file, 0, "it does not begin as a history of an audit");
  const byRun = runs.map((): CheckResult[] => []);
  for (const { at, ...line } of checks) {
    const count = line.outcomes.reduce((sum, [, times]) => sum + times, 0);
    if (count !== runs.length)
      throw badLine(file, at, `it has ${count} runs, the file ${runs.length}`);
    const judged = line.outcomes.reduce((sum, [one, times]) => sum + (one === null ? 0 : times), 0);
    if (line.ms !== undefined && line.ms.length !== judged)
      throw badLine(file, at, `it has ${line.ms.length} times of ${judged} outcomes`);
    for (const [index, result] of resultsOf(line).entries()) if (result) byRun[index]?.push(result);
  }
  const { arguments: args, seed } = audited;
  return {
    audited: { arguments: args, seed },
    runs: runs.map((run, index) => storedRun(run, byRun[index] ?? [], seed)),
    mutants,
  };
}

/** The history with what came since, runs in the order in which they began. */
export function withMore(
  { audited, runs, mutants }: History,
  more: Partial<Pick<History, "runs" | "mutants">>,
): History {
  // A run without a time has only its results left: nobody could tell it from itself.
  const dated = [...runs, ...(more.runs ?? [])].filter(({ startedAt }) => startedAt !== undefined);
  const once = new Map(dated.map((run) => [run.startedAt ?? "", run]));
  return { audited, runs: sortedByKey(once), mutants: newerMutants(mutants, more.mutants ?? []) };
}

/** What mutants said of each check: newer verdicts instead of older ones. What was not tried or gave no verdict is none. */
export function newerMutants(
  known: readonly MutatedCheck[],
  newer: readonly MutatedCheck[],
): readonly MutatedCheck[] {
  const once = new Map(known.map((one) => [keyOf(one), one]));
  for (const one of newer) {
    const older = once.get(keyOf(one));
    if (one.isSkipped && older !== undefined) continue;
    const mutants = one.mutants.map((mutant) =>
      mutant.verdict === "error"
        ? (older?.mutants.find(({ name }) => name === mutant.name) ?? mutant)
        : mutant,
    );
    once.set(keyOf(one), { ...one, mutants });
  }
  return sortedByKey(once);
}

/** Writes the file whole or not at all. @throws HarnessError NO_SPACE */
export function writeHistory(
  file: string,
  history: History,
  requirements: ReadonlyMap<string, Requirement>,
): void {
  try {
    writeFileSync(`${file}.tmp`, historyText(history, requirements));
    renameSync(`${file}.tmp`, file);
  } catch (cause) {
    throw new HarnessError("NO_SPACE", {
      what: `the history ${file} can not be written`,
      facts: [String(cause)],
      next: "free space, or name a file in a folder that exists with --history",
      cause,
    });
  }
}

function historyText(
  { audited, runs, mutants }: History,
  requirements: ReadonlyMap<string, Requirement>,
): string {
  const placed = runs.flatMap(({ results }, run) => results.map((result) => ({ run, result })));
  const inOrder = placed.toSorted((a, b) => compareResults(a.result, b.result));
  const byPlace = [...Map.groupBy(inOrder, ({ result }) => placeOf(result)).values()];
  const checks = byPlace.map((seen) => {
    const byRun = new Map(seen.map(({ run, result }) => [run, result]));
    const outcomes = runs.map((_, run) => byRun.get(run)?.outcome ?? null);
    return checkLine([...byRun.values()], outcomes, requirements);
  });
  const lines = [
    { kind: "audit", format: 1, ...audited },
    ...runs.map(runLine),
    ...checks,
    ...mutants.filter(({ isSkipped }) => !isSkipped).map(mutantsLine),
  ];
  return lines.map((line) => `${jsonLine(line)}\n`).join("");
}

function runLine({ startedAt = "", header }: StoredRun): RunLine {
  const { harness = "", requirements = "" } = header ?? {};
  return { kind: "run", startedAt, harness, requirements };
}

/** @param outcomes of all runs, null for those that do not have the check */
function checkLine(
  seen: readonly CheckResult[],
  outcomes: readonly (Outcome | null)[],
  requirements: ReadonlyMap<string, Requirement>,
): CheckLine {
  const [first] = seen as readonly [CheckResult];
  const inARow: [Outcome | null, number][] = [];
  for (const outcome of outcomes) {
    const last = inARow.at(-1);
    if (last?.[0] === outcome) last[1]++;
    else inARow.push([outcome, 1]);
  }
  const { deployment, suite, requirement, level, check } = first;
  const reasons = Object.fromEntries(
    seen.toReversed().flatMap((result) => {
      const rule = requirements.get(result.requirement);
      const isHidden = isWithheld({ result, requirement: rule }, { disclose: false });
      // What was expected to come is told by the manifest.
      const isPlain = ["pass", "skip", "xfail"].includes(result.outcome);
      if (isHidden || isPlain || result.reason === undefined) return [];
      return [[result.outcome, result.reason]];
    }),
  );
  return {
    ...{ kind: "check", deployment, suite, requirement, level, check, outcomes: inARow },
    ...(seen.some(({ durationMs }) => durationMs > 0)
      ? { ms: seen.map(({ durationMs }) => durationMs) }
      : {}),
    ...(Object.keys(reasons).length > 0 ? { reasons } : {}),
  };
}

function resultsOf(line: CheckLine): readonly (CheckResult | undefined)[] {
  const { deployment, suite, requirement, level, check, outcomes, ms, reasons } = line;
  const times = [...(ms ?? [])];
  return outcomes.flatMap(([outcome, count]) =>
    Array.from({ length: count }, (): CheckResult | undefined => {
      if (outcome === null) return undefined;
      const reason = reasons?.[outcome];
      return {
        ...{ kind: "check", deployment, suite, requirement, level, check, outcome },
        durationMs: times.shift() ?? 0,
        ...(reason === undefined ? {} : { reason }),
      };
    }),
  );
}

function storedRun(
  { startedAt, harness, requirements }: RunLine,
  results: readonly CheckResult[],
  seed: number,
): StoredRun {
  return {
    path: `run of ${startedAt}`,
    header: { kind: "run", harness, requirements, seed, deployments: [] },
    results,
    evidence: [],
    pages: new Map(),
    isComplete: true,
    isStrict: false,
    troubles: [],
    startedAt,
  };
}

function mutantsLine({ requirement, check, mutants }: MutatedCheck): z.infer<typeof mutantsSchema> {
  const byVerdict = MUTANT_VERDICTS.map(
    (known) =>
      [known, mutants.filter(({ verdict }) => verdict === known).map(({ name }) => name)] as const,
  );
  const seen = Object.fromEntries(byVerdict.filter(([, names]) => names.length > 0));
  return { kind: "mutants", requirement, check, mutants: seen };
}

function mutatedOf({ requirement, check, mutants }: z.infer<typeof mutantsSchema>): MutatedCheck {
  const all = MUTANT_VERDICTS.flatMap((verdict) =>
    (mutants[verdict] ?? []).map((name) => ({ name, verdict })),
  );
  return { requirement, check, mutants: all, isSkipped: false };
}

function placeOf({ deployment, suite, requirement, check }: CheckResult): string {
  return [deployment, suite, requirement, check].join("\0");
}

function sortedByKey<T>(map: ReadonlyMap<string, T>): readonly T[] {
  return [...map].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, value]) => value);
}

function badLine(file: string, index: number, why: string): HarnessError {
  return new HarnessError("BAD_FILE", {
    what: `${file}:${index + 1} is not as \`crucible audit --history\` writes it`,
    facts: [why],
    next: "restore the file, or name another with --history",
  });
}
