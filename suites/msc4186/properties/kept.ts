/** Trial of the stories that are kept: all of them, so that a failure tells which. */
import { CheckFailure } from "#harness/errors";
import type { Sync } from "../sync.ts";

/**
 * @param corpus by what is lost
 * @throws CheckFailure the first, with the names of all that failed
 */
export async function tryAll<Story>(
  sync: Sync,
  corpus: Readonly<Record<string, Story>>,
  holds: (sync: Sync, story: Story) => Promise<void>,
): Promise<void> {
  const failures: [string, CheckFailure][] = [];
  for (const [name, story] of Object.entries(corpus)) {
    try {
      await holds(sync, story);
    } catch (error) {
      if (!(error instanceof CheckFailure)) throw error;
      failures.push([name, error]);
    }
  }
  const [first] = failures;
  if (first === undefined) return;
  const names = failures.map(([name]) => name).join("; ");
  const [, { expected, actual, exchange }] = first;
  throw new CheckFailure(expected, `${actual}; lost is ${names}`, exchange);
}
