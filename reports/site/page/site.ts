/** What all pages of the site share. */
import type { SiteIndex } from "#reports/site/data";
import { Filter } from "#reports/site/filter";
import { Table } from "#reports/site/table";

export class Site {
  readonly index: SiteIndex;
  readonly table: Table;
  readonly filter: Filter;
  /** What the matrix was last narrowed to. */
  query = "";
  readonly #numbers: ReadonlyMap<string, number>;

  constructor(index: SiteIndex) {
    this.index = index;
    this.table = new Table(index);
    this.filter = new Filter(this.table);
    this.#numbers = new Map(index.requirements.map(({ id }, at) => [id, at]));
  }

  /** Number of a requirement. */
  find(id: string): number | undefined {
    return this.#numbers.get(id);
  }
}

export const BASIS_WORDS = {
  text: "a normative sentence of the source",
  derived: "no sentence of the specification: it follows from the source by a short argument",
  practice: "no sentence of the specification: clients rely on it",
} as const;

export const PARTY_WORDS = {
  client: "a client library, no homeserver",
  rtc: "the RTC authorization service, no homeserver",
  sfu: "the SFU, no homeserver",
} as const;
