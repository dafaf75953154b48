/** Makes a plan that failed on real servers small, on the same servers. */
import type { CheckerVerdict } from "#chaos/journal/record";
import { shrinkPlan } from "#chaos/shrink/shrink";
import { HarnessError } from "#harness/errors";
import { operationsOf, type Plan } from "#scenarios/plan";
import type { Display } from "./display.ts";
import { failuresIn, type Story, type Storyteller } from "./storyteller.ts";

export interface Budget {
  readonly replays: number;
  readonly timeMs: number;
}

export interface ShrunkStory {
  readonly plan: Plan;
  readonly replays: number;
  /** How it failed the last time that it was told. */
  readonly failures: readonly CheckerVerdict[];
  /** The last story that failed as this plan. */
  readonly story: Story;
  readonly isMinimal: boolean;
}

/** Chance plays a part on real servers: what fails once may not fail again. */
const TIMES = 2;

export async function shrinkStory(
  story: Story,
  teller: Storyteller,
  display: Display,
  budget: Budget,
): Promise<ShrunkStory> {
  const asked = new Set(
    (story.failed === undefined ? [] : failuresIn(story.failed)).map(({ checker }) => checker),
  );
  let replays = 0;
  let best = story;
  const fails = async (plan: Plan): Promise<boolean> => {
    let last: Story | undefined;
    for (let time = 0; time < TIMES; time++) {
      replays++;
      const again = await replay(teller, plan, `shrinking/${replays}`);
      const isSame =
        again?.failed !== undefined &&
        failuresIn(again.failed).some(({ checker }) => asked.has(checker));
      if (last !== undefined) teller.drop(last);
      if (!isSame) {
        if (again !== undefined) teller.drop(again);
        return false;
      }
      last = again;
    }
    if (last === undefined) return false;
    if (best !== story) teller.drop(best);
    best = last;
    return true;
  };
  display.line(`shrinking ${operationsOf(story.plan).length} operations`);
  const suspect = story.told.epochs.find(({ verdicts }) =>
    verdicts.some(({ outcome }) => outcome === "fail" || outcome === "unknown"),
  )?.number;
  const { plan, isMinimal } = await shrinkPlan(story.plan, {
    fails,
    ...(suspect === undefined ? {} : { suspect }),
    ...budget,
    onProgress: ({ operations, pass, isSmaller }) => {
      if (isSmaller) display.line(`  ${operations} operations still fail (fewer ${pass})`);
    },
  });
  return {
    plan,
    replays,
    failures: best.failed === undefined ? [] : failuresIn(best.failed),
    story: best,
    isMinimal,
  };
}

/** Undefined: it could not be told. */
async function replay(teller: Storyteller, plan: Plan, name: string): Promise<Story | undefined> {
  try {
    return await teller.tell(plan, { name, isRetold: true, isQuiet: true });
  } catch (error) {
    if (error instanceof HarnessError && error.code !== "INTERRUPTED") return undefined;
    throw error;
  }
}
