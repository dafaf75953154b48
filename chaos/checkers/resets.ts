/**
 * State resets: a merge after which a key has an older value than before, or none, and no revocation beside it explains
 * that.
 */
import type { JournalRoom } from "#chaos/journal/journal-room";
import type { State } from "#protocol/state/conflicts";
import { NONE } from "#protocol/state/event-graph";
import { classOf, type ResetClass } from "./reset-class.ts";

export interface Reset {
  /** `type|state_key`. */
  readonly key: string;
  /** The event that was lost. */
  readonly lost: string;
  /** The older one that stands instead; undefined: none does. */
  readonly instead: string | undefined;
  /** The states that met: event ids of each. */
  readonly sets: readonly (readonly string[])[];
  readonly resetClass: ResetClass;
}

/**
 * Resets of all merges that these events stand on, and of their own.
 *
 * @param isOf ids of the events whose merges are asked for; absent: of all
 */
export function resetsBefore(
  room: JournalRoom,
  ends: readonly string[],
  isOf?: ReadonlySet<string>,
): readonly Reset[] {
  const { history } = room;
  if (history === undefined) return [];
  const asked = [...room.ancestors(ends)].filter((id) => isOf?.has(id) !== false);
  const merges = asked.map((id) => room.get(id)?.event.prevEvents ?? []);
  const resets = [...merges, ends].flatMap((ids) => {
    if (ids.length < 2) return [];
    const states = ids.flatMap((id) => room.get(id)?.after ?? []);
    return resetsOf(room, states, history.stateAfter(ids));
  });
  // What was lost once is lost again wherever those meet who still have it.
  return resets.filter(({ lost }, at) => resets.findIndex((reset) => reset.lost === lost) === at);
}

/** Resets of one merge. @param resolved what came of the states */
function resetsOf(room: JournalRoom, states: readonly State[], resolved: State): readonly Reset[] {
  const graph = room.history?.graph;
  if (graph === undefined) return [];
  const idAt = (state: State, key: number) => {
    const index = state[key] ?? NONE;
    return index === NONE ? undefined : graph.node(index).event.id;
  };
  const different = [...new Set(states)];
  if (different.length < 2) return [];
  const sets = different.map((state) =>
    [...state].flatMap((index) => (index === NONE ? [] : [graph.node(index).event.id])),
  );
  const found: Reset[] = [];
  for (let key = 0; key < graph.keyCount; key++) {
    const instead = idAt(resolved, key);
    for (const lost of new Set(different.map((state) => idAt(state, key)))) {
      if (lost === undefined || !isLost(room, lost, instead)) continue;
      if (isRevoked(room, lost, resolved)) continue;
      const name = graph.keyName(key).join("|");
      const resetClass = classOf(room, sets, key, (id) => isLost(room, lost, id));
      found.push({ key: name, lost, instead, sets, resetClass });
    }
  }
  return found;
}

/** Whether a key that had the one event has gone back when it has the other, or nothing. */
export function isLost(room: JournalRoom, lost: string, instead: string | undefined): boolean {
  if (lost === instead) return false;
  return instead === undefined || room.isBefore(instead, lost) || isCitedBy(room, instead, lost);
}

/** Whether the first event is in the auth chain of the second one. */
function isCitedBy(room: JournalRoom, id: string, by: string): boolean {
  const seen = new Set<string>();
  const next = [by];
  for (let at = next.pop(); at !== undefined; at = next.pop()) {
    for (const cited of room.get(at)?.event.authEvents ?? []) {
      if (cited === id) return true;
      if (!seen.has(cited)) next.push(cited);
      seen.add(cited);
    }
  }
  return false;
}

/**
 * Whether the state refuses the event because of something that its author could not know: sent beside it, or the loss of
 * what authorised it, for such a reason.
 */
export function isRevoked(
  room: JournalRoom,
  id: string,
  state: State,
  seen: Set<string> = new Set(),
): boolean {
  const graph = room.history?.graph;
  const index = graph?.indexOf(id);
  const one = room.get(id);
  if (graph === undefined || index === undefined || one === undefined || seen.has(id)) return false;
  seen.add(id);
  if (room.refusal(id, state) === undefined) return false;
  return graph
    .node(index)
    .needs(graph)
    .some((key) => {
      if (key === NONE) return false;
      const [now, then] = [state[key] ?? NONE, one.before[key] ?? NONE];
      if (now === then) return false;
      const nowId = now === NONE ? undefined : graph.node(now).event.id;
      if (nowId !== undefined && !room.isBefore(nowId, id) && !room.isBefore(id, nowId))
        return true;
      if (then === NONE) return false;
      const thenId = graph.node(then).event.id;
      return (
        (nowId === undefined || room.isBefore(nowId, thenId)) &&
        isRevoked(room, thenId, state, seen)
      );
    });
}
