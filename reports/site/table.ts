/** The matrix as numbers and letters: what it is now, and what it was before. */
import { ABSENT, type SiteIndex } from "./data.ts";

export interface TableColumn {
  readonly name: string;
  /** Outcomes by requirement, of the run that counts. */
  readonly now: string;
  /** The same of all runs, oldest first, that one last. */
  readonly history: readonly string[];
}

export class Table {
  readonly index: SiteIndex;
  readonly columns: readonly TableColumn[];

  constructor(index: SiteIndex) {
    this.index = index;
    this.columns = index.columns.map(({ name, deployments }) => {
      const history = deployments.map((at) => index.deployments[at]?.outcomes ?? "");
      return { name, history, now: history.at(-1) ?? "" };
    });
  }

  outcome(column: number, requirement: number): string {
    return this.columns[column]?.now[requirement] ?? ABSENT;
  }

  /** Of earlier runs that had a check of it, oldest first. */
  past(column: number, requirement: number): string {
    const history = this.columns[column]?.history ?? [];
    if (history.length < 2) return "";
    const letters = history.slice(0, -1).map((run) => run[requirement] ?? ABSENT);
    return letters.join("").replaceAll(ABSENT, "");
  }

  /** Whether the run that counts differs from the one before it. */
  hasChanged(column: number, requirement: number): boolean {
    const now = this.outcome(column, requirement);
    const before = this.past(column, requirement).at(-1);
    return before !== undefined && now !== ABSENT && before !== now;
  }
}
