/** The check sums were computed by Synapse and ruma-state-res, which agree on every figure and on the state. */
import { expect, test } from "vitest";
import { roomVersion } from "#protocol/rooms/room-version";
import { authDifference, conflictedSubgraph, separate } from "#protocol/state/conflicts";
import { EventGraph } from "#protocol/state/event-graph";
import { resolveState } from "#protocol/state/resolve";
import { compileDag, namedState } from "./dag-file.ts";
import { forkedRoom } from "./forked-room.ts";

const SUMS = [
  { events: 1_000, difference: 500, subgraph: 638 },
  { events: 10_000, difference: 4_100, subgraph: 5_048 },
];

test.each(SUMS)("a room of $events events has the known check sums", ({ events, ...sums }) => {
  const old = resolved("11", events);
  const latest = resolved("12", events);

  expect(old).toMatchObject(sums);
  expect(latest).toMatchObject(sums);
  expect(Object.keys(latest.state)).toHaveLength(105);
  expect(latest.state).toEqual(old.state);
});

function resolved(id: string, events: number) {
  const version = roomVersion(id);
  if (version === undefined) throw new Error(`no version ${id}`);
  const file = forkedRoom(version, { events });
  const dag = compileDag(file, version);
  const graph = EventGraph.of(dag.events, version);
  const sets = dag.stateSets.map((set) => set.map((event) => graph.indexOf(event) ?? -1));
  return {
    difference: authDifference(graph, sets).length,
    subgraph: conflictedSubgraph(graph, separate(graph, sets, "everywhere").conflicted).length,
    state: namedState(resolveState(graph, dag.stateSets), file),
  };
}
