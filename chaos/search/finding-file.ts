/** The DAG file of a finding: what `crucible resolve` reads, with what our resolver says as the expectation. */
import type { DagEvent, DagFile } from "#protocol/dag/dag-file";
import { writeDagFile } from "#protocol/dag/write-dag-file";
import type { JsonObject } from "#protocol/events/event";
import { separate } from "#protocol/state/conflicts";
import { type EventGraph, NONE } from "#protocol/state/event-graph";
import { fullConflictedSet, resolveV2 } from "#protocol/state/resolve-v2";
import type { ResetClass, Resets } from "./classify.ts";
import { type Graphs, History, type IndexSet } from "./history.ts";
import { mergeOf, type Situation, type Verdict } from "./situation.ts";
import { storyOf } from "./words.ts";

const MEANINGS: Readonly<Record<ResetClass, string>> = {
  A: "v2 loses what a stale state disputes; v2.1 keeps it, by beginning with no state",
  B: "v2 loses what a stale state disputes; v2.1 keeps it, for it replays the conflicted subgraph",
  C: "v2.1 alone loses state to a wrong clock, since no power levels are resolved",
  D: "both lose state, of honest servers with true clocks",
  other: "a reset of none of the classes",
};

/** Room versions in which state is lost, of the two that are tried. */
export function versionsOf({ in11, in12 }: Resets): readonly string[] {
  return [...(in11 ? ["11"] : []), ...(in12 ? ["12"] : [])];
}

/** The first state set is the true one. */
export function findingFile(
  { situation, resetClass, resets }: { readonly situation: Situation } & Verdict,
  id: string,
): JsonObject {
  const history = History.of(situation.creation, situation.deeds);
  const merge = history && mergeOf(history, situation.second);
  if (history === undefined || merge === undefined) throw new RangeError(`${id} is no merge`);
  const sets = [merge.truth, merge.second];
  const byVersion = <T>(tell: (graph: EventGraph) => T) =>
    new Map(
      (["v11", "v12"] as const).map((name) => [idOf(merge.graphs, name), tell(merge.graphs[name])]),
    );
  const resolved = (graph: EventGraph) =>
    history.named([...resolveV2(graph, sets, undefined)].filter((index) => index !== NONE));
  const file: DagFile = {
    id,
    title: MEANINGS[resetClass],
    className: resetClass,
    events: history.events,
    stateSets: sets.map((set) => history.named(set)),
    expected: byVersion(resolved),
    fullConflictedSet: byVersion((graph) => fullSet(graph, sets, history.events)),
  };
  return {
    ...writeDagFile(withNames(file)),
    why: storyOf(situation).join("; "),
    reset_in: versionsOf(resets),
  };
}

function idOf(graphs: Graphs, name: keyof Graphs): string {
  return graphs[name].version.id;
}

function fullSet(
  graph: EventGraph,
  sets: readonly IndexSet[],
  events: readonly DagEvent[],
): readonly string[] {
  const full = fullConflictedSet(graph, sets, separate(graph, sets, "everywhere"), undefined);
  return full.flatMap((index) => events[index]?.id ?? []);
}

/** With ids that tell what an event is. No two events have the same time, so ids decide nothing. */
function withNames(file: DagFile): DagFile {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const { id, type, stateKey } of file.events) {
    const kind = kindOf(type, stateKey ?? "");
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    names.set(id, kind === "create" ? kind : `${kind}-${count}`);
  }
  const name = (id: string) => names.get(id) ?? id;
  const named = (state: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(state).map(([key, id]) => [key, name(id)]));
  return {
    ...file,
    events: file.events.map((event) => ({
      ...event,
      id: name(event.id),
      auth: event.auth.map(name),
      prev: event.prev.map(name),
    })),
    stateSets: file.stateSets.map(named),
    expected: new Map([...file.expected].map(([version, state]) => [version, named(state)])),
    fullConflictedSet: new Map(
      [...file.fullConflictedSet].map(([version, ids]) => [version, ids.map(name).sort()]),
    ),
  };
}

const SHORT: Readonly<Record<string, string>> = {
  "m.room.create": "create",
  "m.room.power_levels": "pl",
  "m.room.join_rules": "jr",
  "m.room.topic": "topic",
};

function kindOf(type: string, stateKey: string): string {
  return SHORT[type] ?? `m-${/^@([^:]*)/.exec(stateKey)?.[1] ?? stateKey}`;
}
