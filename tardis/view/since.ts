/** Since when a state has its values. */

import type { RoomHistory } from "#protocol/state/room-history";
import { splitKey } from "#tardis/explain/deciding-event";

/** Further back than so many events nobody is told: it would take too long. */
const MOST_EVENTS = 5_000;

/** Keys that more than one event would set: of all others the value is as old as its event. */
const CONTESTED = new WeakMap<RoomHistory, ReadonlySet<string>>();

/**
 * By key, the id of the event from which on the value has held without a break: its own, or that at which branches met and it
 * was decided; undefined where branches meet only now. Keys that go further back than is looked are left out.
 *
 * @param ids of the events after which the state is
 */
export function sinceWhen(
  history: RoomHistory,
  ids: readonly string[],
  state: ReadonlyMap<string, string>,
): ReadonlyMap<string, string | undefined> {
  const { graph } = history;
  const contested = contestedKeys(history);
  // By number, since all of them are looked at in every state on the way.
  const open = new Map(
    [...state]
      .filter(([key]) => contested.has(key))
      .map(([key, value]) => [
        key,
        { number: graph.keyOf(...splitKey(key)), index: graph.indexOf(value), value },
      ]),
  );
  const since = new Map<string, string | undefined>(
    [...state].filter(([key]) => !contested.has(key)),
  );
  let parents = ids;
  let before: string | undefined;
  for (let left = MOST_EVENTS; left > 0 && open.size > 0; left--) {
    const states = parents.map((id) => history.get(id)?.after);
    for (const [key, { number, index, value }] of open) {
      const isSet = parents.length === 1 && parents[0] === value;
      const isDecided = states.some((held) => held?.[number] !== index);
      if (!isSet && !isDecided) continue;
      since.set(key, isSet ? value : before);
      open.delete(key);
    }
    const [first] = parents;
    const replayed = first === undefined ? undefined : history.get(first);
    if (replayed === undefined) break;
    before = first;
    parents = replayed.event.prevEvents.filter((id) => history.get(id) !== undefined);
    if (parents.length === 0) break;
  }
  return since;
}

function contestedKeys(history: RoomHistory): ReadonlySet<string> {
  const known = CONTESTED.get(history);
  if (known !== undefined) return known;
  const seen = new Set<string>();
  const contested = new Set<string>();
  for (const { event } of history.events) {
    if (event.stateKey === undefined) continue;
    const key = `${event.type}|${event.stateKey}`;
    if (seen.has(key)) contested.add(key);
    seen.add(key);
  }
  CONTESTED.set(history, contested);
  return contested;
}
