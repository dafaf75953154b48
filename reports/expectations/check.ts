/** What is wrong with a manifest that can be read. */
import type { Requirement } from "#harness/requirements/requirement";
import { globMatcher } from "#harness/requirements/select";
import { IN_ALL_ANSWERS } from "#harness/results/outcome";
import { didYouMean } from "#harness/suggest";
import type { Manifest, ManifestEntry } from "./manifest.ts";

export interface KnownRequirements {
  readonly requirements: ReadonlyMap<string, Requirement>;
  /** Titles of a requirement's checks. */
  readonly titlesOf: (id: string) => readonly string[];
  /** ISO date. */
  readonly today: string;
}

/** One line each, with file and line. */
export function checkManifest(manifest: Manifest, known: KnownRequirements): readonly string[] {
  const seen = new Map<string, number>();
  return manifest.entries.flatMap((entry) => {
    const key = JSON.stringify([entry.id, entry.check, sortedEntries(entry.when)]);
    const first = seen.get(key);
    seen.set(key, first ?? entry.line);
    const problems = [
      ...(first === undefined ? [] : [`${entry.id} is already at line ${first}`]),
      ...nameProblems(entry, known),
      ...proofProblems(entry, known),
    ];
    return problems.map((text) => `${manifest.file}:${entry.line}: ${text}`);
  });
}

function nameProblems(
  { id, check, expect }: ManifestEntry,
  { requirements, titlesOf }: KnownRequirements,
): readonly string[] {
  if (id.includes("*")) {
    if (expect !== "unsupported") return [`${id}: a glob may only be unsupported`];
    const isFound = [...requirements.keys()].some(globMatcher(id));
    return isFound ? [] : [`no requirement matches ${id}`];
  }
  const requirement = requirements.get(id);
  if (requirement === undefined) {
    return [`there is no requirement ${id}: ${didYouMean(id, requirements.keys())}`];
  }
  if (requirement.retired !== undefined) return [`${id} is retired: delete the entry`];
  if (check !== undefined && expect === "disabled")
    return [`${id}: disabled is for all checks of a requirement`];
  const titles = [...titlesOf(id), IN_ALL_ANSWERS];
  return check === undefined || titles.includes(check)
    ? []
    : [`${id} has no check "${check}": ${didYouMean(check, titles)}`];
}

function proofProblems(
  entry: ManifestEntry,
  { requirements, today }: KnownRequirements,
): readonly string[] {
  const { id, reason, issue, evidence, match, review_by: reviewBy } = entry;
  const isSensitive = requirements.get(id)?.sensitive === true;
  const problems: string[] = [];
  if (/^todo\b/i.test(reason.trim())) problems.push(`${id} has no reason yet`);
  if (reviewBy !== undefined && reviewBy < today)
    problems.push(`${id} was to be reviewed by ${reviewBy}`);
  if (isSensitive) {
    if (match !== undefined || evidence !== undefined)
      problems.push(`${id} is sensitive: no match and no evidence in a shared file`);
  } else if (entry.expect !== "unsupported" && issue === undefined && evidence === undefined) {
    problems.push(`${id} needs an issue or evidence`);
  }
  return problems;
}

function sortedEntries(when: ManifestEntry["when"]): unknown {
  return Object.entries(when ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
}
