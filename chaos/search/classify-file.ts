/** The class of a DAG file, told from its events and its two states alone. */
import { compileEvent, type DagEvent, type DagFile, type NamedState } from "#protocol/dag/dag-file";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { EventGraph } from "#protocol/state/event-graph";
import { RoomHistory } from "#protocol/state/room-history";
import { classify, type Merge, type ResetClass, type Resets, resetsOf } from "./classify.ts";
import { V11, V12 } from "./history.ts";

export interface FileVerdict {
  readonly resetClass: ResetClass | undefined;
  readonly resets: Resets;
}

/**
 * Undefined for a file that tells no truth: other than two states, none of an honest server, two of which neither is the
 * later one, or an event that is refused in version 11 or 12.
 */
export function classifyFile(file: DagFile): FileVerdict | undefined {
  const [one, other] = file.stateSets;
  if (one === undefined || other === undefined || file.stateSets.length > 2) return undefined;
  const replayed = replay(file, V12);
  if (!replayed.isAllowed || !replay(file, V11).isAllowed) return undefined;
  const [first, second] = [replayed.momentsOf(one), replayed.momentsOf(other)];
  const isFirstTrue = second.length === 0 || replayed.isLater(first, second);
  const isSecondTrue = first.length === 0 || replayed.isLater(second, first);
  if (isFirstTrue === isSecondTrue) return undefined;
  const isHonest = first.length > 0 && second.length > 0;
  const sets = isFirstTrue ? [one, other] : [other, one];
  const events = replayed.inOrder;
  const merge = mergeOf(events, sets, isHonest);
  const resets = resetsOf(merge);
  const areTrue = events.every(({ ts }, at) => ts >= (events[at - 1]?.ts ?? 0));
  const trued = events.map((event, at) => ({ ...event, ts: at + 1 }));
  const resetClass = classify(
    merge,
    resets,
    areTrue ? undefined : () => mergeOf(trued, sets, isHonest),
  );
  return { resetClass, resets };
}

/** States are those that a server has that knows the whole past of an event. */
function replay({ events }: DagFile, version: RoomVersion) {
  const compiled = compile(events, version);
  const byId = new Map(events.map((event) => [`$${event.id}`, event]));
  const history = new RoomHistory(compiled, version);
  const before = new Map<string, ReadonlySet<string>>();
  for (const { event } of history.events) {
    const past = event.prevEvents.flatMap((id) => [id, ...(before.get(id) ?? [])]);
    before.set(event.id, new Set(past));
  }
  return {
    isAllowed: history.events.every(({ rejection }) => rejection === undefined),
    inOrder: history.events.flatMap(({ event }) => byId.get(event.id) ?? []),
    /** Events after which the state is this one. */
    momentsOf: (set: NamedState) =>
      history.events.flatMap(({ event, after }) =>
        areSame(history.named(after), set) ? [event.id] : [],
      ),
    /** Whether some moment of the first follows one of the second. */
    isLater: (first: readonly string[], second: readonly string[]) =>
      first.some((id) => second.some((earlier) => before.get(id)?.has(earlier) === true)),
  };
}

function areSame(state: Readonly<Record<string, string>>, set: NamedState): boolean {
  const keys = Object.keys(state);
  return (
    keys.length === Object.keys(set).length && keys.every((key) => state[key] === `$${set[key]}`)
  );
}

function mergeOf(
  events: readonly DagEvent[],
  [truth, second]: readonly NamedState[],
  isHonest: boolean,
): Merge {
  const indexes = new Map(events.map(({ id }, index) => [id, index]));
  const setOf = (state: NamedState = {}) =>
    Object.values(state).flatMap((id) => indexes.get(id) ?? []);
  const graphs = {
    v11: EventGraph.of(compile(events, V11), V11),
    v12: EventGraph.of(compile(events, V12), V12),
  };
  return { graphs, truth: setOf(truth), second: setOf(second), isHonest };
}

function compile(events: readonly DagEvent[], version: RoomVersion) {
  const create = events.find(({ type }) => type === "m.room.create");
  return create === undefined ? [] : events.map((event) => compileEvent(event, create, version));
}
