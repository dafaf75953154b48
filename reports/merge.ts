/** Several stored runs as one: shards of a run, or runs of different servers. */
import type { StoredRun } from "#harness/results/run-directory";
import type { SummaryInput } from "./summarise.ts";

export type MergedRuns = Omit<SummaryInput, "requirements"> & { readonly strict: boolean };

/**
 * What `summarise` needs of all runs together. Numbers add up: runs of one deployment with different checks are parts
 * of it, and where a check is in two of them, the later run counts as a deployment of its own.
 */
export function mergeRuns(runs: readonly StoredRun[]): MergedRuns {
  const seen = new Set<string>();
  const parts = runs.map((run, index) => {
    const keyOf = ({ deployment, requirement, check }: StoredRun["results"][number]) =>
      `${deployment}\0${requirement}\0${check}`;
    const repeated = new Set(
      run.results.filter((result) => seen.has(keyOf(result))).map(({ deployment }) => deployment),
    );
    for (const result of run.results) seen.add(keyOf(result));
    const renamed = <Item extends { readonly deployment: string }>(item: Item): Item =>
      repeated.has(item.deployment)
        ? { ...item, deployment: `${item.deployment} (run ${index + 1})` }
        : item;
    return { results: run.results.map(renamed), evidence: run.evidence.map(renamed) };
  });
  const several = runs.length > 1;
  return {
    path: runs.map(({ path }) => path).join(", "),
    header: runs[0]?.header,
    results: parts.flatMap(({ results }) => results),
    evidence: parts.flatMap(({ evidence }) => evidence),
    pages: new Map(runs.flatMap(({ pages }) => [...pages])),
    strict: runs.some(({ isStrict }) => isStrict),
    troubles: runs.flatMap(({ path, troubles }) =>
      troubles.map((trouble) => (several ? `${path}: ${trouble}` : trouble)),
    ),
  };
}
