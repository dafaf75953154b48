/** Pages of recordings, copied into the site, so that it stands alone: of what it may show, and not more than it can bear. */
import { chmodSync, copyFileSync, lstatSync, mkdirSync, realpathSync } from "node:fs";
import path from "node:path";
import type { ReplayPage } from "#harness/results/replays";
import { isWithheld, type RenderOptions } from "#reports/finding";
import type { Finding } from "#reports/summarise";

const MOST_PAGES = 200;
const MOST_BYTES = 200 * 1024 ** 2;

export class CopiedReplays {
  readonly #folder: string;
  readonly #sources: readonly string[];
  readonly #pages = new Map<string, ReplayPage>();
  bytes = 0;
  count = 0;
  #over = 0;
  #strange = 0;

  /** @param runs folders of runs: nothing but what lies in their `replay/` is copied */
  constructor(site: string, runs: readonly string[]) {
    this.#folder = path.join(site, "replay");
    this.#sources = runs.flatMap((run) => realOf(path.join(run, "replay")) ?? []);
  }

  copy(findings: readonly Finding[], options: RenderOptions): void {
    for (const finding of findings) {
      const { page } = finding;
      if (page?.page === undefined || isWithheld(finding, options)) continue;
      if (!this.#pages.has(page.page))
        this.#pages.set(page.page, this.#copied(page, page.page, options.disclose));
    }
  }

  pageOf({ page }: Finding): ReplayPage | undefined {
    return page?.page === undefined ? page : this.#pages.get(page.page);
  }

  /** One line for each kind. */
  get leftOut(): readonly string[] {
    const most = `the site takes ${MOST_PAGES} and ${MOST_BYTES / 1024 ** 2} MB at most`;
    return [
      ...(this.#over > 0 ? [`${this.#over} pages of recordings: ${most}`] : []),
      ...(this.#strange > 0
        ? [`${this.#strange} pages of recordings: they are no files in replay/ of their run`]
        : []),
    ];
  }

  /** A run may come from anywhere: what it calls a page may be a file of ours. */
  #isOwn(real: string): boolean {
    const isThere = this.#sources.includes(path.dirname(real));
    return real.endsWith(".html") && isThere && lstatSync(real).isFile();
  }

  #copied(page: ReplayPage, file: string, isDisclosed: boolean): ReplayPage {
    const real = realOf(file);
    if (real === undefined || !this.#isOwn(real)) {
      this.#strange++;
      return { note: "the page of the recording is not in its run directory" };
    }
    const { size } = lstatSync(real);
    if (this.count >= MOST_PAGES || this.bytes + size > MOST_BYTES) {
      this.#over++;
      return { note: "the page of the recording is in its run directory only" };
    }
    this.count++;
    this.bytes += size;
    mkdirSync(this.#folder, { recursive: true });
    const copy = path.join(this.#folder, `${this.count}.html`);
    copyFileSync(real, copy);
    // In a run directory they are for its owner alone, since sensitive ones are among them: here they are not.
    if (!isDisclosed) chmodSync(copy, 0o644);
    return { ...page, page: copy };
  }
}

function realOf(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined;
  }
}
