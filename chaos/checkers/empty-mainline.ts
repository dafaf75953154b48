/** The one place where the text of state resolution is silent (see FED.stateres.v21.empty-mainline). */
import type { JournalRoom } from "#chaos/journal/journal-room";

/**
 * Whether all these keys were decided by time alone, as v2.1 had resolved no power levels: what is to be done then is not
 * said, so that another outcome is a divergence and no violation.
 */
export function isWithoutMainline(
  room: JournalRoom,
  extremities: readonly string[],
  keys: readonly string[],
): boolean {
  const { history, version } = room;
  if (history === undefined || version?.stateResolution !== "v2.1") return false;
  const merges = [...room.ancestors(extremities)].map((id) => room.get(id)?.event.prevEvents ?? []);
  const open = new Set<string>();
  for (const ids of [...merges, extremities]) {
    if (ids.length < 2) continue;
    let isEmpty = false;
    history.stateAfter(ids, (step) => {
      if (step.kind === "mainline") isEmpty = step.ids.length === 0;
      if (step.kind !== "mainline-order" || !isEmpty) return;
      for (const { id } of step.events) {
        const event = room.get(id)?.event;
        open.add(`${event?.type}|${event?.stateKey}`);
      }
    });
  }
  return keys.every((key) => open.has(key));
}
