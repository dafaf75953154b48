/** From an event to those that it follows and those that follow it, one after another. */
import type { LoadedView } from "#tardis/view/messages";

export type KinKind = "parents" | "children";

export interface Found {
  readonly row: number;
  /** Which of how many, from 1. */
  readonly at: number;
  readonly count: number;
}

export class Kin {
  #last: { readonly kind: KinKind; readonly rows: readonly number[]; at: number } | undefined;

  /** The first of its kin; asked again where that led to, the next one of the same event. Undefined where there is none. */
  next(loaded: LoadedView, row: number, kind: KinKind): Found | undefined {
    const last = this.#last;
    const isAgain = last?.kind === kind && last.rows.length > 1 && last.rows[last.at] === row;
    const rows = isAgain ? last.rows : kind === "parents" ? above(loaded, row) : below(loaded, row);
    const at = isAgain ? (last.at + 1) % rows.length : 0;
    const found = rows[at];
    this.#last = { kind, rows, at };
    return found === undefined ? undefined : { row: found, at: at + 1, count: rows.length };
  }

  /** From now on it starts where the reader is. */
  forget(): void {
    this.#last = undefined;
  }
}

function above({ edges: { offsets, targets } }: LoadedView, row: number): readonly number[] {
  const all = targets.subarray(offsets[row] ?? 0, offsets[row + 1] ?? 0);
  return [...new Set(all)].filter((target) => target >= 0);
}

function below({ edges: { offsets, targets } }: LoadedView, row: number): readonly number[] {
  const rows: number[] = [];
  for (let at = row + 1; at < offsets.length - 1; at++) {
    for (let edge = offsets[at] ?? 0; edge < (offsets[at + 1] ?? 0); edge++) {
      if (targets[edge] === row && rows.at(-1) !== at) rows.push(at);
    }
  }
  return rows;
}
