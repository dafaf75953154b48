/** Several stored runs as one: shards of a run, or runs of different servers. */
import { type CheckResult, IN_ALL_ANSWERS } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import type { SummaryInput } from "./summarise.ts";

export type MergedRuns = Omit<SummaryInput, "requirements"> & { readonly strict: boolean };

/** What `summarise` needs of all runs together. */
export function mergeRuns(runs: readonly StoredRun[]): MergedRuns {
  const { path, header, results, evidence, pages, troubles, isStrict } = joinRuns(runs);
  return { path, header, results, evidence, pages, troubles, strict: isStrict };
}

/**
 * Numbers add up: runs of one deployment with different checks are parts of it, and where a check is in two of them, the
 * later run counts as a deployment of its own. What every part can see broken is told once.
 */
export function joinRuns(runs: readonly StoredRun[]): StoredRun {
  const [only] = runs;
  if (only !== undefined && runs.length === 1) return only;
  const seen = new Set<string>();
  const parts = runs.map((run, index) => {
    const keyOf = ({ deployment, requirement, check }: CheckResult) =>
      `${deployment}\0${requirement}\0${check}`;
    const isShared = ({ check }: CheckResult) => check === IN_ALL_ANSWERS;
    const repeated = new Set(
      run.results
        .filter((result) => !isShared(result) && seen.has(keyOf(result)))
        .map(({ deployment }) => deployment),
    );
    const renamed = <Item extends { readonly deployment: string }>(item: Item): Item =>
      repeated.has(item.deployment)
        ? { ...item, deployment: `${item.deployment} (run ${index + 1})` }
        : item;
    const results = run.results
      .map(renamed)
      .filter((result) => !isShared(result) || !seen.has(keyOf(result)));
    for (const result of [...run.results, ...results]) seen.add(keyOf(result));
    return { results, evidence: run.evidence.map(renamed) };
  });
  const starts = runs.flatMap(({ startedAt }) => startedAt ?? []).sort();
  return {
    path: runs.map(({ path }) => path).join(", "),
    header: headerOf(runs),
    results: parts.flatMap(({ results }) => results),
    evidence: parts.flatMap(({ evidence }) => evidence),
    pages: new Map(runs.flatMap(({ pages }) => [...pages])),
    isComplete: runs.every(({ isComplete }) => isComplete),
    isStrict: runs.some(({ isStrict }) => isStrict),
    troubles: runs.flatMap(({ path, troubles }) =>
      troubles.map((trouble) => `${path}: ${trouble}`),
    ),
    ...(starts[0] === undefined ? {} : { startedAt: starts[0] }),
  };
}

const LATER = /^(.*) \(run (\d+)\)$/s;

/** Later runs of a deployment by the names that they go by here, oldest first: what they are runs of. */
export function laterRuns({ results }: Pick<StoredRun, "results">): ReadonlyMap<string, string> {
  const names = new Set(results.map(({ deployment }) => deployment));
  const found = [...names].flatMap((name) => {
    const [, base = "", number] = LATER.exec(name) ?? [];
    return names.has(base) ? [{ name, base, number: Number(number) }] : [];
  });
  const inOrder = found.sort((a, b) => a.number - b.number);
  return new Map(inOrder.map(({ name, base }) => [name, base]));
}

/** Parts that the named shards lack, one line each: without them a comparison would miss what they were to try. */
export function missingShards(runs: readonly StoredRun[]): readonly string[] {
  const groups = Map.groupBy(
    runs.filter(({ shard }) => shard !== undefined),
    ({ header, shard }) =>
      `${header?.deployments.map(({ name }) => name).join("+") ?? ""}\0${shard?.count ?? 1}`,
  );
  return [...groups.values()].flatMap((group) => {
    const count = group[0]?.shard?.count ?? 1;
    const there = new Set(group.map(({ shard }) => shard?.index));
    const missing = Array.from({ length: count }, (_, at) => at + 1).filter((at) => !there.has(at));
    return missing.map((at) => `shard ${at}/${count} is missing: name its run too`);
  });
}

/** With the deployments of all; undefined when one of them does not say what was run. */
function headerOf(runs: readonly StoredRun[]): StoredRun["header"] {
  const headers = runs.flatMap(({ header }) => header ?? []);
  const [first] = headers;
  if (first === undefined || headers.length < runs.length) return first;
  const deployments = headers.flatMap((header) => header.deployments);
  const hashes = [...new Set(headers.map(({ requirements }) => requirements))];
  return {
    ...first,
    requirements: hashes.join("+"),
    deployments: [...new Map(deployments.map((one) => [one.name, one])).values()],
  };
}
