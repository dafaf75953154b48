/** A story of scenarios/stories/utd as options and body of a check. */

import type { ClientKind } from "#harness/clients/crypto/capabilities";
import { tell } from "#harness/stories/tell";
import type { CheckBody, CheckOptions } from "#harness/world/check";
import { utdStories } from "#scenarios/stories/utd";
import { mutantsOf } from "./mutants.ts";

const STORIES = utdStories();
const DEADLINE_MS = 90_000;

/** @param id of the story; a and b: the kinds of clients of its sides */
export function story(id: string, a: ClientKind, b: ClientKind): [CheckOptions, CheckBody] {
  const told = STORIES.get(id);
  if (told === undefined) throw new TypeError(`there is no story ${id}`);
  const options = {
    deadlineMs: DEADLINE_MS,
    ...(told["own-servers"] ? { isolated: {} } : {}),
    mutant: mutantsOf(told),
  };
  return [options, (world) => tell(world, told, { a, b })];
}
