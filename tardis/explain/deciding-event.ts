/** Where the value that a key has after some events came to be. */
import { NONE } from "#protocol/state/event-graph";
import type { RoomHistory } from "#protocol/state/room-history";

export type Origin =
  /** No event has ever set it. */
  | { readonly kind: "never" }
  /** The event itself is the value, or a file gave the state after it. */
  | { readonly kind: "set" | "given"; readonly id: string }
  /** States that differ in it were resolved: those after these events. */
  | {
      readonly kind: "resolved";
      readonly of: readonly string[];
      readonly before: string | undefined;
    };

/** @param ids events after which the state is asked for, more than one as a next event would follow them */
export function originOf(
  history: RoomHistory,
  ids: readonly string[],
  key: string,
  givenStates: ReadonlySet<string>,
): Origin {
  const { graph } = history;
  const places = placesIn(history);
  // By number, since the way may be as long as the room.
  const number = graph.keyOf(...splitKey(key));
  const indexAfter = (id: string) => history.get(id)?.after[number] ?? NONE;
  let parents = ids.filter((id) => places.has(id));
  let before: string | undefined;
  // Each round goes up at least one event, also where events follow one another in a ring.
  for (;;) {
    const [first] = parents;
    const replayed = first === undefined ? undefined : history.get(first);
    if (first === undefined || replayed === undefined) return { kind: "never" };
    const value = indexAfter(first);
    if (parents.some((id) => indexAfter(id) !== value)) {
      return { kind: "resolved", of: parents, before };
    }
    if (givenStates.has(first)) return { kind: "given", id: first };
    if (value !== NONE && value === graph.indexOf(first)) return { kind: "set", id: first };
    before = first;
    const place = places.get(first) ?? 0;
    parents = replayed.event.prevEvents.filter((id) => (places.get(id) ?? place) < place);
  }
}

const PLACES = new WeakMap<RoomHistory, Map<string, number>>();

/** Of the events of a history, by id. */
function placesIn(history: RoomHistory): ReadonlyMap<string, number> {
  const places = PLACES.get(history) ?? new Map<string, number>();
  PLACES.set(history, places);
  for (let place = places.size; place < history.events.length; place++) {
    const id = history.events[place]?.event.id;
    if (id !== undefined) places.set(id, place);
  }
  return places;
}

/** Event id of a key after an event, or null. */
export function valueAfter(history: RoomHistory, id: string, key: string): string | null {
  const replayed = history.get(id);
  return replayed === undefined ? null : valueIn(history, replayed.after, key);
}

export function valueIn({ graph }: RoomHistory, state: Int32Array, key: string): string | null {
  const [type, stateKey] = splitKey(key);
  const index = state[graph.keyOf(type, stateKey)] ?? -1;
  return index < 0 ? null : graph.node(index).event.id;
}

/** `type|state_key`, parted at the first bar. */
export function splitKey(key: string): readonly [type: string, stateKey: string] {
  const at = key.indexOf("|");
  return at < 0 ? [key, ""] : [key.slice(0, at), key.slice(at + 1)];
}
