/** All words that a step of a story can begin with, but for those that have steps within (story.ts). */
import type { StepKind } from "./step.ts";
import { FAULTS } from "./steps/faults.ts";
import { KEYS } from "./steps/keys.ts";
import { MESSAGES } from "./steps/messages.ts";
import { PEOPLE } from "./steps/people.ts";
import { SECRETS } from "./steps/secrets.ts";
import { STORES } from "./steps/stores.ts";
import { SYNCING } from "./steps/syncing.ts";
import { TRUST } from "./steps/trust.ts";

export const STEPS: Readonly<Record<string, StepKind>> = {
  ...PEOPLE,
  ...SYNCING,
  ...MESSAGES,
  ...FAULTS,
  ...KEYS,
  ...TRUST,
  ...STORES,
  ...SECRETS,
};
