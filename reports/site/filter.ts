/** The filter of the matrix: words that all have to be met, some of them by a field. */
import { outcomeOf } from "./marks.ts";
import type { Table } from "./table.ts";

/** What each field is compared with, for the help. */
export const FIELDS: Readonly<Record<string, string>> = {
  level: "must, should or may",
  outcome: "pass, fail, xfail, xpass, flaky, error, skip or not-run, on any deployment shown",
  on: "deployments whose name has this: alone they are shown, and outcomes are theirs",
  suite: "name of the suite",
  basis: "text, derived or practice",
  source: "section, file or MSC",
  party: "client, rtc or sfu",
};

export interface Filtered {
  /** Rows that meet it. */
  readonly requirements: readonly number[];
  /** Columns that it leaves. */
  readonly columns: readonly number[];
}

interface Term {
  readonly isNot: boolean;
  readonly field: string | undefined;
  readonly value: string;
}

/** Reads the texts of a table once, so that a keystroke has little to do. */
export class Filter {
  readonly #table: Table;
  readonly #texts: readonly string[];

  constructor(table: Table) {
    this.#table = table;
    this.#texts = table.index.requirements.map(({ id, statement, source }) =>
      `${id}\n${statement}\n${source}`.toLowerCase(),
    );
  }

  of(query: string): Filtered {
    const { columns: all, index } = this.#table;
    const terms = termsOf(query);
    const places = terms.filter(({ field }) => field === "on");
    const columns = [...all.keys()].filter((at) => {
      const name = all[at]?.name.toLowerCase() ?? "";
      return places.every(({ isNot, value }) => name.includes(value) !== isNot);
    });
    const tests = terms
      .filter(({ field }) => field !== "on")
      .map(({ isNot, ...term }) => [this.#testOf(term, columns), isNot] as const);
    const requirements = [...index.requirements.keys()].filter((at) =>
      tests.every(([test, isNot]) => test(at) !== isNot),
    );
    return { requirements, columns };
  }

  #testOf(
    { field, value }: Omit<Term, "isNot">,
    columns: readonly number[],
  ): (at: number) => boolean {
    const table = this.#table;
    const { requirements } = table.index;
    const among = (text: (at: number) => string | undefined) => (at: number) =>
      (text(at) ?? "").toLowerCase().startsWith(value);
    switch (field) {
      case "level":
        return among((at) => requirements[at]?.level);
      case "suite":
        return among((at) => requirements[at]?.suite);
      case "basis":
        return among((at) => requirements[at]?.basis);
      case "party":
        return among((at) => requirements[at]?.party);
      case "source":
        return (at) => requirements[at]?.source.toLowerCase().includes(value) === true;
      case "outcome":
        return (at) => columns.some((column) => outcomeOf(table.outcome(column, at)) === value);
      case "changed":
        return (at) => columns.some((column) => table.hasChanged(column, at));
      case "sensitive":
        return (at) => requirements[at]?.isSensitive === true;
      default:
        return (at) => this.#texts[at]?.includes(value) === true;
    }
  }
}

const TERM = /(-?)(?:([a-z]+):)?("[^"]*"?|\S*)/gi;

function termsOf(query: string): readonly Term[] {
  return Array.from(query.matchAll(TERM), ([whole, minus, name, text = ""]): Term => {
    const field = name?.toLowerCase();
    const value = text.replaceAll('"', "").toLowerCase();
    const isNot = minus === "-";
    if (field !== undefined && Object.hasOwn(FIELDS, field)) return { isNot, field, value };
    if (field === undefined && (value === "changed" || value === "sensitive"))
      return { isNot, field: value, value };
    // A colon of the text itself.
    const plain = whole
      .slice(isNot ? 1 : 0)
      .replaceAll('"', "")
      .toLowerCase();
    return { isNot, field: undefined, value: plain };
  }).filter(({ value }) => value !== "");
}
