/** The journal of a story that failed as a page, which opens at what failed. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pageTemplate } from "#cli/tardis/page";
import { pageOf } from "#cli/tardis/page-files";
import { describe } from "#harness/errors";
import { REPLAY_SUFFIX } from "#harness/replay/record";
import type { ReplayPage } from "#harness/results/replays";

/** Beside the journal. Never throws: a story has failed whether it can be shown or not. */
export async function writeStoryPage(journal: string): Promise<ReplayPage> {
  const name = path.basename(journal);
  const all = `crucible tardis serve ${name}`;
  try {
    const text = readFileSync(journal, "utf8");
    const { html, fragment } = await pageOf(await pageTemplate(), [{ name, text }], { all });
    const page = journal.replace(REPLAY_SUFFIX, ".html");
    writeFileSync(page, html, { mode: 0o600 });
    return { page, fragment };
  } catch (error) {
    return { note: `no page: ${describe(error)}; ${all} shows it` };
  }
}

/** `replay: story-1.html#at=…`, as seen from here. */
export function pageLine({ page, fragment = "", note }: ReplayPage): string {
  return page === undefined ? `replay: ${note ?? "none"}` : `replay: ${page}${fragment}`;
}
