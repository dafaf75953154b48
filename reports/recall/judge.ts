/** The verdict on each bug, from what its checks ended as on a release that has it and on one that has not. */
import type { Requirement } from "#harness/requirements/requirement";
import {
  type CheckResult,
  type Evidence,
  hasVerdict,
  IN_ALL_ANSWERS,
  titleOf,
} from "#harness/results/outcome";
import { withheldResult } from "#reports/finding";
import type { Bug, Sight } from "./bugs.ts";
import { groupName } from "./groups.ts";

/**
 * `caught`: a check fails where the bug is, as it should, and passes where it is not. `missed`: none does. `false-alarm`: a check
 * fails where the bug is mended. The others are no verdict: the release can not be asked, there was trouble, or it did not run.
 */
export const VERDICTS = [
  "caught",
  "missed",
  "false-alarm",
  "unsupported",
  "error",
  "not-run",
] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What one run of a group gave. */
export interface RunResults {
  readonly results: readonly CheckResult[];
  readonly evidence: readonly Evidence[];
}

/** Runs of a group, the oldest first; a check that ran again counts as it ended last. */
export type GroupResults = readonly RunResults[];

export interface CheckVerdict {
  readonly requirement: string;
  readonly check: string;
  readonly verdict: Verdict;
  readonly why: string;
}

export interface BugVerdict {
  readonly bug: Bug;
  readonly verdict: Verdict;
  readonly why: string;
  /** Those of the verdict first. */
  readonly checks: readonly CheckVerdict[];
}

export interface SuiteRecall {
  readonly suite: string;
  readonly caught: number;
  /** Bugs that one machine shows; the others count nowhere. */
  readonly runnable: number;
  readonly falseAlarms: number;
}

export interface Recall {
  readonly bugs: readonly BugVerdict[];
  readonly suites: readonly SuiteRecall[];
  readonly total: SuiteRecall;
  readonly counts: Readonly<Record<Verdict, number>>;
  /** 0 as expected, 1 a false alarm, or a bug missed without a reason, 3 trouble, 4 no verdict at all. */
  readonly exitCode: 0 | 1 | 3 | 4;
}

type Requirements = ReadonlyMap<string, Requirement>;

/** The worst first, but for the one good one, which any check may give. */
const ORDER: readonly Verdict[] = [
  "false-alarm",
  "caught",
  "error",
  "not-run",
  "missed",
  "unsupported",
];

/** Why a sensitive check failed is not told, whatever wrote the runs. */
export function judgeRecall(
  bugs: readonly Bug[],
  groups: ReadonlyMap<string, GroupResults>,
  requirements: Requirements,
): Recall {
  const judged = bugs.map((bug) => judgeBug(bug, groups, requirements));
  const counts = Object.fromEntries(
    VERDICTS.map((verdict) => [verdict, judged.filter((one) => one.verdict === verdict).length]),
  ) as Record<Verdict, number>;
  const suites = [...Map.groupBy(judged, ({ bug }) => bug.suite)].map(([suite, members]) =>
    recallOf(suite, members),
  );
  return {
    bugs: judged,
    suites: suites.sort((left, right) => (left.suite < right.suite ? -1 : 1)),
    total: recallOf("all", judged),
    counts,
    exitCode: exitCodeOf(judged, counts),
  };
}

function recallOf(suite: string, members: readonly BugVerdict[]): SuiteRecall {
  const runnable = members.filter(({ bug }) => bug.sqlite_one_machine === "yes");
  const having = (verdict: Verdict) => runnable.filter((one) => one.verdict === verdict).length;
  return {
    suite,
    caught: having("caught"),
    runnable: runnable.length,
    falseAlarms: having("false-alarm"),
  };
}

function exitCodeOf(judged: readonly BugVerdict[], counts: Recall["counts"]): Recall["exitCode"] {
  // Checks that are skipped see no more than checks that pass.
  const isUnexplained = ({ bug, verdict, checks }: BugVerdict) =>
    bug.missed === undefined &&
    (verdict === "missed" || (verdict === "unsupported" && checks.length > 0));
  if (counts["false-alarm"] > 0 || judged.some(isUnexplained)) return 1;
  if (counts.error > 0) return 3;
  return counts.caught + counts.missed === 0 ? 4 : 0;
}

