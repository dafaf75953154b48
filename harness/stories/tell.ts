/** Tells a story to real servers, step by step. */
import { CheckFailure, HarnessError, Unsupported } from "#harness/errors";
import type { World } from "#harness/world/world";
import { whyNot } from "./applies.ts";
import { STEPS } from "./steps.ts";
import type { Step, Story } from "./story.ts";
import { type Pair, Telling } from "./telling.ts";
import { isTrouble } from "./trouble.ts";

const INSIST_MS = 20_000;

/**
 * @throws CheckFailure when somebody can not read what the story says, or can; Unsupported when a client of the pair can
 * not do what the story asks for; HarnessError RULE_NEVER_FIRED when a fault did nothing
 */
export async function tell(world: World, story: Story, pair: Pair): Promise<void> {
  const not = whyNot(story, pair);
  if (not !== undefined) throw new Unsupported(`crypto client ${not.kind}`, not.reason);
  const telling = new Telling(world, story, pair);
  try {
    for (const [at, step] of story.steps.entries()) {
      await placed(`step ${at + 1}`, () => run(telling, step));
    }
    for (const [as] of telling.begun) {
      throw new HarnessError("BAD_FILE", {
        what: `the story ${story.id} ends while ${as} goes on`,
        next: `finish: ${as}`,
      });
    }
    for (const fault of [...telling.faults.keys()]) await telling.lift(fault);
  } finally {
    await Promise.allSettled(
      [...telling.devices.values()].map(({ client }) => client[Symbol.asyncDispose]()),
    );
  }
}

async function run(telling: Telling, step: Step): Promise<void> {
  if ("together" in step) {
    await Promise.all(step.together.map((each) => run(telling, each)));
  } else if ("begin" in step) {
    const going = run(telling, step.step);
    // What goes wrong is told by `finish`, or by the end of the story.
    going.catch(() => undefined);
    telling.begun.set(step.begin, going);
  } else if ("insists" in step) {
    await telling.world.eventually(() => tryOnce(() => run(telling, step.insists)), {
      deadlineMs: INSIST_MS,
    });
  } else if ("fails" in step) {
    await inVain(step.text, () => run(telling, step.fails));
  } else {
    await placed(step.word, async () => STEPS[step.word]?.tell(telling, step.given));
  }
}

/** Any trouble is a reason to try again. */
async function tryOnce(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!isTrouble(error) || error instanceof CheckFailure) throw error;
    throw new CheckFailure("no trouble", error.message);
  }
}

/** What is refused, or gets no answer, is what the story wants. */
async function inVain(text: string, act: () => Promise<void>): Promise<void> {
  let why: string;
  try {
    await act();
    why = "it succeeded";
  } catch (error) {
    // What a client refuses by itself is trouble too, when the story says what of it.
    const isRefused = text !== "" && error instanceof HarnessError && error.message.includes(text);
    if (!isTrouble(error) && !isRefused) throw error;
    why = error.message;
    if (why.includes(text)) return;
  }
  throw new CheckFailure(`trouble${text === "" ? "" : ` with ${text}`}`, why);
}

/** Says of trouble where it was. */
export async function placed(place: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (error instanceof CheckFailure) {
      throw new CheckFailure(`${place}: ${error.expected}`, error.actual, error.exchange);
    }
    if (error instanceof HarnessError) {
      const { code, what, facts, next, cause } = error;
      const parts = { what: `${place}: ${what}`, facts, cause };
      throw new HarnessError(code, next === undefined ? parts : { ...parts, next });
    }
    throw error;
  }
}
