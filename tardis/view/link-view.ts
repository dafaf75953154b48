/** A run as a link, or why it is none. */
import { writeLink } from "#tardis/formats/link";
import { writeRun } from "#tardis/formats/write";
import { RunError } from "#tardis/model/problem";
import type { Run } from "#tardis/model/run";
import type { LinkView } from "./messages.ts";

/** More never fit, and would take long to find out. */
const MOST_EVENTS = 2_000;

export async function linkView(run: Run): Promise<LinkView> {
  if (run.pdus.length > MOST_EVENTS) {
    return { link: undefined, problem: `${run.pdus.length} events are too many for a link` };
  }
  try {
    return { link: await writeLink(writeRun(run, "scenario")), problem: undefined };
  } catch (error) {
    if (error instanceof RunError) return { link: undefined, problem: error.message };
    throw error;
  }
}
