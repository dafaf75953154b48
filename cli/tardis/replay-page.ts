/** A replay file as a page beside it, which opens at what failed: of checks, and of stories of chaos. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe } from "#harness/errors";
import { REPLAY_SUFFIX } from "#harness/replay/record";
import type { ReplayPage } from "#harness/results/replays";
import { pageTemplate } from "./page.ts";
import { pageOf } from "./page-files.ts";

/** For who owns the run alone: sensitive failures are among them. */
const MODE = 0o600;

export class ReplayPageWriter {
  #template: string | undefined;

  /**
   * Never throws: what failed has failed whether it can be shown or not.
   *
   * @param file of the replay, whose ending the page changes
   * @param text what is in it
   */
  async write(file: string, text: string): Promise<ReplayPage> {
    const name = path.basename(file);
    try {
      this.#template ??= await pageTemplate();
      const { html, fragment } = await pageOf(this.#template, [{ name, text }], {
        all: allOf(file),
      });
      const page = file.replace(REPLAY_SUFFIX, ".html");
      writeFileSync(page, html, { mode: MODE });
      return { page, fragment };
    } catch (error) {
      return withoutPage(file, describe(error));
    }
  }
}

/** Of a replay that has none: why, and what shows it all the same. */
export function withoutPage(file: string, why: string): ReplayPage {
  return { note: `no page: ${why}; ${allOf(file)} shows it` };
}

function allOf(file: string): string {
  return `crucible tardis serve ${path.basename(file)}`;
}
