/** Makes a DAG small while something about it stays true. */
import type { DagFile, NamedState } from "#protocol/dag/dag-file";

type Holds = (file: DagFile) => Promise<boolean>;

/** The create event is never taken away, since no room is without one. */
export async function shrinkDag(file: DagFile, holds: Holds): Promise<DagFile> {
  for (let current = file; ; ) {
    const fewerEvents = await shrinkEvents(current, holds);
    const fewerSets = await firstRounds(fewerEvents, setRemovals, holds);
    const fewerKeys = await firstRounds(fewerSets, keyRemovals, holds);
    const smaller = await firstRounds(fewerKeys, citationRemovals, holds);
    if (smaller === current) return current;
    current = smaller;
  }
}

/** In halves, quarters and so on, from the end, where removals are cheapest. */
async function shrinkEvents(file: DagFile, holds: Holds): Promise<DagFile> {
  let current = file;
  for (let size = current.events.length >> 1; size >= 1; size >>= 1) {
    for (let end = current.events.length; end > 1; end -= size) {
      const from = Math.max(1, end - size);
      const gone = new Set(current.events.slice(from, end).map(({ id }) => id));
      const smaller = withoutEvents(current, gone);
      if (await holds(smaller)) current = smaller;
    }
  }
  return current;
}

/** Takes the first removal that holds, and begins anew. */
async function firstRounds(
  file: DagFile,
  removals: (file: DagFile) => Iterable<DagFile>,
  holds: Holds,
): Promise<DagFile> {
  let current = file;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const smaller of removals(current)) {
      if (!(await holds(smaller))) continue;
      current = smaller;
      isSmaller = true;
      break;
    }
  }
  return current;
}

function withoutEvents(file: DagFile, gone: ReadonlySet<string>): DagFile {
  const stays = (id: string) => !gone.has(id);
  return {
    ...file,
    events: file.events
      .filter(({ id }) => stays(id))
      .map((event) => ({
        ...event,
        auth: event.auth.filter(stays),
        prev: event.prev.filter(stays),
      })),
    stateSets: file.stateSets.map((set) => filtered(set, (_, id) => stays(id))),
  };
}

function* setRemovals(file: DagFile): Iterable<DagFile> {
  if (file.stateSets.length <= 2) return;
  for (const at of file.stateSets.keys()) {
    yield { ...file, stateSets: file.stateSets.toSpliced(at, 1) };
  }
}

/** From all sets at once first: that is what an event without effect needs. */
function* keyRemovals(file: DagFile): Iterable<DagFile> {
  const keys = new Set(file.stateSets.flatMap((set) => Object.keys(set)));
  keys.delete("m.room.create|");
  for (const key of keys) {
    const without = (set: NamedState) => filtered(set, (name) => name !== key);
    yield { ...file, stateSets: file.stateSets.map(without) };
    for (const [at, set] of file.stateSets.entries()) {
      if (key in set) yield { ...file, stateSets: file.stateSets.with(at, without(set)) };
    }
  }
}

function* citationRemovals(file: DagFile): Iterable<DagFile> {
  for (const [at, event] of file.events.entries()) {
    for (const cited of event.auth.keys()) {
      const fewer = { ...event, auth: event.auth.toSpliced(cited, 1) };
      yield { ...file, events: file.events.with(at, fewer) };
    }
  }
}

function filtered(set: NamedState, stays: (key: string, id: string) => boolean): NamedState {
  return Object.fromEntries(Object.entries(set).filter(([key, id]) => stays(key, id)));
}
