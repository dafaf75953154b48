/** A state as a table, beside other states: what was added, removed, replaced, and what went back to an older event. */
import type { RoomHistory } from "#protocol/state/room-history";
import { splitKey, valueAfter } from "#tardis/explain/deciding-event";
import { shown } from "#tardis/explain/shown";
import { keyWords } from "#tardis/explain/wording";
import type { ExpectedState, Run } from "#tardis/model/run";
import type { StateRow, Was } from "./messages.ts";
import { valueText } from "./row-label.ts";
import { shortOf } from "./short.ts";
import { timeText } from "./time-text.ts";

export interface Side {
  /** `after $abc`, `at hs1`. */
  readonly where: string;
  /** Event ids by `type|state_key`. */
  readonly state: ReadonlyMap<string, string>;
}

interface RowOptions {
  /** Ids of the events whose states meet. */
  readonly parents: readonly string[];
  readonly rowOf: (id: string) => number;
  readonly expected: ExpectedState | undefined;
  /** What it is compared with came before: only then can something go back. */
  readonly isTime: boolean;
  /** By key, as sinceWhen tells it. */
  readonly since: ReadonlyMap<string, string | undefined>;
}

/** Whether the states after some events differ. */
export function isConflict(history: RoomHistory, ids: readonly string[]): boolean {
  const [first, ...others] = ids.flatMap((id) => history.get(id)?.after ?? []);
  if (first === undefined) return false;
  return others.some((other) => {
    if (other === first) return false;
    const length = Math.max(first.length, other.length);
    for (let key = 0; key < length; key++) {
      if ((first[key] ?? -1) !== (other[key] ?? -1)) return true;
    }
    return false;
  });
}

/** Changed keys first, then in the order of their names. */
export function stateRows(
  run: Run,
  history: RoomHistory,
  side: Side,
  against: readonly Side[],
  { parents, rowOf, expected, isTime, since }: RowOptions,
): readonly StateRow[] {
  const keys = new Set([
    ...side.state.keys(),
    ...against.flatMap((other) => [...other.state.keys()]),
    ...(expected?.keys() ?? []),
  ]);
  const textOf = (id: string | undefined) => {
    const event = id === undefined ? undefined : run.pdus[rowOf(id)]?.event;
    return event === undefined ? "none" : valueText(event);
  };
  const rows = [...keys].sort().map((key): StateRow => {
    const id = side.state.get(key);
    const [type, stateKey] = splitKey(key);
    const differing = against.filter((other) => other.state.get(key) !== id);
    const was = differing.map((other): Was => {
      const before = other.state.get(key);
      const isLost = id === undefined && against.every(({ state }) => state.has(key));
      const isOlder =
        id !== undefined && before !== undefined && isAbove(run, rowOf(id), rowOf(before));
      return {
        where: other.where,
        text: wasText(run, before, textOf, rowOf),
        isReset: isTime && (isOlder || isLost),
      };
    });
    const row = id === undefined ? -1 : rowOf(id);
    const candidates = new Set(parents.map((parent) => valueAfter(history, parent, key)));
    const wanted = expected?.get(key);
    return {
      key,
      what: keyWords(type, stateKey).replace(/^the /, ""),
      change:
        was.length === 0
          ? "same"
          : id === undefined
            ? "removed"
            : differing.every((other) => !other.state.has(key))
              ? "added"
              : "replaced",
      value: textOf(id),
      event:
        id === undefined
          ? undefined
          : {
              row,
              short: shortOf(run, row, id),
              sender: shown(run.pdus[row]?.event.sender ?? ""),
              since: since.has(key) ? sinceText(run, since.get(key), rowOf) : "",
            },
      was,
      isConflicted: candidates.size > 1,
      expected:
        wanted === undefined
          ? undefined
          : {
              short: wanted === null ? "none" : shortOf(run, rowOf(wanted), wanted),
              isMet: (id ?? null) === wanted,
            },
    };
  });
  const weight = ({ change, isConflicted }: StateRow) =>
    change !== "same" ? 0 : isConflicted ? 1 : 2;
  return rows.sort((a, b) => weight(a) - weight(b));
}

function sinceText({ pdus }: Run, id: string | undefined, rowOf: (id: string) => number): string {
  const row = id === undefined ? -1 : rowOf(id);
  const event = pdus[row]?.event;
  return event === undefined ? "now" : `event ${row + 1}, ${timeText(event.originServerTs)}`;
}

function wasText(
  run: Run,
  id: string | undefined,
  textOf: (id: string | undefined) => string,
  rowOf: (id: string) => number,
): string {
  return id === undefined ? "none" : `${textOf(id)} (${shortOf(run, rowOf(id), id)})`;
}

/** Whether a row is an ancestor of another, by what it follows and cites. */
function isAbove({ graph }: Run, ancestor: number, row: number): boolean {
  if (ancestor < 0 || row < 0 || ancestor >= row) return false;
  const seen = new Uint8Array(graph.size);
  const stack = [row];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (at === ancestor) return true;
    for (const { offsets, targets } of [graph.edges.prev, graph.edges.auth]) {
      for (let edge = offsets[at] ?? 0; edge < (offsets[at + 1] ?? 0); edge++) {
        const target = targets[edge] ?? -1;
        if (target < ancestor || seen[target] === 1) continue;
        seen[target] = 1;
        stack.push(target);
      }
    }
  }
  return false;
}
