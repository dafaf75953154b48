/** A story of scenarios/stories/utd as options and body of a check. */

import type { ClientKind } from "#harness/clients/crypto/capabilities";
import { whyNot } from "#harness/stories/applies";
import type { Story } from "#harness/stories/story";
import { placed, tell } from "#harness/stories/tell";
import type { CheckBody, CheckOptions } from "#harness/world/check";
import type { World } from "#harness/world/world";
import { utdStories } from "#scenarios/stories/utd";
import { mutantsOf } from "./mutants.ts";

const STORIES = utdStories();
const DEADLINE_MS = 90_000;

/**
 * @param a kind of the clients of one side
 * @param kinds those of the other. Several, where a story has servers of its own: it is told once for each on the same
 * servers, since to start some takes longer than to tell most stories
 */
export function story(
  id: string,
  a: ClientKind,
  ...kinds: readonly ClientKind[]
): [CheckOptions, CheckBody] {
  const told = STORIES.get(id);
  if (told === undefined) throw new TypeError(`there is no story ${id}`);
  const options = {
    deadlineMs: DEADLINE_MS * kinds.length,
    ...(told["own-servers"] ? { isolated: {} } : {}),
    mutant: mutantsOf(told),
  };
  const [only, ...others] = kinds;
  if (only !== undefined && others.length === 0)
    return [options, (world) => tell(world, told, { a, b: only })];
  return [options, (world) => tellInTurn(world, told, a, kinds)];
}

async function tellInTurn(
  world: World,
  story: Story,
  a: ClientKind,
  kinds: readonly ClientKind[],
): Promise<void> {
  for (const b of kinds) {
    const why = whyNot(story, { a, b });
    if (why === undefined) await placed(`with ${b}`, () => tell(world, story, { a, b }));
    else world.note(`not told to ${b}: ${why.reason}`);
  }
}
