/** What a resolver says of a DAG, ours and theirs alike, and where two answers differ. */
import type { AuthEvent } from "#protocol/auth/auth-event";
import { checkAuthEvents, checkCreate } from "#protocol/auth/rules";
import { selectAuthState } from "#protocol/auth/selection";
import type { CompiledDag } from "#protocol/dag/dag-file";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { Deciding } from "#protocol/state/auth-checks";
import { separate } from "#protocol/state/conflicts";
import { EventGraph } from "#protocol/state/event-graph";
import { resolveState } from "#protocol/state/resolve";
import { fullConflictedSet } from "#protocol/state/resolve-v2";

export interface Answer {
  /** Event ids of the resolved state, ascending. */
  readonly state: readonly string[];
  /** Ids of the full conflicted set, ascending; empty in version 1, which has none. */
  readonly full: readonly string[];
  /** By event id, whether the state that the event cites allows it. */
  readonly allowed: Readonly<Record<string, boolean>>;
  /** By event id, whether the rules that need no state allow it: those of create events and of citations. */
  readonly citations: Readonly<Record<string, boolean>>;
  /** By event id, `type|state_key` of the state that authorises it, ascending. */
  readonly needed: Readonly<Record<string, readonly string[]>>;
}

/** Who answers: our own code, or a spoilt copy of it. */
export type Resolver = (dag: CompiledDag, version: RoomVersion) => Answer;

export const ASPECTS = ["state", "full", "allowed", "citations", "needed"] as const;
export type Aspect = (typeof ASPECTS)[number];

export interface Difference {
  /** `trouble`: one of the two gave no answer. */
  readonly aspect: Aspect | "trouble";
  readonly ours: string;
  readonly theirs: string;
}

/** @throws Error when the order of the state sets makes a difference, or an event of them is not known */
export function answerOf(dag: CompiledDag, version: RoomVersion): Answer {
  const graph = EventGraph.of(dag.events, version, dag.rejected);
  const state = resolveState(graph, dag.stateSets).toSorted();
  const reversed = resolveState(graph, dag.stateSets.toReversed()).toSorted();
  if (state.join() !== reversed.join()) throw new Error("the order of the state sets decides");
  const by = <T>(tell: (id: string, index: number) => T) =>
    Object.fromEntries(
      graph.nodes.map(({ event }, index) => [event.id, tell(event.id, index)] as const),
    );
  const deciding = new Deciding(graph);
  const nothing = new Int32Array(0);
  return {
    state,
    full: version.stateResolution === "v1" ? [] : fullSet(graph, dag.stateSets),
    allowed: by((_, index) => {
      deciding.fill(graph.node(index), nothing, true);
      return deciding.check(graph.node(index)) === undefined;
    }),
    citations: by((_, index) => mayCite(graph, graph.node(index))),
    needed: by((_, index) =>
      [
        ...new Set(
          selectAuthState(graph.node(index).event, version).map(
            ({ type, stateKey }) => `${type}|${stateKey}`,
          ),
        ),
      ].sort(),
    ),
  };
}

function fullSet(graph: EventGraph, stateSets: CompiledDag["stateSets"]): readonly string[] {
  const sets = stateSets.map((set) => set.flatMap((id) => graph.indexOf(id) ?? []));
  const full = fullConflictedSet(graph, sets, separate(graph, sets, "everywhere"), undefined);
  return full.map((index) => graph.node(index).event.id).sort();
}

function mayCite(graph: EventGraph, { event, version }: AuthEvent): boolean {
  if (event.type === "m.room.create") return checkCreate(event, version) === undefined;
  const cited = (id: string) => {
    const index = graph.indexOf(id);
    return index === undefined ? undefined : graph.node(index);
  };
  return checkAuthEvents(event, cited, version) === undefined;
}

export function differencesBetween(ours: Answer, theirs: Answer): readonly Difference[] {
  return ASPECTS.flatMap((aspect) => {
    const [own, other] = [linesOf(ours[aspect]), linesOf(theirs[aspect])];
    const onlyOwn = own.filter((line) => !other.includes(line));
    const onlyOther = other.filter((line) => !own.includes(line));
    if (onlyOwn.length === 0 && onlyOther.length === 0) return [];
    return [{ aspect, ours: onlyOwn.join(", "), theirs: onlyOther.join(", ") }];
  });
}

function linesOf(part: Answer[Aspect]): readonly string[] {
  return Array.isArray(part)
    ? part
    : Object.entries(part).map(([id, value]) => `${id}: ${JSON.stringify(value)}`);
}
