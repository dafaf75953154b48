/** Which checks run on which deployment: selection, topology, files. */
import type { IndexedCheck } from "#harness/requirements/check-index";
import type { Requirement } from "#harness/requirements/requirement";
import type { Shard } from "#harness/results/run-directory";
import type { Topology } from "#scenarios/topologies/topologies";

export interface CheckPlan {
  readonly topology: Topology;
  /** All that were selected, also those whose checks another part of the run has. */
  readonly requirements: readonly Requirement[];
  readonly checks: readonly IndexedCheck[];
  /** Check files, absolute, each once. */
  readonly files: readonly string[];
  /** Which part of the run it is, where it is not all of it. */
  readonly shard?: Shard;
}

/** Servers that a requirement needs, by the features that it names. */
const SERVERS_FOR: Readonly<Record<string, number>> = { federation: 2, "three-servers": 3 };

/**
 * The checks of the selected requirements and the smallest topology that can run all of them. A check that needs one
 * server runs as well on the first of two, so one deployment serves all; a topology that the user names is kept, and
 * what it can not do is skipped as unsupported.
 */
export function planChecks(
  requirements: readonly Requirement[],
  checks: readonly IndexedCheck[],
  topologies: readonly Topology[],
  asked: Topology | undefined,
): CheckPlan {
  const byId = new Map(requirements.map((requirement) => [requirement.id, requirement]));
  const chosen = checks.filter(({ id }) => byId.has(id));
  const size = Math.max(
    1,
    ...chosen.flatMap(({ id }) =>
      (byId.get(id)?.needs ?? []).map((need) => SERVERS_FOR[need] ?? 1),
    ),
  );
  const fitting = [...topologies]
    .sort((left, right) => left.servers.length - right.servers.length)
    .find(({ servers }) => servers.length >= size);
  const topology = asked ?? fitting ?? topologies.at(-1);
  if (topology === undefined) throw new TypeError("no topologies");
  return {
    topology,
    requirements,
    checks: chosen,
    files: [...new Set(chosen.map(({ file }) => file))],
  };
}
