/** Finds out why devices of a chaos run can not read events, and writes a page about each into the run's folder. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Unread, Verdict } from "#chaos/live/encryption";
import { describe } from "#harness/errors";
import { Evidence } from "#harness/forensics/evidence";
import { explain, type Utd } from "#harness/forensics/explain";
import { pageOf } from "#harness/forensics/page";
import { openSources } from "#harness/forensics/sources";

/** More of one run say the same again. */
const MOST_PAGES = 50;
const SPLIT_MS = 60_000;

export class UtdPages {
  readonly #folder: string;
  #count = 0;

  /** @param folder of the run, with its trace and the logs of its devices */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** In the same order; undefined: it could not be found out. */
  async explain(unread: readonly Unread[]): Promise<readonly (Verdict | undefined)[]> {
    if (unread.length === 0) return [];
    const { exchanges, entries } = openSources([this.#folder]);
    const evidence = await Evidence.gather(exchanges, entries);
    return unread.map(({ user, device, event }) => {
      try {
        const [utd] = explain(evidence, { event, target: { user, device } });
        return utd === undefined ? undefined : this.#verdict(utd, isInSplit(evidence, utd));
      } catch (error) {
        return { root: "unexplained", why: describe(error), isInSplit: false };
      }
    });
  }

  #verdict(utd: Utd, isInSplit: boolean): Verdict {
    const failed = utd.steps.find(({ step }) => step === utd.failedStep);
    const why = failed === undefined ? "no step is known to have gone wrong" : failed.says;
    // Nobody is owed a key of these.
    const isExpected = utd.root.startsWith("expected.");
    if (isExpected || this.#count >= MOST_PAGES) return { root: utd.root, why, isInSplit };
    const page = `utd-${++this.#count}.md`;
    writeFileSync(path.join(this.#folder, page), pageOf(utd));
    return { root: utd.root, why, isInSplit, page };
  }
}

/** Whether a rule of the gateway has acted on what servers sent each other, not long before the event was sent. */
function isInSplit({ firings }: Evidence, { sentAt }: Utd): boolean {
  return firings.some(
    ({ from, to, at }) =>
      from.startsWith("hs") && to.startsWith("hs") && at <= sentAt && at >= sentAt - SPLIT_MS,
  );
}
