/** The JSON of a DAG file, as parseDagFile reads it. */
import type { JsonObject } from "#protocol/events/event";
import { DAG_FORMAT, type DagEvent, type DagFile } from "./dag-file.ts";

export function writeDagFile(file: DagFile): JsonObject {
  const { id, title, className, events, stateSets, expected, fullConflictedSet } = file;
  return {
    format: DAG_FORMAT,
    id,
    title,
    class: className,
    events: events.map(writeEvent),
    state_sets: stateSets,
    expected: Object.fromEntries(expected),
    full_conflicted_set: Object.fromEntries(fullConflictedSet),
  };
}

function writeEvent(event: DagEvent): JsonObject {
  const { id, type, stateKey, sender, content, auth, prev, ts, isRejected, redacts } = event;
  return {
    id,
    type,
    ...(stateKey === undefined ? {} : { state_key: stateKey }),
    sender,
    content,
    auth,
    prev,
    ts,
    ...(isRejected ? { rejected: true } : {}),
    ...(redacts === undefined ? {} : { redacts }),
  };
}
