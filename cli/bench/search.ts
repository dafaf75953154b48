/** The search for state resets: cases a second, and its resolutions beside those of Synapse's resolver on the same cases. */
import { availableParallelism } from "node:os";
import { historyOf } from "#chaos/search/random-search";
import { searchAtRandom } from "#chaos/search/search-at-random";
import { SynapseJudge } from "#cli/differential/synapse-judge";
import { synapsePython } from "#drivers/synapse/index";
import type { CompiledDag } from "#protocol/dag/dag-file";
import type { EventGraph } from "#protocol/state/event-graph";
import { resolveIndexes } from "#protocol/state/resolve";
import type { Figure } from "./figure.ts";

const SEED = "bench";
const SECONDS = 15;
/** About twenty merges each, two cases a merge. */
const HISTORIES = 16;
const ROUNDS = 5;
const OWN_MS = 2_000;

interface Case {
  readonly graph: EventGraph;
  readonly sets: readonly (readonly number[])[];
}

export async function benchSearch(): Promise<readonly Figure[]> {
  const cores = availableParallelism();
  const { tally, seconds } = await searchAtRandom({
    seed: SEED,
    from: 0,
    seconds: SECONDS,
    workers: cores,
    most: 1,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  const python = await synapsePython(undefined, {
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  using judge = new SynapseJudge(python);
  const cases = Array.from({ length: HISTORIES }, (_, number) => historyOf(SEED, number))
    .flatMap(({ merges }) => merges)
    .flatMap(({ merge: { graphs, truth, second } }): Case[] =>
      [graphs.v11, graphs.v12].map((graph) => ({ graph, sets: [truth, second] })),
    );
  let theirMs = 0;
  for (const one of cases) {
    theirMs += await judge.time(compiled(one), one.graph.version, ROUNDS);
  }
  const peer = { name: "Synapse", value: (cases.length / theirMs) * 1_000 };
  return [
    {
      name: `search: cases, all of it, on ${cores} cores`,
      value: tally.cases / seconds,
      unit: "1/s",
    },
    {
      name: `search: resolutions alone, ${cases.length} cases, one core`,
      value: ownRate(cases),
      unit: "1/s",
      peer,
    },
  ];
}

/** Resolutions in a second of processor time, whatever else runs. */
function ownRate(cases: readonly Case[]): number {
  const repeat = (ms: number) => {
    const begun = performance.now();
    let rounds = 0;
    for (; performance.now() - begun < ms; rounds++) {
      for (const { graph, sets } of cases) resolveIndexes(graph, sets);
    }
    return rounds * cases.length;
  };
  repeat(OWN_MS / 4);
  const before = process.cpuUsage();
  const resolved = repeat(OWN_MS);
  const { user, system } = process.cpuUsage(before);
  return resolved / ((user + system) / 1e6);
}

function compiled({ graph, sets }: Case): CompiledDag {
  return {
    events: graph.nodes.map(({ event }) => event),
    stateSets: sets.map((set) => set.map((index) => graph.node(index).event.id)),
    rejected: new Set(),
  };
}
