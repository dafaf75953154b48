/** The class of a reset in a room of real events: by the definitions of the search, and where those do not decide, by cause. */
import { exportDag } from "#chaos/journal/export-dag";
import type { JournalRoom } from "#chaos/journal/journal-room";
import type { Finding } from "#chaos/journal/record";
import { classifyFile } from "#chaos/search/classify-file";
import { EventGraph, NONE } from "#protocol/state/event-graph";
import { type Repairs, resolveV2 } from "#protocol/state/resolve-v2";

export type ResetClass = NonNullable<Finding["class"]>;

/**
 * @param sets the states that met, event ids of each
 * @param isLost whether a state that has this event at the key, or none, has lost what it had
 */
export function classOf(
  room: JournalRoom,
  sets: readonly (readonly string[])[],
  key: number,
  isLost: (id: string | undefined) => boolean,
): ResetClass {
  const file = exportDag(room, sets, { id: "", title: "", className: "" });
  const told = file && sets.length === 2 ? classifyFile(file)?.resetClass : undefined;
  return told ?? classByCause(room, sets, key, isLost);
}

const V2: Repairs = { beginsEmpty: false, hasSubgraph: false };
const V21: Repairs = { beginsEmpty: true, hasSubgraph: true };

/** A: beginning with no state repairs it. B: that takes the subgraph. C: only v2.1 loses it, by time alone. D: both do. */
function classByCause(
  room: JournalRoom,
  sets: readonly (readonly string[])[],
  key: number,
  isLost: (id: string | undefined) => boolean,
): ResetClass {
  const { version, history } = room;
  if (version === undefined || history === undefined) return "other";
  if (version.stateResolution === "v1") return "other";
  const graph = EventGraph.of(
    history.events.map(({ event }) => event),
    version,
    new Set(history.events.flatMap((one) => (one.rejection === undefined ? [] : [one.event.id]))),
  );
  const [type, stateKey] = history.graph.keyName(key);
  const indexes = sets.map((set) => set.flatMap((id) => graph.indexOf(id) ?? []));
  let hasMainline = true;
  const isLostBy = (repairs: Repairs) => {
    const state = resolveV2(
      graph,
      indexes,
      (step) => {
        if (step.kind === "mainline") hasMainline = step.ids.length > 0;
      },
      repairs,
    );
    const index = state[graph.keyOf(type, stateKey)] ?? NONE;
    return isLost(index === NONE ? undefined : graph.node(index).event.id);
  };
  const [inV2, inV21] = [isLostBy(V2), isLostBy(V21)];
  if (inV2 && inV21) return "D";
  if (inV21) return hasMainline ? "other" : "C";
  if (!inV2) return "other";
  return isLostBy({ beginsEmpty: true, hasSubgraph: false }) ? "B" : "A";
}
