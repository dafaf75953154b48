import type { RoomEvent } from "#protocol/events/event";

/**
 * The events so that each stands after those that it refers to, otherwise in the order given; each id once, the first of
 * it. A ring of references, which ids of room versions 1 and 2 allow, is cut where it closes.
 */
export function sortByReferences(
  events: Iterable<RoomEvent>,
  references: (event: RoomEvent) => readonly string[],
): readonly RoomEvent[] {
  const byId = new Map<string, RoomEvent>();
  for (const event of events) if (!byId.has(event.id)) byId.set(event.id, event);
  if (isSorted(byId, references)) return [...byId.values()];
  const sorted: RoomEvent[] = [];
  const entered = new Set<string>();
  // Depth first without recursion: chains can be longer than the stack.
  const stack: { event: RoomEvent; targets: readonly string[]; next: number }[] = [];
  const enter = (event: RoomEvent) => {
    entered.add(event.id);
    stack.push({ event, targets: references(event), next: 0 });
  };
  for (const root of byId.values()) {
    if (!entered.has(root.id)) enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const id = top.targets[top.next++];
      if (id === undefined) {
        sorted.push(top.event);
        stack.pop();
        continue;
      }
      const target = byId.get(id);
      if (target !== undefined && !entered.has(id)) enter(target);
    }
  }
  return sorted;
}

/** What comes from a server or a file mostly is. */
function isSorted(
  byId: ReadonlyMap<string, RoomEvent>,
  references: (event: RoomEvent) => readonly string[],
): boolean {
  const seen = new Set<string>();
  for (const event of byId.values()) {
    for (const id of references(event)) if (!seen.has(id) && byId.has(id)) return false;
    seen.add(event.id);
  }
  return true;
}
