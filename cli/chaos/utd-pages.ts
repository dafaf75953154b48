/** Finds out why devices of a chaos run can not read events, and writes a page about each into the run's folder. */
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Unread, Verdict } from "#chaos/live/encryption";
import { describe } from "#harness/errors";
import { Evidence } from "#harness/forensics/evidence";
import { explain, type Utd } from "#harness/forensics/explain";
import { parcelOf } from "#harness/forensics/overlay";
import { pageOf } from "#harness/forensics/page";
import { openSources } from "#harness/forensics/sources";

/** More of one run say the same again. */
const MOST_PAGES = 50;
const SPLIT_MS = 60_000;

/** The story in which something could not be read. */
export interface Source {
  /** File of its journal. */
  readonly journal: string;
  readonly epoch: number;
  readonly seed: number | undefined;
  /** Command that tells it again. */
  readonly again: string;
}

export class UtdPages {
  readonly #folder: string;
  /** Names of pages by the journal of their story. */
  readonly #pages = new Map<string, string[]>();
  /** Of a message, by journal, root and parcel. */
  readonly #byParcel = new Map<string, string>();
  #count = 0;

  /** @param folder of the run, with its trace and the logs of its devices */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** In the same order; undefined: it could not be found out. */
  async explain(
    unread: readonly Unread[],
    source: Source,
  ): Promise<readonly (Verdict | undefined)[]> {
    if (unread.length === 0) return [];
    const { exchanges, entries } = openSources([this.#folder]);
    const evidence = await Evidence.gather(exchanges, entries);
    return unread.map(({ user, device, event }) => {
      try {
        const seed = source.seed === undefined ? {} : { seed: `${source.seed}` };
        const place = `epoch ${source.epoch} of ${path.relative(this.#folder, source.journal)}`;
        const question = { event, target: { user, device }, ...seed, place, again: source.again };
        const [utd] = explain(evidence, question);
        return utd === undefined ? undefined : this.#verdict(utd, isInSplit(evidence, utd), source);
      } catch (error) {
        return { root: "unexplained", why: describe(error), isInSplit: false };
      }
    });
  }

  /** Forgets those of a story that nobody needs. */
  drop(journal: string): void {
    for (const page of this.#pages.get(journal) ?? [])
      rmSync(path.join(this.#folder, page), { force: true });
    this.#pages.delete(journal);
  }

  #verdict(utd: Utd, isInSplit: boolean, { journal }: Source): Verdict {
    const failed = utd.steps.find(({ step }) => step === utd.failedStep);
    const why = failed === undefined ? "no step is known to have gone wrong" : failed.says;
    // Nobody is owed a key of these.
    const isExpected = utd.root.startsWith("expected.");
    const parcel = isExpected ? undefined : parcelOf(utd);
    const told = { root: utd.root, why, isInSplit, ...(parcel === undefined ? {} : { parcel }) };
    // The events of one session have one key.
    const key = `${journal} ${utd.root} ${utd.parcel}`;
    const same = utd.parcel === undefined ? undefined : this.#byParcel.get(key);
    if (same !== undefined) return { ...told, page: same };
    const kept = [...this.#pages.values()].reduce((sum, { length }) => sum + length, 0);
    if (isExpected || kept >= MOST_PAGES) return told;
    const page = `utd-${++this.#count}.md`;
    this.#pages.set(journal, [...(this.#pages.get(journal) ?? []), page]);
    this.#byParcel.set(key, page);
    writeFileSync(path.join(this.#folder, page), pageOf(utd));
    return { ...told, page };
  }
}

/** Whether a rule of the gateway has acted on what servers sent each other, not long before the event was sent. */
function isInSplit({ firings }: Evidence, { sentAt }: Utd): boolean {
  return firings.some(
    ({ from, to, at }) =>
      from.startsWith("hs") && to.startsWith("hs") && at <= sentAt && at >= sentAt - SPLIT_MS,
  );
}
