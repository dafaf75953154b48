/** A room of a journal as a DAG file (docs/dag-format.md): what state resolution makes of it can be looked at without servers. */
import { compileDag, type DagEvent, type DagFile, namedState } from "#protocol/dag/dag-file";
import { isObject, type JsonObject } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { EventGraph } from "#protocol/state/event-graph";
import { resolveState } from "#protocol/state/resolve";
import type { Replayed } from "#protocol/state/room-history";
import type { JournalRoom } from "./journal-room.ts";

/**
 * Undefined for a room without events, or of a version that we do not know. Without the events that cite what nobody showed.
 *
 * @param sets event ids of each state that meets others: two or more
 */
export function exportDag(
  room: JournalRoom,
  sets: readonly (readonly string[])[],
  { id, title, className }: Pick<DagFile, "id" | "title" | "className">,
): DagFile | undefined {
  const { version, history } = room;
  const create = history?.events.find(({ event }) => event.type === "m.room.create")?.event;
  if (version === undefined || history === undefined || create === undefined) return undefined;
  const known = history.events.filter(({ event }) => room.get(event.id) !== undefined);
  const events = known.map((one) => dagEvent(one, create.id, version, create.sender));
  const names = new Set(events.map((event) => event.id));
  const stateSets = sets.map((set) =>
    namedState(
      set.filter((one) => names.has(nameOf(one))),
      { events },
    ),
  );
  const file: DagFile = {
    id,
    title,
    className,
    events,
    stateSets,
    expected: new Map(),
    fullConflictedSet: new Map(),
  };
  const dag = compileDag(file, version);
  const graph = EventGraph.of(dag.events, version, dag.rejected);
  const resolved = namedState(resolveState(graph, dag.stateSets), file);
  return { ...file, expected: new Map([[version.id, resolved]]) };
}

/** The format adds what every event of a version cites, and every creator's level. */
function dagEvent(
  { event, rejection }: Replayed,
  create: string,
  version: RoomVersion,
  creator: string,
): DagEvent {
  const { content } = event;
  const users: JsonObject = isObject(content.users) ? content.users : {};
  const isUsual = event.type === "m.room.power_levels" && users[creator] === 100;
  const { [creator]: _, ...others } = users;
  return {
    id: nameOf(event.id),
    type: event.type,
    stateKey: event.stateKey,
    sender: event.sender,
    content: isUsual && !version.hasPrivilegedCreators ? { ...content, users: others } : content,
    auth: event.authEvents.filter((id) => id !== create).map(nameOf),
    prev: event.prevEvents.map(nameOf),
    ts: event.originServerTs,
    isRejected: rejection !== undefined,
    ...(event.redacts === undefined ? {} : { redacts: nameOf(event.redacts) }),
  };
}

function nameOf(id: string): string {
  return id.replace(/^\$/, "");
}
