/** Every DAG file in every version, both orders of the state sets, twice. What they expect is what Synapse and ruma do. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileDag, namedState, parseDagFile } from "#protocol/dag/dag-file";
import { roomVersion } from "#protocol/rooms/room-version";
import { separate } from "./conflicts.ts";
import { EventGraph } from "./event-graph.ts";
import { resolveState } from "./resolve.ts";
import { fullConflictedSet } from "./resolve-v2.ts";
import type { ResolutionStep } from "./trace.ts";

const FOLDER = new URL("../../scenarios/stories/state-resolution/", import.meta.url);

const CASES = readdirSync(FOLDER)
  .map((name) => parseDagFile(JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"))))
  .flatMap((file) =>
    [...file.expected].map(([version, expected]) => ({ file, version, expected })),
  );

test("there are vectors", () => {
  expect(CASES.length).toBeGreaterThanOrEqual(23 * 5);
});

test.each(CASES)("$file.id in version $version", ({ file, version: id, expected }) => {
  const version = roomVersion(id);
  if (version === undefined) throw new Error(`no version ${id}`);
  const dag = compileDag(file, version);
  const graph = EventGraph.of(dag.events, version, dag.rejected);
  for (const sets of [dag.stateSets, dag.stateSets.toReversed()]) {
    for (let round = 0; round < 2; round++) {
      expect(namedState(resolveState(graph, sets), file)).toEqual(expected);
    }
  }
  const steps: ResolutionStep[] = [];
  expect(
    namedState(
      resolveState(graph, dag.stateSets, (step) => steps.push(step)),
      file,
    ),
  ).toEqual(expected);
  expect(steps.some(({ kind }) => kind === "check")).toBe(true);
  const conflicted = file.fullConflictedSet.get(id);
  if (conflicted === undefined) return;
  const sets = dag.stateSets.map((set) => set.map((event) => graph.indexOf(event) ?? -1));
  const full = fullConflictedSet(graph, sets, separate(graph, sets, "everywhere"), undefined);
  expect(full.map((index) => graph.node(index).event.id.slice(1)).sort()).toEqual(conflicted);
});
