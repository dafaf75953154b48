/** The journal of a story that failed as a page, which opens at what failed. */
import { readFileSync } from "node:fs";
import { ReplayPageWriter, withoutPage } from "#cli/tardis/replay-page";
import { describe } from "#harness/errors";
import type { ReplayPage } from "#harness/results/replays";

/** Beside the journal. Never throws: a story has failed whether it can be shown or not. */
export async function writeStoryPage(journal: string): Promise<ReplayPage> {
  try {
    return await new ReplayPageWriter().write(journal, readFileSync(journal, "utf8"));
  } catch (error) {
    return withoutPage(journal, describe(error));
  }
}

/** `replay: story-1.html#at=…`, as seen from here. */
export function pageLine({ page, fragment = "", note }: ReplayPage): string {
  return page === undefined ? `replay: ${note ?? "none"}` : `replay: ${page}${fragment}`;
}