function judgeBug(
  bug: Bug,
  groups: ReadonlyMap<string, GroupResults>,
  requirements: Requirements,
): BugVerdict {
  if (bug.sqlite_one_machine !== "yes")
    return { bug, verdict: "unsupported", why: bug.sqlite_one_machine.no, checks: [] };
  if (bug.requirements.length === 0)
    return { bug, verdict: "missed", why: bug.missed ?? "no check looks for it", checks: [] };
  const affected = groups.get(groupName(bug, bug.affected));
  const fixed = groups.get(groupName(bug, bug.fixed));
  const checks = bug.requirements
    .flatMap((sight) => judgeSight(sight, { bug, affected, fixed, requirements }))
    .sort((left, right) => ORDER.indexOf(left.verdict) - ORDER.indexOf(right.verdict));
  const [first] = checks;
  if (first === undefined)
    return { bug, verdict: "not-run", why: "its checks did not run", checks };
  const isExplained = first.verdict === "missed" && bug.missed !== undefined;
  return { bug, verdict: first.verdict, why: isExplained ? (bug.missed ?? "") : first.why, checks };
}

interface Ground {
  readonly bug: Bug;
  readonly affected: GroupResults | undefined;
  readonly fixed: GroupResults | undefined;
  readonly requirements: Requirements;
}

function judgeSight(
  sight: Sight,
  { bug, affected, fixed, requirements }: Ground,
): readonly CheckVerdict[] {
  const seen = [...(affected ?? []), ...(fixed ?? [])].flatMap(({ results }) =>
    results.filter(isOf(sight)),
  );
  const titles = [...new Set(seen.map(titleOf))].sort();
  return titles.map((check) => {
    const before = sightOf({ ...sight, check }, bug.affected, affected, requirements);
    const after = sightOf({ ...sight, check }, bug.fixed, fixed, requirements);
    return { requirement: sight.id, check, ...verdictOf(before, after) };
  });
}

/** What a check ended as on one of the two releases. `bug`: with the failure that the bug makes; `otherwise`: with another. */
interface Seen {
  readonly as: "pass" | "bug" | "otherwise" | "skip" | "error" | "not-run";
  readonly why: string;
}

function verdictOf(before: Seen, after: Seen): Pick<CheckVerdict, "verdict" | "why"> {
  const one = (verdict: Verdict, { why }: Seen) => ({ verdict, why });
  // Also when it fails in another way: a check that can not pass where the bug is mended proves nothing.
  if (after.as === "bug" || after.as === "otherwise") return one("false-alarm", after);
  for (const seen of [before, after]) {
    if (seen.as === "not-run") return one("not-run", seen);
    if (seen.as === "error") return one("error", seen);
  }
  for (const seen of [before, after]) if (seen.as === "skip") return one("unsupported", seen);
  return one(before.as === "bug" ? "caught" : "missed", before);
}

function sightOf(
  sight: Sight,
  version: string,
  group: GroupResults | undefined,
  requirements: Requirements,
): Seen {
  const runs = (group ?? []).flatMap(({ results, evidence }) =>
    results.filter(isOf(sight)).map((result) => ({ result, evidence })),
  );
  const found = runs.findLast(({ result }) => hasVerdict(result)) ?? runs.at(-1);
  if (found === undefined) {
    // A rule that is kept in all answers leaves no result: it was watched where its requirement had a verdict.
    const isKept =
      sight.check === IN_ALL_ANSWERS &&
      (group ?? []).some(({ results }) => results.filter(isOf({ id: sight.id })).some(hasVerdict));
    if (isKept) return { as: "pass", why: `is kept on ${version}` };
    return { as: "not-run", why: `did not run on ${version}` };
  }
  const { result } = found;
  const { outcome, reason } = result;
  const shown = withheldResult(result, requirements).reason;
  const told = shown === undefined ? "" : `: ${shown}`;
  const evidence = found.evidence.findLast(
    (one) => one.requirement === result.requirement && one.check === result.check,
  );
  const message = [evidence?.message, evidence?.expected, evidence?.actual, reason].join("\n");
  const isMatch = sight.match === undefined || message.includes(sight.match);
  switch (outcome) {
    case "fail":
    case "xfail":
    case "flaky":
      if (isMatch && sight.as === "fail") return { as: "bug", why: `fails on ${version}${told}` };
      return { as: "otherwise", why: `fails on ${version}, but not as the bug does${told}` };
    case "error":
      if (isMatch && sight.as === "error") return { as: "bug", why: `ends on ${version}${told}` };
      return { as: "error", why: `no verdict on ${version}${told}` };
    case "pass":
    case "xpass":
      return { as: "pass", why: `passes on ${version}` };
    case "skip":
      return { as: "skip", why: `skipped on ${version}${told}` };
    case "not-run":
      return { as: "not-run", why: `did not run on ${version}${told}` };
  }
}

function isOf({ id, check }: Pick<Sight, "id" | "check">): (result: CheckResult) => boolean {
  return (result: CheckResult) =>
    result.requirement === id && (check === undefined || check === titleOf(result));
}
