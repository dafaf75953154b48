/** What the search says is what Synapse's own resolver says. Without Python it can not be asked. */
import { expect, test } from "vitest";
import { Collection } from "#chaos/search/collection";
import { partsOf, searchPart } from "#chaos/search/exhaustive";
import { findingFile } from "#chaos/search/finding-file";
import { historyOf, RandomSearch } from "#chaos/search/random-search";
import { useSynapseJudge } from "#cli/differential/synapse-for-specs";
import { compileDag, namedState, parseDagFile } from "#protocol/dag/dag-file";
import { roomVersion } from "#protocol/rooms/room-version";
import { NONE } from "#protocol/state/event-graph";
import { resolveIndexes } from "#protocol/state/resolve";

const SEED = "synapse";
const HISTORIES = 600;
/** All their merges are judged, about twenty each. */
const JUDGED_HISTORIES = 12;

const judgeFor = useSynapseJudge();

test("the files of findings are as Synapse resolves them", async (context) => {
  const judge = judgeFor(context);
  const kept = new Collection(10);
  const search = new RandomSearch(SEED);
  for (let number = 0; number < HISTORIES; number++) {
    for (const finding of search.tryHistory(number)) kept.add(finding);
  }
  for (const part of partsOf(3)) {
    for (const finding of searchPart(part, 3, 10, () => false)?.findings ?? []) kept.add(finding);
  }

  expect(new Set(kept.all.map(({ resetClass }) => resetClass)).size).toBe(5);
  for (const [at, finding] of kept.all.entries()) {
    const file = parseDagFile(JSON.parse(JSON.stringify(findingFile(finding, `f${at}`))));
    for (const id of ["11", "12"]) {
      const version = known(id);
      const told = await judge.ask(compileDag(file, version), version);
      if (!("answer" in told)) throw new Error(told.trouble);
      const { state, full, allowed } = told.answer;
      expect(namedState(state, file)).toEqual(file.expected.get(id));
      expect(full.map((event) => event.slice(1))).toEqual(file.fullConflictedSet.get(id));
      expect(Object.values(allowed)).not.toContain(false);
    }
  }
});

test("all merges of some histories are as Synapse resolves them", async (context) => {
  const judge = judgeFor(context);
  let merges = 0;
  for (let number = 0; number < JUDGED_HISTORIES; number++) {
    for (const { merge } of historyOf(SEED, number).merges) {
      merges++;
      for (const graph of [merge.graphs.v11, merge.graphs.v12]) {
        const idOf = (index: number) => graph.node(index).event.id;
        const sets = [merge.truth, merge.second];
        const events = graph.nodes.map(({ event }) => event);
        const stateSets = sets.map((set) => set.map(idOf));
        const dag = { events, stateSets, rejected: new Set<string>() };
        const told = await judge.ask(dag, graph.version);
        if (!("answer" in told)) throw new Error(told.trouble);
        const ours = [...resolveIndexes(graph, sets)].filter((index) => index !== NONE).map(idOf);
        expect(ours.sort()).toEqual(told.answer.state);
      }
    }
  }
  expect(merges).toBeGreaterThan(10 * JUDGED_HISTORIES);
});

function known(id: string) {
  const version = roomVersion(id);
  if (version === undefined) throw new Error(`no version ${id}`);
  return version;
}
