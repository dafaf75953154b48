/** State resolution beside Synapse's own resolver, on the same rooms in the same run. */
import { SynapseJudge } from "#cli/differential/synapse-judge";
import { synapsePython } from "#drivers/synapse/index";
import { HarnessError } from "#harness/errors";
import { createRandom } from "#harness/random";
import { type CompiledDag, compileDag } from "#protocol/dag/dag-file";
import { forkedRoom } from "#protocol/dag/forked-room";
import { generateDag } from "#protocol/dag/generate";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import { EventGraph } from "#protocol/state/event-graph";
import { resolveIndexes } from "#protocol/state/resolve";
import type { Figure } from "./figure.ts";

const SIZES = [1_000, 10_000] as const;
const ROUNDS = 7;
/** Histories of 18 events, as a search for state resets resolves them. */
const SMALL_ROOMS = 400;
const SMALL_MS = 2_000;
const WARM_UP_MS = 500;

export async function benchStateResolution(): Promise<readonly Figure[]> {
  const python = await synapsePython(undefined, {
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  using judge = new SynapseJudge(python);
  const figures: Figure[] = [];
  for (const id of ["11", "12"]) {
    const version = knownVersion(id);
    for (const events of SIZES) {
      const dag = compileDag(forkedRoom(version, { events }), version);
      const name = `${version.stateResolution}, ${events} events, 50 forks`;
      const { resolve, build } = ours(dag, version);
      const theirs = await judge.time(dag, version, ROUNDS);
      const peer = { name: "Synapse", value: theirs };
      figures.push({ name: `${name}: resolve`, value: resolve, unit: "ms", peer });
      figures.push({
        name: `${name}: index and resolve`,
        value: resolve + build,
        unit: "ms",
        peer,
      });
    }
  }
  return [...figures, ...["11", "12"].map((id) => small(knownVersion(id)))];
}

/** Least milliseconds. Each round reads the events anew, so that nothing parsed is left from the one before. */
function ours(dag: CompiledDag, version: RoomVersion): { resolve: number; build: number } {
  let resolve = Number.POSITIVE_INFINITY;
  let build = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const events = structuredClone(dag.events);
    const begun = performance.now();
    const graph = EventGraph.of(events, version, dag.rejected);
    const sets = indexesOf(graph, dag);
    const built = performance.now();
    resolveIndexes(graph, sets);
    const done = performance.now();
    build = Math.min(build, built - begun);
    resolve = Math.min(resolve, done - built);
  }
  return { resolve, build };
}

/** Resolutions of small histories, each indexed anew, in a second of one core: of processor time, whatever else runs. */
function small(version: RoomVersion): Figure {
  const random = createRandom(`bench/${version.id}`);
  const dags = Array.from({ length: SMALL_ROOMS }, () =>
    compileDag(generateDag(random.next, version, "stale"), version),
  );
  const resolveAll = () => {
    for (const dag of dags) {
      const graph = EventGraph.of(dag.events, version, dag.rejected);
      resolveIndexes(graph, indexesOf(graph, dag));
    }
  };
  const repeat = (ms: number) => {
    const begun = performance.now();
    let rounds = 0;
    for (; performance.now() - begun < ms; rounds++) resolveAll();
    return rounds * dags.length;
  };
  repeat(WARM_UP_MS);
  const before = process.cpuUsage();
  const resolved = repeat(SMALL_MS);
  const { user, system } = process.cpuUsage(before);
  return {
    name: `${version.stateResolution}, histories of 18 events: index and resolve`,
    value: resolved / ((user + system) / 1e6),
    unit: "1/s",
  };
}

function indexesOf(graph: EventGraph, { stateSets }: CompiledDag): readonly (readonly number[])[] {
  return stateSets.map((set) => set.map((id) => graph.indexOf(id) ?? 0));
}

function knownVersion(id: string): RoomVersion {
  const version = roomVersion(id);
  if (version === undefined) throw new HarnessError("INTERNAL", { what: `no room version ${id}` });
  return version;
}
